"""Push to deploy, wherever the platform runs: links, deliveries, deployments, and what GitHub is told of them.

Storage, queues and what deploys are protocols here; controlplane has them on SQLite and the supervisor, aws_platform
on DynamoDB, SQS and Lambda. Those two import it, and the
command that removes a platform on AWS.
"""
