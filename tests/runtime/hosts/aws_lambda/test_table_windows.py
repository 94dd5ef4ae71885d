"""Tests that instances of a function count calls together."""

from __future__ import annotations

from contextlib import closing

import pytest

from homeport_runtime.aws.dynamodb import Table
from homeport_runtime.guard.windows import Bucket, Rate
from homeport_runtime.hosts.aws_lambda.table_windows import TableWindows
from tests.aws.mailbox import DynamoDB, dynamodb
from tests.aws.moto_server import moto

__all__ = ["dynamodb", "moto"]


@pytest.fixture(autouse=True)
def _environment(dynamodb: DynamoDB, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in dynamodb.environment.items():
        monkeypatch.setenv(name, value)


RATES = Rate(3, 60.0), Rate(1, 3600.0)


def test_instances_count_together_until_the_minute_is_over(dynamodb: DynamoDB, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [600.0]
    monkeypatch.setattr("time.time", lambda: now[0])
    tables = [Table(name) for name in [dynamodb.table()] * 2]
    instances = [TableWindows(table, RATES) for table in tables]

    def take(*buckets: Bucket) -> list[tuple[int, float]]:
        return [each.take(buckets) for each in instances]

    assert take(Bucket(0, "a")) == [(0, 0.0), (0, 0.0)]
    now[0] += 15
    assert take(Bucket(0, "a")) == [(0, 0.0), (0, 45.0)]
    assert take(Bucket(0, "b"), Bucket(1, "b")) == [(0, 0.0), (1, 2985.0)]
    now[0] += 45
    assert take(Bucket(0, "a")) == [(0, 0.0), (0, 0.0)]
    for table in tables:
        table.close()


def test_a_table_that_cannot_be_asked_is_an_error_that_lets_the_call_pass() -> None:
    with closing(Table("no-such-table")) as table, pytest.raises(OSError, match="ResourceNotFound"):
        TableWindows(table, RATES).take([Bucket(0, "a")])
