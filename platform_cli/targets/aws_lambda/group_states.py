"""Keeps the states of a project's groups of errors in its table, which it has for its instances anyway."""

from __future__ import annotations

from collections.abc import Mapping

from ...errors import InputError
from .client import AWS
from .live import Live, Mailbox
from .names import mailbox_table

# The partition of the items, which no session and no client's count has; they never expire.
PARTITION = "errors"


class TableStates:
    """Keeps one item for each group, whose sort key is the group's.

    AWS's refusals are for the caller to explain (client.aws_errors).
    """

    def __init__(self, aws: AWS, project: str, live: Live) -> None:
        self._aws = aws
        self._project = project
        self._is_there = live.mailbox is Mailbox.THERE

    def read(self) -> Mapping[str, str]:
        if not self._is_there:
            return {}
        pages = self._aws.tables.get_paginator("query").paginate(
            TableName=mailbox_table(self._project),
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": PARTITION}},
            ConsistentRead=True,
        )
        items = (item for page in pages for item in page["Items"])
        return {item["sk"]["S"]: item.get("state", {}).get("S", "") for item in items}

    def write(self, key: str, text: str) -> None:
        if not self._is_there:
            raise InputError(
                f"the table {mailbox_table(self._project)}, which keeps what becomes of errors, is not there",
                hint=f"deploy {self._project} again, which makes it",
            )
        item = {"pk": {"S": PARTITION}, "sk": {"S": key}, "state": {"S": text}}
        self._aws.tables.put_item(TableName=mailbox_table(self._project), Item=item)
