"""What the platform's own resources are called on AWS. No project can have such a name, and what may be done to
`homeport-*` does not reach them.
"""

from __future__ import annotations

PLATFORM = "homeport_platform"
WEB = f"{PLATFORM}_web"
BUILDER = f"{PLATFORM}_builder"
TABLE = PLATFORM
BOUNDARY = f"{PLATFORM}_boundary"
# FIFO queues have to end so: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queues.html
QUEUE = f"{PLATFORM}.fifo"
DEAD_QUEUE = f"{PLATFORM}_dead.fifo"
SECRETS = f"{PLATFORM}/github/"
TAGS = {"homeport:platform": "platform"}

# What the functions are told: both where the queue is, and the one that the world sees whom its API answers.
QUEUE_VARIABLE = "HOMEPORT_QUEUE_URL"
TOKEN_VARIABLE = "HOMEPORT_TOKEN_HASH"  # noqa: S105 - its name


def in_region(name: str, region: str) -> str:
    """Of a role or a policy: IAM's names are the same in all regions."""
    return f"{name}.{region}"


def secret_name(repository: int) -> str:
    return f"{SECRETS}{repository}"
