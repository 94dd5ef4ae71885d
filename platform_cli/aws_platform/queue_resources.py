"""Defines the queues as resources, and the event source that passes their messages to the builder."""

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
# For a minute after a deletion no queue can have the same name
DELETED_RECENTLY = "AWS.SimpleQueueService.QueueDeletedRecently"
# The seconds of the longest build, for longer than which the queue has to hide a message before it delivers it again.
BUILD_S = 900
HIDDEN_S = BUILD_S + 60
# The deliveries of a message before it becomes a dead letter: of builds that end without a result (builder.TRIES), and
# of reports that GitHub does not accept. Meanwhile later messages of the same project wait.
MAX_RECEIVES = 6
# The longest time for which SQS keeps messages.
KEPT_S = 14 * 86400


@dataclass(frozen=True, slots=True)
class QueueResource:
    """Is a FIFO queue; `dead` is its dead letter queue."""

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
    """Passes messages of the queue to the function as events, one at a time for each project."""

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
    """Parses an attribute, since AWS formats JSON in its own way."""
    return json.loads(value) if value else None
