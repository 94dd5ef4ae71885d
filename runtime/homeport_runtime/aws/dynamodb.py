"""Makes the few calls of DynamoDB that a mailbox needs. Values are str, bytes or int; an item is a dict of them.

Names in expressions must not be among the reserved words, which `session`, `sequence`, `count` and `ttl` are
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ReservedWords.html).
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .client import ATTEMPTS, DYNAMODB, Client
from .errors import AWSError

Value = str | int | bytes
Item = Mapping[str, Value]
# The limit of https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
MAX_BATCH = 25


class Table:
    """Is one table, whose methods may raise AWSError after the retries of Client."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._client = Client(DYNAMODB)

    def put(self, item: Item, condition: str | None = None, values: Item | None = None) -> bool:
        """Writes an item, and returns False if `condition` does not hold and nothing was written."""
        arguments: dict[str, Any] = {"TableName": self._name, "Item": _encoded(item)}
        if condition is not None:
            arguments["ConditionExpression"] = condition
        if values:
            arguments["ExpressionAttributeValues"] = _encoded(values)
        try:
            self._client.call("PutItem", arguments)
        except AWSError as error:
            if error.code == "ConditionalCheckFailedException":
                return False
            raise
        return True

    def query(self, condition: str, values: Item) -> Iterator[dict[str, Value]]:
        """Yields the items of one partition in the order of their sort keys, read strongly consistent."""
        arguments: dict[str, Any] = {
            "TableName": self._name,
            "KeyConditionExpression": condition,
            "ExpressionAttributeValues": _encoded(values),
            "ConsistentRead": True,
        }
        while True:
            answer = self._client.call("Query", arguments)
            yield from map(_decoded, answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            arguments["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def update(self, key: Item, update: str, values: Item, condition: str | None = None) -> dict[str, Value]:
        """Changes an item and returns its new content.

        Raises AWSError with the code ConditionalCheckFailedException if `condition` does not hold.
        """
        arguments: dict[str, Any] = {
            "TableName": self._name,
            "Key": _encoded(key),
            "UpdateExpression": update,
            "ExpressionAttributeValues": _encoded(values),
            "ReturnValues": "ALL_NEW",
        }
        if condition is not None:
            arguments["ConditionExpression"] = condition
        return _decoded(self._client.call("UpdateItem", arguments)["Attributes"])

    def close(self) -> None:
        self._client.close()

    def delete(self, keys: Sequence[Item]) -> None:
        for start in range(0, len(keys), MAX_BATCH):
            requests = [{"DeleteRequest": {"Key": _encoded(key)}} for key in keys[start : start + MAX_BATCH]]
            for _ in range(ATTEMPTS):
                answer = self._client.call("BatchWriteItem", {"RequestItems": {self._name: requests}})
                requests = answer.get("UnprocessedItems", {}).get(self._name, [])
                if not requests:
                    break
            else:
                raise AWSError("ProvisionedThroughputExceededException", "BatchWriteItem")


def _encoded(item: Item) -> dict[str, dict[str, str]]:
    return {name: _encode(value) for name, value in item.items()}


def _encode(value: Value) -> dict[str, str]:
    if isinstance(value, bytes):
        return {"B": base64.b64encode(value).decode()}
    return {"N": str(value)} if isinstance(value, int) else {"S": value}


def _decoded(item: Mapping[str, Mapping[str, str]]) -> dict[str, Value]:
    return {name: _decode(*next(iter(value.items()))) for name, value in item.items()}


def _decode(kind: str, text: str) -> Value:
    if kind == "B":
        return base64.b64decode(text)
    return int(text) if kind == "N" else text
