"""Names the platform's own resources on AWS.

No project can have such a name, and permissions for `homeport-*` do not apply to them.
"""

from __future__ import annotations

PLATFORM = "homeport_platform"
WEB = f"{PLATFORM}_web"
BUILDER = f"{PLATFORM}_builder"
TABLE = PLATFORM
BOUNDARY = f"{PLATFORM}_boundary"
# The names of FIFO queues have to end so:
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queues.html
QUEUE = f"{PLATFORM}.fifo"
DEAD_QUEUE = f"{PLATFORM}_dead.fifo"
SECRETS = f"{PLATFORM}/github/"
TAGS = {"homeport:platform": "platform"}

# The functions' variables: for both the queue's URL, and for the web function the hash of the API's token.
QUEUE_VARIABLE = "HOMEPORT_QUEUE_URL"
TOKEN_VARIABLE = "HOMEPORT_TOKEN_HASH"  # noqa: S105 - its name


def in_region(name: str, region: str) -> str:
    """Returns the name of a role or a policy, with the region since IAM's names are the same in all of them."""
    return f"{name}.{region}"


def secret_name(repository: int) -> str:
    return f"{SECRETS}{repository}"
