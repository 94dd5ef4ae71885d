"""Reads [limits] of fastmcp.toml: how often each client may call, and how long a call may take."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from homeport_runtime.loading.manifest_data import LimitsData

SPANS = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0}
# The most calls of a rate: the times of so many are kept for each client.
MAX_CALLS = 10_000

# A number of calls, and the seconds that they are for.
Rate = tuple[int, float]


@dataclass(frozen=True, slots=True)
class ToolLimit:
    """Limits one tool: how often it may be called, and how many seconds a call may take."""

    rate: Rate | None = None
    timeout_s: float | None = None


@dataclass(frozen=True, slots=True)
class ClassRates:
    """Holds the rates of tools that read, and of tools that write."""

    read: Rate | None = None
    write: Rate | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """Holds [limits]; `tools` and `clients` have what is different for one of them.

    `lines` tells where each tool is written, such as `fastmcp.toml:12`.
    """

    read: Rate | None = None
    write: Rate | None = None
    timeout_s: float | None = None
    tools: Mapping[str, ToolLimit] = field(default_factory=dict)
    clients: Mapping[str, ClassRates] = field(default_factory=dict)
    lines: Mapping[str, str] = field(default_factory=dict, compare=False)

    def data(self) -> LimitsData:
        data = {key: value for key, value in asdict(self).items() if key != "lines"}
        return cast("LimitsData", data)


def rate(value: object) -> Rate:
    match = re.fullmatch(r"(\d{1,5})/(second|minute|hour|day)", value, re.ASCII) if isinstance(value, str) else None
    if match is None or not 1 <= int(match[1]) <= MAX_CALLS:
        raise ValueError(f'must be a rate such as "100/minute": 1 to {MAX_CALLS} per second, minute, hour or day')
    return int(match[1]), SPANS[match[2]]


def timeout(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.1 <= value <= 86400:
        raise ValueError("must be a number of seconds from 0.1 to 86400")
    return float(value)


def tool_limit(value: object) -> ToolLimit:
    """Reads a rate, or a table with `rate` and `timeout_s`."""
    if isinstance(value, str):
        return ToolLimit(rate(value))
    return ToolLimit(**_table(value, {"rate": rate, "timeout_s": timeout}))


def client_rates(value: object) -> ClassRates:
    return ClassRates(**_table(value, {"read": rate, "write": rate}))


def _table(value: object, readers: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(value, dict) or not value or not value.keys() <= readers.keys():
        raise ValueError(f"must be a table with {' and '.join(readers)}")
    found = {}
    for key, content in value.items():
        try:
            found[key] = readers[key](content)
        except ValueError as error:
            raise ValueError(f'has "{key}", which {error}') from None
    return found
