"""Wakes the builder: a message per project that has something to do, in the order of each project.

The queue is FIFO with the project as the message group, so that no two builders ever work on one project, and other
projects do not wait. What there is to do is in the table, and a message says only where to look. So an extra message
does nothing, and one that comes again after a builder was killed finishes its work. One that comes too often goes to a
dead-letter queue, which the builder reads, too, so that nobody waits for what has failed for good.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..targets.aws_lambda.client import AWS, aws_errors
from .names import DEAD_QUEUE, QUEUE_VARIABLE
from .table import Table

# The seconds between checks for a ping, which another instance of the function receives.
PING_S = 0.2
PINGS = "pings"
REMEMBERED_S = 86400
# The seconds for which a failed message is delayed, at least and at most: SQS hides none for more than 12 hours after
# it was received
# (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html).
LEAST_S, MOST_S = 60, 11 * 3600


@dataclass(frozen=True, slots=True)
class Message:
    """Is a message of SQS, as Lambda passes it on; `sent_at` is in seconds since 1970, `tries`
    counts its deliveries.
    """

    project: str
    sent_at: float
    tries: int
    queue: str
    receipt: str

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> Message:
        said = json.loads(record["body"])
        tries = int(record["attributes"]["ApproximateReceiveCount"])
        queue = record["eventSourceARN"].rpartition(":")[2]
        return cls(said["project"], said["at"], tries, queue, record["receiptHandle"])

    @property
    def is_dead(self) -> bool:
        return self.queue == DEAD_QUEUE


class Queue:
    def __init__(self, aws: AWS) -> None:
        self._aws = aws
        self._url = os.environ[QUEUE_VARIABLE]

    def wake(self, project: str) -> None:
        """Sends a message for `project`.

        Raises AWSError if it cannot be sent, after which GitHub learns that its delivery was not accepted.
        """
        with aws_errors():
            self._aws.queues.send_message(
                QueueUrl=self._url,
                MessageBody=json.dumps({"project": project, "at": time.time()}),
                MessageGroupId=project,
                MessageDeduplicationId=str(uuid.uuid4()),
            )

    def postpone(self, message: Message, seconds: float) -> None:
        """Delays a message's next delivery."""
        # The URLs of an account's queues differ only in their names.
        url = f"{self._url.rpartition('/')[0]}/{message.queue}"
        hidden = int(min(max(seconds, LEAST_S), MOST_S))
        with aws_errors():
            self._aws.queues.change_message_visibility(
                QueueUrl=url, ReceiptHandle=message.receipt, VisibilityTimeout=hidden
            )


class DynamoPings:
    def __init__(self, table: Table) -> None:
        self._table = table

    def arrived(self, hook_id: int) -> None:
        self._table.put({"pk": PINGS, "sk": str(hook_id), "expires": int(time.time()) + REMEMBERED_S})

    async def wait(self, hook_id: int) -> None:
        while self._table.get(PINGS, str(hook_id)) is None:
            await asyncio.sleep(PING_S)
