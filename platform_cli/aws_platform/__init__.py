"""The platform on AWS: a webhook and the API behind a Function URL, a queue, and a function that builds and deploys.

It is the controlplane's counterpart, for push to deploy alone: what a push sets off is in pushes, what a project is on
Lambda in targets.aws_lambda. Commands provision and remove it; its own functions run `web` and `builder`.
Nothing of the platform at home (controlplane, supervisor's workers) is imported.
"""
