"""Makes the fields of a form from a JSON schema, which is a stranger's: it may refer to itself, or be anything.

https://json-schema.org/draft/2020-12/json-schema-core; what elicitations may ask for is a part of it
(https://modelcontextprotocol.io/specification/2025-11-25/client/elicitation)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..clients.exact import write_value

# How many references in a row are followed, and how many fields a form has at most.
MAX_DEPTH, MAX_FIELDS = 8, 200
# The characters of a schema that are shown beside a field.
MAX_SCHEMA = 4000
SCALARS = ("string", "integer", "number", "boolean")

Kind = Literal["string", "integer", "number", "boolean", "choice", "lines", "json"]
Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Choice:
    """Is one of the values that a field may have, as JSON, with what it is called."""

    value: str
    label: str


@dataclass(frozen=True, slots=True)
class Field:
    """Is one property of an object.

    A `choice` has `choices`, `lines` take one value of the kind `item` each, and `json` is typed as JSON by `schema`.
    `default` is what the server takes where nothing is sent, as JSON, None if it does not say.
    """

    name: str
    kind: Kind
    is_required: bool
    is_nullable: bool
    description: str = ""
    choices: tuple[Choice, ...] = ()
    item: Kind = "string"
    default: str | None = None
    schema: str = ""


@dataclass(frozen=True, slots=True)
class Form:
    """Is what can be typed by fields; with `is_whole` there are other arguments, too, which take JSON."""

    fields: tuple[Field, ...]
    is_whole: bool


def form_of(schema: object) -> Form:
    """Returns the form of a schema, which has no fields where that is not an object's with properties."""
    root = schema if isinstance(schema, Mapping) else {}
    found, _ = _resolved(root, root)
    found = found if found is not None else {}
    properties = found.get("properties")
    properties = properties if isinstance(properties, Mapping) else {}
    required = found.get("required")
    required = required if isinstance(required, Sequence) and not isinstance(required, str) else ()
    fields = tuple(
        _field(str(name), each, root, name in required) for name, each in list(properties.items())[:MAX_FIELDS]
    )
    is_open = any(found.get(key) for key in ("anyOf", "oneOf", "allOf", "patternProperties", "additionalProperties"))
    return Form(fields, is_whole=not is_open and len(properties) <= MAX_FIELDS)


def _field(name: str, schema: object, root: Schema, is_required: bool) -> Field:
    found, is_nullable = _resolved(schema, root)
    outer: Schema = schema if isinstance(schema, Mapping) else {}
    kind, choices, item = _kind(found, root)
    # Titles are the names again, as the SDKs make them.
    described = outer.get("description") or (found or {}).get("description") or ""
    default = outer["default"] if "default" in outer else (found or {}).get("default")
    has_default = "default" in outer or "default" in (found or {})
    return Field(
        name,
        kind,
        is_required,
        is_nullable,
        str(described),
        choices,
        item,
        write_value(default) if has_default else None,
        write_value(schema, indent=2)[:MAX_SCHEMA] if kind == "json" else "",
    )


def _kind(schema: Schema | None, root: Schema) -> tuple[Kind, tuple[Choice, ...], Kind]:
    """Returns the kind of a field, its choices, and the kind of its lines."""
    if schema is None:
        return "json", (), "string"
    if choices := _choices(schema):
        return "choice", choices, "string"
    named = schema.get("type")
    if named in SCALARS:
        return named, (), "string"
    if named == "array" and "prefixItems" not in schema:
        return _lines(schema.get("items"), root)
    return "json", (), "string"


def _lines(items: object, root: Schema) -> tuple[Kind, tuple[Choice, ...], Kind]:
    """Returns the kind of an array's field by the schema of its items, which may be the array's own again."""
    found, is_nullable = _resolved(items, root)
    if found is not None and not is_nullable:
        choices = _choices(found)
        if choices and all(each.value.startswith('"') for each in choices):
            return "lines", choices, "string"
        if not choices and (named := found.get("type")) in SCALARS:
            return "lines", (), named
    return "json", (), "string"


def _choices(schema: Schema) -> tuple[Choice, ...]:
    """Returns the values of an enum, a const, or of alternatives that are a const each; none for other schemas."""
    if "const" in schema:
        return (Choice(write_value(schema["const"]), _label(schema["const"])),)
    values, names = schema.get("enum"), schema.get("enumNames")
    if isinstance(values, list) and values:
        labels = names if isinstance(names, list) and len(names) == len(values) else values
        return tuple(Choice(write_value(value), _label(label)) for value, label in zip(values, labels, strict=True))
    for group in ("oneOf", "anyOf"):
        members = schema.get(group)
        if (
            isinstance(members, list)
            and members
            and all(isinstance(each, dict) and "const" in each for each in members)
        ):
            return tuple(
                Choice(write_value(each["const"]), _label(each.get("title", each["const"]))) for each in members
            )
    return ()


def _resolved(schema: object, root: Schema) -> tuple[Schema | None, bool]:
    """Returns a schema without references and without null, and whether it took null.

    The schema is None for what is none, and for a reference to itself or to nothing here.
    """
    is_nullable = False
    for _ in range(MAX_DEPTH):
        if not isinstance(schema, Mapping):
            return None, is_nullable
        if isinstance(reference := schema.get("$ref"), str):
            schema = _referred(reference, root)
            continue
        named = schema.get("type")
        if isinstance(named, list):
            rest = [each for each in named if each != "null"]
            if len(rest) != 1:
                return (None if rest else schema), is_nullable or "null" in named
            return {**schema, "type": rest[0]}, is_nullable or "null" in named
        for group in ("anyOf", "oneOf"):
            members = schema.get(group)
            if isinstance(members, list):
                rest = [each for each in members if not (isinstance(each, Mapping) and each.get("type") == "null")]
                if len(rest) == 1:
                    is_nullable = is_nullable or len(rest) < len(members)
                    outer = {key: value for key, value in schema.items() if key != group}
                    if isinstance(rest[0], Mapping) and "const" in rest[0]:
                        # Its title is what this value is called.
                        return {**outer, group: rest}, is_nullable
                    schema = {**outer, **rest[0]} if isinstance(rest[0], Mapping) else None
                    break
        else:
            return schema, is_nullable
    return None, is_nullable


def _referred(reference: str, root: Schema) -> object:
    """Returns the part of the schema that `#/$defs/Kind` points to; None for any other reference."""
    found: object = root
    if not reference.startswith("#"):
        return None
    for part in filter(None, reference[1:].split("/")):
        found = found.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(found, Mapping) else None
    return found


def _label(value: object) -> str:
    return value if isinstance(value, str) else write_value(value)
