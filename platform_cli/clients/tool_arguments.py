"""Converts what was typed after `homeport call NAME TOOL` into the tool's arguments, typed by its input schema."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from ..errors import InputError
from .exact import read_value, shortened

# The types of https://json-schema.org/draft/2020-12/json-schema-core#section-4.2.1, as Python's json reads them.
_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}
_EXAMPLES = {"integer": "3", "number": "2.5", "boolean": "true", "array": '["a","b"]', "object": '{"key":"value"}'}


def split_pairs(words: Sequence[str]) -> dict[str, str]:
    """Returns `key=value` words as a dict.

    Raises InputError for a word without `=` and for a key given twice.
    """
    given: dict[str, str] = {}
    for word in words:
        key, separator, value = word.partition("=")
        if not separator or not key:
            raise InputError(f"{word!r} is not an argument for a tool", hint="arguments are key=value")
        if key in given:
            raise InputError(f"the argument {key!r} is given twice")
        given[key] = value
    return given


def find_tool(tools: Sequence[Mapping[str, Any]], name: str) -> Mapping[str, Any]:
    """Returns the tool of that name.

    Raises InputError, which names the nearest one, if there is none.
    """
    by_name = {tool["name"]: tool for tool in tools}
    if name in by_name:
        return by_name[name]
    raise InputError(f"there is no tool {name!r}", hint=nearest(name, by_name) or _one_of(by_name, "tools"))


def typed_arguments(tool: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, Any]:
    """Returns the arguments for `tool`: a value stays text where the schema takes a string, else it is read as JSON.

    Raises InputError for an argument that the tool does not have, a required one that is missing, and a value of
    another type than the schema's.
    """
    schema = tool.get("inputSchema", {})
    properties: Mapping[str, Any] = schema.get("properties", {})
    is_open = bool(schema.get("additionalProperties")) or "patternProperties" in schema
    for key in given:
        if key not in properties and not is_open:
            raise InputError(
                f"{tool['name']} has no argument {key!r}",
                hint=nearest(key, properties) or _one_of(properties, "arguments"),
            )
    missing = [key for key in schema.get("required", ()) if key not in given]
    if missing:
        plural = "s" if len(missing) > 1 else ""
        raise InputError(
            f"{tool['name']} needs the argument{plural} {', '.join(missing)}",
            hint="for example " + " ".join(f"{key}={_example(schema, properties.get(key, {}))}" for key in missing),
        )
    return {key: _typed(key, text, properties.get(key, {}), schema) for key, text in given.items()}


def type_names(schema: Mapping[str, Any], root: Mapping[str, Any]) -> tuple[str, ...]:
    """Returns the JSON types that a property takes, in the schema's order; none when it takes anything."""
    return tuple(dict.fromkeys(_types(schema, root, depth=0)))


def nearest(name: str, known: Collection[str]) -> str | None:
    found = get_close_matches(name, known, n=1)
    return f"did you mean {found[0]!r}?" if found else None


def _one_of(known: Collection[str], what: str) -> str:
    return f"its {what}: {', '.join(known)}" if known else f"it has no {what}"


def _types(schema: object, root: Mapping[str, Any], depth: int) -> Iterator[str]:
    # A schema may refer to itself.
    if not isinstance(schema, Mapping) or depth > 8:
        return
    reference = schema.get("$ref")
    if isinstance(reference, str):
        yield from _types(_resolve(reference, root), root, depth + 1)
    named = schema.get("type", ())
    yield from [named] if isinstance(named, str) else named
    values = [*schema.get("enum", ()), *([schema["const"]] if "const" in schema else [])]
    if not named:
        yield from (_type_of(value) for value in values)
    for group in ("anyOf", "oneOf", "allOf"):
        for member in schema.get(group, ()):
            yield from _types(member, root, depth + 1)


def _resolve(reference: str, root: Mapping[str, Any]) -> object:
    """Returns the part of the schema that a local reference (`#/$defs/Kind`) points to; None for
    any other reference.
    """
    found: object = root
    for part in reference.removeprefix("#").strip("/").split("/"):
        found = found.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(found, Mapping) else None
    return found


def _typed(key: str, text: str, schema: Mapping[str, Any], root: Mapping[str, Any]) -> Any:
    names = type_names(schema, root)
    if names == ("string",):
        return text
    try:
        value = read_value(text)
    except InputError:
        value = text
    if not names or any(_is(value, name) for name in names):
        return value
    if "string" in names:
        return text
    kind = " or ".join(names)
    raise InputError(
        f"{key}={shortened(text)}: the value must be of type {kind}", hint=f"for example {key}={_example(root, schema)}"
    )


def _is(value: object, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    # 3.0 is an integer: https://json-schema.org/draft/2020-12/json-schema-validation#section-6.1.1
    if name == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _PYTHON_TYPES.get(name, ()))


def _type_of(value: object) -> str:
    return next(
        name for name in ("boolean", "integer", "number", "string", "array", "object", "null") if _is(value, name)
    )


def _example(root: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    names = type_names(schema, root)
    return _EXAMPLES.get(names[0], "...") if names else "..."
