"""What wakes the builder: a message per project that has something to do, in the order of each project.

The queue is FIFO with the project as the message group, so that no two builders ever work on one project, and those of
other projects do not wait. What there is to do is in the table; a message says only where to look. Therefore one too
many does nothing, and one that comes again after a builder was killed finishes what that one began.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
import uuid

from ...targets.aws_lambda.client import AWS, aws_errors
from .names import QUEUE_VARIABLE
from .table import Table

# Seconds between two looks for a ping, which comes to another instance of the function.
PING_S = 0.2
PINGS = "pings"
REMEMBERED_S = 86400


class Queue:
    def __init__(self, aws: AWS) -> None:
        self._aws = aws
        self._url = os.environ[QUEUE_VARIABLE]

    def wake(self, project: str) -> None:
        """Raises AWSError: then GitHub hears that its delivery was not taken."""
        with aws_errors():
            self._aws.queues.send_message(
                QueueUrl=self._url,
                MessageBody=json.dumps({"project": project}),
                MessageGroupId=project,
                MessageDeduplicationId=str(uuid.uuid4()),
            )

    def postpone(self, receipt: str, seconds: float) -> None:
        """The message comes again after so long."""
        with aws_errors():
            self._aws.queues.change_message_visibility(
                QueueUrl=self._url, ReceiptHandle=receipt, VisibilityTimeout=int(seconds)
            )


class DynamoPings:
    def __init__(self, table: Table) -> None:
        self._table = table

    def arrived(self, hook_id: int) -> None:
        self._table.put({"pk": PINGS, "sk": str(hook_id), "expires": int(time.time()) + REMEMBERED_S})

    async def wait(self, hook_id: int) -> None:
        while self._table.get(PINGS, str(hook_id)) is None:
            await asyncio.sleep(PING_S)
