"""The queues as resources, and the builder as the reader of their messages."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ..targets.aws_lambda.client import AWS, absent, code_of
from ..targets.aws_lambda.creation import when_known
from ..targets.aws_lambda.places import arn
from .names import TAGS
from .resources import ResourceState

NO_QUEUE = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")
# For a minute after its end nobody can have a queue of that name
# (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteQueue.html).
DELETED_RECENTLY = "AWS.SimpleQueueService.QueueDeletedRecently"
# A build's; the queue has to hide a message for longer, and then brings it again.
BUILD_S = 900
HIDDEN_S = BUILD_S + 60
# Times that a message comes before it goes to the dead ones: builds that end without a result (builder.TRIES), and
# reports that GitHub does not take. Meanwhile those behind it of the same project wait.
MAX_RECEIVES = 6
# What SQS keeps messages for at most.
KEPT_S = 14 * 86400


@dataclass(frozen=True, slots=True)
class QueueResource:
    """A FIFO queue; what comes too often from it goes to `dead`."""

    aws: AWS
    name: str
    dead: QueueResource | None = None

    @property
    def shown(self) -> str:
        return f"queue {self.name}"

    @property
    def arn(self) -> str:
        return arn(self.aws, "sqs", self.name)

    @property
    def url(self) -> str:
        return str(self.aws.queues.get_queue_url(QueueName=self.name)["QueueUrl"])

    @property
    def _attributes(self) -> dict[str, str]:
        redrive = {"deadLetterTargetArn": self.dead.arn, "maxReceiveCount": MAX_RECEIVES} if self.dead else None
        return {
            "FifoQueue": "true",
            "MessageRetentionPeriod": str(KEPT_S),
            "VisibilityTimeout": str(HIDDEN_S),
            **({"RedrivePolicy": json.dumps(redrive)} if redrive else {}),
        }

    def state(self) -> ResourceState:
        with absent(*NO_QUEUE):
            found = self.aws.queues.get_queue_attributes(QueueUrl=self.url, AttributeNames=["All"])["Attributes"]
            same = all(_read(found.get(name)) == _read(value) for name, value in self._attributes.items())
            return "there" if same else "different"
        return "missing"

    def make(self) -> None:
        if self.state() == "missing":
            when_known(
                lambda: self.aws.queues.create_queue(QueueName=self.name, Attributes=self._attributes, tags=TAGS),
                lambda error: code_of(error) == DELETED_RECENTLY,
            )
        else:
            changeable = {name: value for name, value in self._attributes.items() if name != "FifoQueue"}
            self.aws.queues.set_queue_attributes(QueueUrl=self.url, Attributes=changeable)


@dataclass(frozen=True, slots=True)
class SourceResource:
    """Messages of the queue are events of the function, one at a time for each project."""

    aws: AWS
    queue: QueueResource
    function: str

    @property
    def shown(self) -> str:
        return f"messages of {self.queue.name} to {self.function}"

    def _found(self) -> list[dict[str, Any]]:
        answer = self.aws.functions.list_event_source_mappings(EventSourceArn=self.queue.arn)
        mappings: list[dict[str, Any]] = answer["EventSourceMappings"]
        return [one for one in mappings if one["FunctionArn"].split(":")[6] == self.function]

    def state(self) -> ResourceState:
        return "there" if self._found() else "missing"

    def make(self) -> None:
        self.aws.functions.create_event_source_mapping(
            EventSourceArn=self.queue.arn, FunctionName=self.function, BatchSize=1, Enabled=True
        )


def _read(value: str | None) -> Any:
    """AWS writes JSON in its own way."""
    return json.loads(value) if value else None
