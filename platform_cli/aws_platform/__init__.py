"""The control plane on AWS: the webhook and the API behind a Function URL, a queue, and a function that builds."""
