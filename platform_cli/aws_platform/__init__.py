"""Implements the platform on AWS: a webhook and the API behind a Function URL, a queue, and a function that builds.

It is the controlplane's counterpart, for push to deploy only: what a push starts is in pushes, what a project is on
Lambda in targets.aws_lambda. Commands provision and remove it; its own functions run `web` and `builder`. It imports
nothing of the platform at home (controlplane, supervisor's workers).
"""
