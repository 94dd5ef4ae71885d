"""Tests the few calls of DynamoDB against moto's."""

from __future__ import annotations

from contextlib import closing

import pytest

from homeport_runtime.aws.dynamodb import Item, Table
from homeport_runtime.aws.errors import AWSError

from ...aws.moto_server import Moto


def test_conditions_order_pages_and_deletes(moto: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in moto.environment.items():
        monkeypatch.setenv(name, value)
    keys = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
    moto.client("dynamodb").create_table(
        TableName="calls",
        KeySchema=keys,
        AttributeDefinitions=[{"AttributeName": key["AttributeName"], "AttributeType": "S"} for key in keys],
        BillingMode="PAY_PER_REQUEST",
    )
    with closing(Table("calls")) as table:
        item: Item = {"pk": "s", "sk": "m01", "body": b"\0\xff", "sender": "a"}
        new = "attribute_not_exists(sk) OR sender = :sender"
        assert table.put(item, new, {":sender": "a"})
        assert table.put(item, new, {":sender": "a"}), "the same again is no conflict"
        assert not table.put({**item, "sender": "b"}, new, {":sender": "b"})
        assert list(table.query("pk = :s", {":s": "s"})) == [item]

        # More than the megabyte that one answer of Query may have.
        for number in range(2, 32):
            table.put({"pk": "s", "sk": f"m{number:02}", "body": b"x" * 60_000})
        found = list(table.query("pk = :s AND sk > :after", {":s": "s", ":after": "m01"}))
        assert [entry["sk"] for entry in found] == [f"m{number:02}" for number in range(2, 32)]

        table.delete([{"pk": "s", "sk": f"m{number:02}"} for number in range(1, 32)])
        assert list(table.query("pk = :s", {":s": "s"})) == []

        head = {"pk": "s", "sk": "head"}
        table.put({**head, "expires": 100})
        counted = [table.update(head, "ADD written :one", {":one": 1})["written"] for _ in range(3)]
        assert counted == [1, 2, 3]
        with pytest.raises(AWSError, match="ConditionalCheckFailedException"):
            table.update(head, "ADD written :one", {":one": 1, ":now": 200}, "expires > :now")
