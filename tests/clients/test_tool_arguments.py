from __future__ import annotations

from typing import Any

import pytest

from platform_cli.clients.tool_arguments import split_pairs, type_names, typed_arguments
from platform_cli.errors import InputError


def typed(schema: dict[str, Any], text: str, **root: Any) -> Any:
    tool = {"name": "t", "inputSchema": {"type": "object", "properties": {"x": schema}, **root}}
    return typed_arguments(tool, {"x": text})["x"]


STRING_OR_NULL = {"anyOf": [{"type": "string"}, {"type": "null"}]}
KIND = {"$ref": "#/$defs/Kind"}


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        ({"type": "string"}, "7", "7"),
        ({"type": "string"}, '"7"', '"7"'),
        ({"type": "string"}, "", ""),
        ({"type": "integer"}, "7", 7),
        ({"type": "integer"}, "7.0", 7.0),
        ({"type": "number"}, "-1.5e3", -1500.0),
        ({"type": "boolean"}, "true", True),
        ({"type": "null"}, "null", None),
        ({"type": "array", "items": {"type": "string"}}, '["a"]', ["a"]),
        ({"type": "object"}, '{"a": 1}', {"a": 1}),
        (STRING_OR_NULL, "null", None),
        (STRING_OR_NULL, "7", "7"),
        (STRING_OR_NULL, "nul", "nul"),
        ({"type": ["integer", "string"]}, "7", 7),
        ({"type": ["integer", "string"]}, "7a", "7a"),
        ({"enum": ["a", "b"]}, "a", "a"),
        ({"enum": [1, 2]}, "1", 1),
        ({"const": "on"}, "on", "on"),
        (KIND, "1", "1"),
        ({"allOf": [KIND], "default": "x"}, "1", "1"),
        ({}, "7", 7),
        ({}, "seven", "seven"),
        (True, "7", 7),
        ({"$ref": "https://example.com/schema"}, "7", 7),
    ],
)
def test_values_get_the_type_of_the_schema(schema: dict[str, Any], text: str, value: object) -> None:
    found = typed(schema, text, **{"$defs": {"Kind": {"type": "string", "enum": ["1", "2"]}}})
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("schema", "text", "said"),
    [
        ({"type": "integer"}, "1.5", "integer"),
        ({"type": "integer"}, "true", "integer"),
        ({"type": "number"}, '"1"', "number"),
        ({"type": "boolean"}, "True", "boolean"),
        ({"type": "array"}, "a,b", "array"),
        ({"type": ["integer", "null"]}, "x", "integer or null"),
        ({"enum": [1, 2]}, "one", "integer"),
        # No JSON value, more than a number of JSON can be, and nested too deeply.
        ({"type": "number"}, "NaN", "number"),
        ({"type": "number"}, "-1e999", "number"),
        ({"type": "array"}, "[" * 100_000, "array"),
    ],
)
def test_values_of_another_type_are_refused(schema: dict[str, Any], text: str, said: str) -> None:
    with pytest.raises(InputError, match=f"the value must be of type {said}$"):
        typed(schema, text)


def test_a_schema_that_refers_to_itself_ends() -> None:
    root = {"$defs": {"Tree": {"anyOf": [{"type": "integer"}, {"$ref": "#/$defs/Tree"}]}}}
    assert type_names({"$ref": "#/$defs/Tree"}, root) == ("integer",)


@pytest.mark.parametrize("more", [{"additionalProperties": True}, {"patternProperties": {".*": {}}}])
def test_an_open_schema_takes_any_argument(more: dict[str, Any]) -> None:
    tool = {"name": "t", "inputSchema": {"type": "object", **more}}
    assert typed_arguments(tool, {"any": "1"}) == {"any": 1}


def test_a_tool_without_arguments_says_so() -> None:
    with pytest.raises(InputError, match="t has no argument 'x'") as caught:
        typed_arguments({"name": "t", "inputSchema": {"type": "object"}}, {"x": "1"})
    assert caught.value.hint == "it has no arguments"


def test_pairs() -> None:
    assert split_pairs(["a=1", "b=x=y", "c="]) == {"a": "1", "b": "x=y", "c": ""}
    for words in (["a"], ["=1"], ["a=1", "a=1"]):
        with pytest.raises(InputError):
            split_pairs(words)
