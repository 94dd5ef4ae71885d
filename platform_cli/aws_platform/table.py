"""Accesses the platform's one table in DynamoDB, whose items have a partition key `pk` and a sort key
`sk`, both text.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ..targets.aws_lambda.client import AWS, absent, aws_errors, code_of
from .names import TABLE

Item = dict[str, Any]
CONDITION = "ConditionalCheckFailedException"


@dataclass(frozen=True, slots=True)
class Put:
    """Writes a whole item; with `new` only if it does not exist."""

    item: Item
    new: bool = False


@dataclass(frozen=True, slots=True)
class Update:
    """Changes fields of an item that has the fields of `only_if`; with None the item must not exist, and is created."""

    pk: str
    sk: str
    fields: Mapping[str, Any]
    only_if: Mapping[str, Any] | None = field(default_factory=dict)


class Table:
    """Reads and writes items, with consistent reads, and raises AWSError for AWS's refusals."""

    def __init__(self, aws: AWS) -> None:
        self._client = aws.tables

    def get(self, pk: str, sk: str) -> Item | None:
        with aws_errors():
            answer = self._client.get_item(TableName=TABLE, Key=_encode({"pk": pk, "sk": sk}), ConsistentRead=True)
        return _decode(answer["Item"]) if "Item" in answer else None

    def query(self, pk: str, prefix: str = "", *, newest_first: bool = False) -> list[Item]:
        """Returns items in the order of their sort keys."""
        with aws_errors():
            pages = self._client.get_paginator("query").paginate(
                TableName=TABLE,
                KeyConditionExpression="#pk = :pk" + (" AND begins_with(#sk, :sk)" if prefix else ""),
                ExpressionAttributeNames={"#pk": "pk", **({"#sk": "sk"} if prefix else {})},
                ExpressionAttributeValues=_encode({":pk": pk, **({":sk": prefix} if prefix else {})}),
                ConsistentRead=True,
                ScanIndexForward=not newest_first,
            )
            return [_decode(item) for page in pages for item in page["Items"]]

    def put(self, item: Item) -> None:
        with aws_errors():
            self._client.put_item(TableName=TABLE, Item=_encode(item))

    def update(self, update: Update) -> bool:
        """Updates an item, and returns False if the condition does not hold and nothing was changed."""
        with aws_errors(), absent(CONDITION):
            self._client.update_item(TableName=TABLE, **_update(update))
            return True
        return False

    def append(self, pk: str, sk: str, name: str, text: str) -> None:
        """Appends to the item's list `name`, which is created if it does not exist."""
        with aws_errors():
            self._client.update_item(
                TableName=TABLE,
                Key=_encode({"pk": pk, "sk": sk}),
                UpdateExpression="SET #f = list_append(if_not_exists(#f, :none), :more)",
                ExpressionAttributeNames={"#f": name},
                ExpressionAttributeValues=_encode({":none": [], ":more": [text]}),
            )

    def count(self, pk: str, sk: str) -> int:
        """Returns 1, 2, 3, ..., each number once."""
        with aws_errors():
            answer = self._client.update_item(
                TableName=TABLE,
                Key=_encode({"pk": pk, "sk": sk}),
                UpdateExpression="ADD #n :one",
                ExpressionAttributeNames={"#n": "number"},
                ExpressionAttributeValues=_encode({":one": 1}),
                ReturnValues="UPDATED_NEW",
            )
        return int(_decode(answer["Attributes"])["number"])

    def delete(self, pk: str, sk: str) -> None:
        with aws_errors():
            self._client.delete_item(TableName=TABLE, Key=_encode({"pk": pk, "sk": sk}))

    def write(self, actions: Sequence[Put | Update]) -> list[int]:
        """Carries out all actions or none, and returns the places of those whose conditions fail or that conflict with
        others.
        """
        from botocore.exceptions import ClientError

        with aws_errors():
            try:
                self._client.transact_write_items(TransactItems=[_action(action) for action in actions])
            except ClientError as error:
                if code_of(error) != "TransactionCanceledException":
                    raise
                reasons = error.response.get("CancellationReasons", [])
                failed = [place for place, reason in enumerate(reasons) if reason.get("Code", "None") != "None"]
                return failed or list(range(len(actions)))
        return []


def fields_of(row: Any) -> Item:
    """Returns the fields of a dataclass, without converting dataclasses within it."""
    return {field.name: getattr(row, field.name) for field in dataclasses.fields(row)}


def _action(action: Put | Update) -> dict[str, Any]:
    if isinstance(action, Update):
        return {"Update": {"TableName": TABLE, **_update(action)}}
    condition = {"ConditionExpression": "attribute_not_exists(pk)"} if action.new else {}
    return {"Put": {"TableName": TABLE, "Item": _encode(action.item), **condition}}


def _update(update: Update) -> dict[str, Any]:
    only_if = update.only_if
    names = {f"#f{place}": name for place, name in enumerate(update.fields)}
    values = {f":f{place}": value for place, value in enumerate(update.fields.values())}
    conditions = ["attribute_not_exists(pk)" if only_if is None else "attribute_exists(pk)"]
    for place, (name, value) in enumerate((only_if or {}).items()):
        names[f"#c{place}"], values[f":c{place}"] = name, value
        conditions.append(f"#c{place} = :c{place}")
    return {
        "Key": _encode({"pk": update.pk, "sk": update.sk}),
        "UpdateExpression": "SET " + ", ".join(f"#f{place} = :f{place}" for place in range(len(update.fields))),
        "ConditionExpression": " AND ".join(conditions),
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": _encode(values),
    }


def _encode(item: Mapping[str, Any]) -> dict[str, Any]:
    from boto3.dynamodb.types import TypeSerializer

    serializer = TypeSerializer()
    return {name: serializer.serialize(_storable(value)) for name, value in item.items()}


def _storable(value: Any) -> Any:
    """Returns a value without floats, which DynamoDB does not have; Python's shortest decimal reads back as the same
    float.
    """
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, Mapping):
        return {key: _storable(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(each) for each in value]
    return value


def _decode(item: Mapping[str, Any]) -> Item:
    from boto3.dynamodb.types import TypeDeserializer

    deserializer = TypeDeserializer()
    return {name: _loaded(deserializer.deserialize(value)) for name, value in item.items()}


def _loaded(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        return {key: _loaded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_loaded(each) for each in value]
    return value
