"""Answers what moto lacks of Lambda's concurrency: the account's settings, provisioned concurrency, and the rules
between them (https://docs.aws.amazon.com/lambda/latest/dg/provisioned-concurrency.html).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

ACCOUNT_SETTINGS = "/2016-08-19/account-settings"
RESERVED = re.compile(r"/2017-10-31/functions/([^/]+)/concurrency")
ALIAS = re.compile(r"/2015-03-31/functions/([^/]+)/aliases/([^/]+)")
PROVISIONED = re.compile(r"/2019-09-30/functions/([^/]+)/provisioned-concurrency")
ACCOUNT_LIMIT = 1000
# An account always keeps so many for functions that reserve nothing.
UNRESERVED = 100
# The number of times that provisioned concurrency is looked at before it is there.
LOOKS = 3
Answer = tuple[int, dict[str, Any]]


class Concurrency:
    """Answers what it knows of; None leaves the call to moto, whose Lambda `backend` gives. Whoever asks for instances
    is told IN_PROGRESS some times, and then that they are ready, or that `failure` is why they are not.
    """

    def __init__(self, backend: Callable[[], Any]) -> None:
        self.failure: str | None = None
        self._backend = backend
        self._provisioned: dict[tuple[str, str], int] = {}
        # How often IN_PROGRESS is yet to be answered, for each alias.
        self._in_progress: dict[tuple[str, str], int] = {}

    def answer(self, method: str, path: str, query: str, body: bytes) -> Answer | None:
        if path.rstrip("/") == ACCOUNT_SETTINGS:
            return 200, self._settings()
        if (match := RESERVED.fullmatch(path)) and method == "PUT":
            return self._check_reserved(match[1], json.loads(body)["ReservedConcurrentExecutions"])
        if (match := ALIAS.fullmatch(path)) and method == "PUT":
            # Instances of the alias's old version end, and those of its new version start.
            self._in_progress[match[1], match[2]] = LOOKS
        if match := PROVISIONED.fullmatch(path):
            return self._serve(method, match[1], parse_qs(query)["Qualifier"][0], body)
        return None

    def _settings(self) -> dict[str, Any]:
        reserved = sum(self._reserved(function.function_name) or 0 for function in self._backend().list_functions())
        return {
            "AccountLimit": {
                "TotalCodeSize": 300 * 1024**3,
                "CodeSizeUnzipped": 250 * 1024**2,
                "CodeSizeZipped": 50 * 1024**2,
                "ConcurrentExecutions": ACCOUNT_LIMIT,
                "UnreservedConcurrentExecutions": ACCOUNT_LIMIT - reserved,
            },
            "AccountUsage": {"TotalCodeSize": 12_000_000, "FunctionCount": len(self._backend().list_functions())},
        }

    def _reserved(self, name: str) -> int | None:
        limit = self._backend().get_function(name).reserved_concurrency
        return int(limit) if limit is not None else None

    def _check_reserved(self, name: str, wanted: int) -> Answer | None:
        free = self._settings()["AccountLimit"]["UnreservedConcurrentExecutions"] + (self._reserved(name) or 0)
        if free - wanted < UNRESERVED:
            return _refused("decreases account's UnreservedConcurrentExecution below its minimum value of [100].")
        if any(owner == name and count > wanted for (owner, _alias), count in self._provisioned.items()):
            return _refused("cannot be less than the function's provisioned concurrency.")
        return None

    def _serve(self, method: str, name: str, alias: str, body: bytes) -> Answer:
        aliases = [one.name for one in self._backend().list_aliases(name)]
        if method == "PUT":
            wanted = json.loads(body)["ProvisionedConcurrentExecutions"]
            limit = self._reserved(name)
            if alias not in aliases:
                return _refused(f"Provisioned Concurrency Configs cannot be applied to {alias}.")
            if limit is not None and wanted > limit:
                return _refused("cannot be more than the function's reserved concurrency.")
            self._provisioned[name, alias] = wanted
            self._in_progress[name, alias] = LOOKS
        elif method == "DELETE":
            self._provisioned.pop((name, alias), None)
            return 204, {}
        count = self._provisioned.get((name, alias)) if alias in aliases else None
        if count is None:
            return 404, {
                "__type": "ProvisionedConcurrencyConfigNotFoundException",
                "Message": f"No Provisioned Concurrency Config found for this function {name}",
            }
        return 202 if method == "PUT" else 200, {
            "RequestedProvisionedConcurrentExecutions": count,
            "LastModified": "2026-11-25T12:00:00+0000",
            **self._state((name, alias), count, asked=method == "GET"),
        }

    def _state(self, of: tuple[str, str], count: int, *, asked: bool) -> dict[str, Any]:
        status, there = ("FAILED", 0) if self.failure else ("READY", count)
        if left := self._in_progress.get(of, 0):
            status, there = "IN_PROGRESS", 0
            self._in_progress[of] = left - asked
        return {
            "AvailableProvisionedConcurrentExecutions": there,
            "AllocatedProvisionedConcurrentExecutions": there,
            "Status": status,
            **({"StatusReason": self.failure} if status == "FAILED" else {}),
        }


def _refused(message: str) -> Answer:
    return 400, {"__type": "InvalidParameterValueException", "Message": message}
