"""Makes arguments of what was typed into a form, as JSON text: no number passes through a browser's own."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..clients.exact import read_value, write_value
from ..errors import InputError
from .form import Field, Kind

Mode = Literal["absent", "null", "value"]
_FORMS = {
    "integer": re.compile(r"-?\d+", re.ASCII),
    "number": re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII),
    "boolean": re.compile("true|false"),
}
_WANTED = {"integer": "a whole number", "number": "a number", "boolean": "true or false"}


@dataclass(frozen=True, slots=True)
class Typed:
    """Is what was typed into a field, the number of a choice; with the mode `absent` it is sent if there is a text."""

    text: str = ""
    mode: Mode = "absent"


@dataclass(frozen=True, slots=True)
class Filled:
    """Holds the arguments as JSON, and what is wrong with fields, by their names; those are not among the arguments."""

    json: str
    errors: Mapping[str, str]


def fill(fields: Sequence[Field], typed: Mapping[str, Typed]) -> Filled:
    """Returns the arguments of what was typed, by the names of fields; what is optional and untouched is absent."""
    arguments: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for field in fields:
        given = typed.get(field.name, Typed())
        if given.mode == "null" and field.is_nullable:
            arguments[field.name] = None
        elif given.text or given.mode == "value":
            try:
                arguments[field.name] = _value(field, given.text)
            except InputError as error:
                errors[field.name] = error.message
        elif field.is_required:
            errors[field.name] = "this is required"
    return Filled(write_value(arguments, indent=2), errors)


def _value(field: Field, text: str) -> Any:
    """Returns the value of a field. Raises InputError for a text that is none."""
    if field.kind == "choice":
        return _chosen(field, text)
    if field.kind == "lines":
        lines = [line for line in text.splitlines() if line.strip()]
        return [_one_of(field, line.strip()) if field.choices else _scalar(field.item, line) for line in lines]
    if field.kind == "json":
        return read_value(text)
    return _scalar(field.kind, text)


def _chosen(field: Field, number: str) -> Any:
    """Returns the choice of that number, since a page may not be able to show the value itself."""
    if not number.isdecimal() or int(number) >= len(field.choices):
        raise InputError("this is none of the choices")
    return json.loads(field.choices[int(number)].value)


def _one_of(field: Field, line: str) -> str:
    known = [json.loads(choice.value) for choice in field.choices]
    if line not in known:
        raise InputError(f"{_short(line)} is none of {', '.join(known)[:200]}")
    return line


def _scalar(kind: Kind, text: str) -> Any:
    if kind == "string":
        return text
    text = text.strip()
    if _FORMS[kind].fullmatch(text) is None:
        raise InputError(f"{_short(text)} is not {_WANTED[kind]}")
    # JSON has no zeros in front of a number.
    return read_value(re.sub(r"^(-?)0+(?=\d)", r"\1", text))


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}…"
