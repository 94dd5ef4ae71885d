"""Implements push to deploy, wherever the platform runs: links, deliveries, deployments, and reports to GitHub.

Storage, queues and deployers are protocols here; controlplane implements them with SQLite and the supervisor,
aws_platform with DynamoDB, SQS and Lambda. Those two import this room, and so does the command that removes a platform
on AWS.
"""
