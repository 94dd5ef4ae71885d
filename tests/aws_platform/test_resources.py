"""Tests that a platform can be made again right after its end, which AWS takes a minute for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from platform_cli.aws_platform.queue_resources import DELETED_RECENTLY, QueueResource
from platform_cli.aws_platform.resources import TableResource
from platform_cli.targets.aws_lambda.client import AWS
from tests.aws.moto_server import Moto


@pytest.fixture
def aws(moto: Moto, monkeypatch: pytest.MonkeyPatch) -> Iterator[AWS]:
    for name, value in moto.environment.items():
        monkeypatch.setenv(name, value)
    yield AWS(None)


def test_a_table_that_is_being_deleted_is_not_there_and_is_waited_for(aws: AWS, moto: Moto) -> None:
    table, client = TableResource(aws, "homeport_again"), moto.client("dynamodb")
    table.make()
    assert table.state() == "there"
    asked: list[str] = []

    def describe(http_response: Any, parsed: dict[str, Any], model: Any, **_: Any) -> None:
        if model.name == "DescribeTable" and "Table" in parsed:
            asked.append(model.name)
            if len(asked) <= 2:
                parsed["Table"]["TableStatus"] = "DELETING"
            if len(asked) == 2:
                client.delete_table(TableName="homeport_again")

    aws.tables.meta.events.register("after-call.dynamodb", describe)
    assert table.state() == "missing"
    table.make()
    assert TableResource(AWS(None), "homeport_again").state() == "there"
    client.delete_table(TableName="homeport_again")


def test_a_queues_name_is_waited_for(aws: AWS) -> None:
    queue, refused = QueueResource(aws, "homeport_again.fifo"), list[str]()

    def refuse(**_: Any) -> None:
        if not refused:
            refused.append(DELETED_RECENTLY)
            raise ClientError({"Error": {"Code": DELETED_RECENTLY, "Message": "wait 60 seconds"}}, "CreateQueue")

    aws.queues.meta.events.register("provide-client-params.sqs.CreateQueue", refuse)
    queue.make()
    assert (refused, queue.state()) == ([DELETED_RECENTLY], "there")
    aws.queues.delete_queue(QueueUrl=queue.url)
