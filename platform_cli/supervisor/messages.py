"""Checks the messages of a worker's control channel before anybody acts on them, since the server's code can write
there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from homeport_runtime.libraries.gaps import Gap
from homeport_runtime.libraries.tried import Untried

# The longest message, in bytes: an inspection's answer contains everything that a server offers.
MAX_MESSAGE = 16 * 1024 * 1024
# The most values of a message, which decide how long decoding takes; a posted message of 4 MiB is one value.
MAX_VALUES = 500_000
# The deepest nesting of lists and objects: JSON Schemas of tools have a dozen levels.
MAX_DEPTH = 100
MAX_NUMBER = 2**53


@dataclass(frozen=True, slots=True)
class Idle:
    """Reports that there was no request for `idle_s` seconds."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """Reports that the worker takes no new connections any more."""


@dataclass(frozen=True, slots=True)
class Load:
    """Reports how many requests are `open`."""

    open: int


@dataclass(frozen=True, slots=True)
class Used:
    """Reports the hashes of the client tokens that callers have shown since the last report."""

    tokens: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """Reports that a caller who has signed in was refused: for want of a scope, by its `grant` (platform_cli.signin),
    or since the key of its token is unknown (None).
    """

    grant: str | None


@dataclass(frozen=True, slots=True)
class Admitted:
    """Says that the worker lets in whom it was told last, and nobody else."""


@dataclass(frozen=True, slots=True)
class Relay:
    """Asks, under a `number`, for the worker with the session of a message that was posted
    (homeport_runtime.relay.workers).
    """

    number: int
    query: str
    headers: tuple[tuple[str, str], ...]
    body: str


@dataclass(frozen=True, slots=True)
class Relayed:
    """Answers the request `number`: whether the message was taken."""

    number: int
    taken: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """Answers an order: `ready`, `accepting`, `inspected` or `failed`, with what belongs to it."""

    event: str
    fields: Mapping[str, Any]


Message = Idle | Stopped | Load | Used | Admitted | Refused | Relay | Relayed | Answer


def read_message(line: bytes) -> Message | None:
    """Returns the message in a line, None if no worker would write it."""
    if line.count(b",") + line.count(b"[") + line.count(b"{") > MAX_VALUES:
        return None
    try:
        fields = json.loads(line)
        read = _READERS.get(fields["event"])
        return read(fields) if read is not None else None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _relay(fields: Mapping[str, Any]) -> Relay:
    headers = tuple((text(name), text(value)) for name, value in fields["headers"])
    return Relay(_number(fields["number"]), text(fields["query"]), headers, text(fields["body"]))


def _relayed(fields: Mapping[str, Any]) -> Relayed:
    return Relayed(_number(fields["number"]), fields["taken"] is True)


def _failed(fields: Mapping[str, Any]) -> Answer:
    said = {key: text(fields[key]) if fields.get(key) is not None else None for key in ("hint", "trace")}
    return Answer("failed", {"message": text(fields["message"]), **said})


def _inspected(fields: Mapping[str, Any]) -> Answer:
    """Checks the outline of an inspection's answer; the contract's content is the server's, and is read as such."""
    # A server that its program ran has no name.
    for said in (fields["kind"], fields["object"] or "", fields.get("chosen", ""), *_list(fields["modules"])):
        text(said)
    for package in _list(fields["packages"]):
        text(package["package"])
        _check_seconds(package["seconds"])
    _check_seconds(fields["seconds"])
    _check_libraries(fields.get("libraries", {}))
    if not all(isinstance(fields.get(key), dict | None) for key in ("contract", "discovery")):
        raise TypeError("no contract")
    _check_depth(fields)
    return Answer("inspected", fields)


def _check_libraries(said: Mapping[str, Any]) -> None:
    """Checks the report about libraries, which runtimes of older versions do not have."""
    for each in _list(said.get("untried", [])):
        Untried(text(each["library"]), text(each["version"]))
    for each in _list(said.get("gaps", [])):
        Gap(text(each["library"]), text(each["part"]), text(each["effect"]))


_READERS: Mapping[str, Callable[[Mapping[str, Any]], Message]] = {
    "idle": lambda _fields: Idle(),
    "stopped": lambda _fields: Stopped(),
    "load": lambda fields: Load(_number(fields["open"])),
    "used": lambda fields: Used(tuple(map(text, _list(fields["tokens"])))),
    "refused": lambda fields: Refused(text(fields["grant"]) if fields["grant"] is not None else None),
    "admitted": lambda _fields: Admitted(),
    "relay": _relay,
    "relayed": _relayed,
    "ready": lambda _fields: Answer("ready", {}),
    "accepting": lambda _fields: Answer("accepting", {}),
    "failed": _failed,
    "inspected": _inspected,
}


def text(value: object) -> str:
    """Returns `value` if it is a text that can be written.

    Raises TypeError if it is no text, and ValueError if it cannot be encoded.
    """
    if not isinstance(value, str):
        raise TypeError("no text")
    # Half of a surrogate pair cannot be encoded.
    value.encode()
    return value


def _number(value: object) -> int:
    if type(value) is not int or not 0 <= value <= MAX_NUMBER:
        raise TypeError("no number")
    return value


def _check_seconds(value: object) -> None:
    if not isinstance(value, int | float) or not 0 <= value <= MAX_NUMBER:
        raise TypeError("no seconds")


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("no list")
    return value


def _check_depth(value: object) -> None:
    """Raises ValueError for deep nesting, since what a server offers is processed by recursion."""
    level: list[object] = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for each in level
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return
    raise ValueError("nested too deeply")
