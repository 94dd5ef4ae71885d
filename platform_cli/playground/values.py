"""Makes arguments of what was typed into a form, as JSON text: no number passes through a browser's own."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..errors import InputError
from .exact import read_value
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
    """Is what was typed into a field; with the mode `absent` a field is sent if there is a text."""

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
    return Filled(json.dumps(arguments, indent=2, ensure_ascii=False), errors)


def _value(field: Field, text: str) -> Any:
    """Returns the value of a field. Raises InputError for a text that is none."""
    if field.kind == "choice":
        return _chosen(field, text)
    if field.kind == "lines":
        lines = [line for line in text.splitlines() if line.strip()]
        return [_chosen(field, _quoted(line)) if field.choices else _scalar(field.item, line) for line in lines]
    if field.kind == "json":
        return read_value(text)
    return _scalar(field.kind, text)


def _chosen(field: Field, text: str) -> Any:
    if text not in {choice.value for choice in field.choices}:
        raise InputError(f"{_short(text)} is none of {', '.join(choice.label for choice in field.choices)[:200]}")
    return json.loads(text)


def _scalar(kind: Kind, text: str) -> Any:
    if kind == "string":
        return text
    text = text.strip()
    if _FORMS[kind].fullmatch(text) is None:
        raise InputError(f"{_short(text)} is not {_WANTED[kind]}")
    # JSON has no zeros in front of a number.
    return read_value(re.sub(r"^(-?)0+(?=\d)", r"\1", text))


def _quoted(line: str) -> str:
    return json.dumps(line.strip(), ensure_ascii=False)


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}…"
