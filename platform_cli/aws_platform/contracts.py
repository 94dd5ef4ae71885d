"""Stores the contracts of releases that were made here, compressed, as items of the table."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any

from ..targets.aws_lambda.publish import KEPT_RELEASES
from .table import Table


class Contracts:
    def __init__(self, table: Table) -> None:
        self._table = table

    def keep(self, project: str, release: int, contract: Mapping[str, Any] | None) -> None:
        packed = zlib.compress(json.dumps(contract).encode())
        self._table.put({"pk": _pk(project), "sk": f"{release:08d}", "contract": packed})
        for old in self._table.query(_pk(project))[:-KEPT_RELEASES]:
            self._table.delete(old["pk"], old["sk"])

    def of(self, project: str, release: int) -> Mapping[str, Any] | None:
        """Returns a release's contract, None for one that was made on a laptop."""
        item = self._table.get(_pk(project), f"{release:08d}")
        contract: Mapping[str, Any] | None = json.loads(zlib.decompress(bytes(item["contract"]))) if item else None
        return contract

    def forget(self, project: str) -> None:
        for item in self._table.query(_pk(project)):
            self._table.delete(item["pk"], item["sk"])


def _pk(project: str) -> str:
    return f"contracts#{project}"
