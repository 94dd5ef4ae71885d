from __future__ import annotations

import json
from typing import Any

import pytest

from platform_cli.playground.form import Field, form_of
from platform_cli.playground.values import Filled, Typed, fill

HOSTILE = '"><script>alert(1)</script>{{ 7*7 }}'


def only(schema: dict[str, Any], *, required: bool = False, defs: dict[str, Any] | None = None) -> Field:
    """Returns the field of an object's only property."""
    root = {"type": "object", "properties": {"x": schema}, "required": ["x"] if required else []}
    (field,) = form_of({**root, "$defs": defs or {}}).fields
    return field


def filled(schema: dict[str, Any], text: str, mode: Any = "absent", **more: Any) -> Filled:
    return fill([only(schema, **more)], {"x": Typed(text, mode)})


@pytest.mark.parametrize(
    ("schema", "kind", "is_nullable"),
    [
        ({"type": "string"}, "string", False),
        ({"type": ["integer", "null"]}, "integer", True),
        ({"anyOf": [{"type": "number"}, {"type": "null"}]}, "number", True),
        ({"type": "boolean"}, "boolean", False),
        ({"enum": ["a", 1, None]}, "choice", False),
        ({"const": "only"}, "choice", False),
        ({"oneOf": [{"const": "a", "title": "A"}, {"const": "b"}]}, "choice", False),
        ({"type": "array", "items": {"type": "integer"}}, "lines", False),
        ({"type": "array", "items": {"enum": ["a", "b"]}}, "lines", False),
        ({"type": "array"}, "json", False),
        ({"type": "array", "items": {"type": "object"}}, "json", False),
        ({"type": "object"}, "json", False),
        ({"type": ["integer", "string"]}, "json", False),
        ({"anyOf": [{"type": "number"}, {"type": "string"}]}, "json", False),
        ({}, "json", False),
        (True, "json", False),
        ({"type": "unheard of"}, "json", False),
    ],
)
def test_kinds(schema: dict[str, Any], kind: str, is_nullable: bool) -> None:
    field = only(schema)
    assert (field.kind, field.is_nullable) == (kind, is_nullable)


def test_references_are_followed_to_a_limit() -> None:
    kinds = {"Kind": {"enum": ["a", "b"], "description": "of which kind"}, "Loop": {"$ref": "#/$defs/Loop"}}
    chain = {f"R{number}": {"$ref": f"#/$defs/R{number + 1}"} for number in range(20)}
    defs = {**kinds, **chain, "R20": {"type": "string"}, "a/b": {"type": "string"}}
    assert only({"$ref": "#/$defs/Kind"}, defs=defs).kind == "choice"
    assert only({"anyOf": [{"$ref": "#/$defs/Kind"}, {"type": "null"}]}, defs=defs).is_nullable
    assert only({"$ref": "#/$defs/Kind"}, defs=defs).description == "of which kind"
    for reference in ("#/$defs/Loop", "#/$defs/R0", "#/$defs/Missing", "https://example.com/schema", "#"):
        assert only({"$ref": reference}, defs=defs).kind == "json"

    assert only({"$ref": "#/$defs/R15"}, defs=defs).kind == "string"
    assert only({"$ref": "#/$defs/a~1b"}, defs=defs).kind == "string"


def test_an_array_of_its_own_kind_is_typed_as_json() -> None:
    tree = {"type": "array", "items": {"$ref": "#/$defs/Tree"}}
    assert only({"$ref": "#/$defs/Tree"}, defs={"Tree": tree}).kind == "json"


@pytest.mark.parametrize(
    "schema",
    [
        {"anyOf": [{"type": "object", "properties": {"a": {}}}, {"type": "object", "properties": {"b": {}}}]},
        {"$ref": "#"},
        {"type": "object", "properties": ["a"], "required": 7},
        None,
        True,
        "string",
        {"type": "object"},
    ],
)
def test_what_has_no_properties_has_no_fields(schema: object) -> None:
    assert form_of(schema).fields == ()


def test_root_that_takes_more_than_its_properties_says_so() -> None:
    assert form_of({"properties": {"a": {}}}).is_whole
    assert not form_of({"properties": {"a": {}}, "anyOf": [{"required": ["a"]}, {"required": ["b"]}]}).is_whole
    many = form_of({"properties": {str(number): {} for number in range(5000)}})
    assert (len(many.fields), many.is_whole) == (200, False)


def test_optional_and_untouched_is_absent() -> None:
    schema = {
        "properties": {
            "text": {"type": "string", "default": "x"},
            "number": {"type": "integer", "default": 3},
            "flag": {"type": "boolean", "default": False},
            "tags": {"type": "array", "items": {"type": "string"}},
            "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
            "more": {"type": "object"},
        }
    }
    form = form_of(schema)
    assert fill(form.fields, {}).json == "{}"
    assert fill(form.fields, {"note": Typed(mode="null")}).json == '{\n  "note": null\n}'
    assert fill(form.fields, {"note": Typed(mode="value")}).json == '{\n  "note": ""\n}'
    assert [field.default for field in form.fields] == ['"x"', "3", "false", None, "null", None]


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        ({"type": "string"}, " 7 ", '" 7 "'),
        ({"type": "integer"}, "9007199254740993", "9007199254740993"),
        ({"type": "integer"}, " -007 ", "-7"),
        ({"type": "number"}, "123456789012345678901234567890", "123456789012345678901234567890"),
        ({"type": "number"}, "2.50", "2.5"),
        ({"type": "boolean"}, "true", "true"),
        ({"enum": [HOSTILE, 2]}, "0", json.dumps(HOSTILE)),
        ({"enum": [HOSTILE, 2]}, "1", "2"),
        ({"type": "array", "items": {"type": "string"}}, "a\n\n b\n", '["a"," b"]'),
        ({"type": "array", "items": {"type": "integer"}}, "1\n9007199254740993", "[1,9007199254740993]"),
        ({"type": "array", "items": {"enum": ["a", "b"]}}, "b\na", '["b","a"]'),
        ({"type": "object"}, '{"a": [9007199254740993]}', '{"a":[9007199254740993]}'),
    ],
)
def test_values(schema: dict[str, Any], text: str, value: str) -> None:
    done = filled(schema, text)
    assert done.errors == {}
    assert json.dumps(json.loads(done.json)["x"], separators=(",", ":")) == value


@pytest.mark.parametrize(
    ("schema", "text", "said"),
    [
        ({"type": "integer"}, "2.5", "2.5 is not a whole number"),
        ({"type": "integer"}, "٣", "is not a whole number"),
        ({"type": "integer"}, "9" * 5000, "has more digits than servers read"),
        ({"type": "number"}, "1e400", "1e400 is more than a number"),
        ({"type": "number"}, "NaN", "NaN is not a number"),
        ({"type": "boolean"}, "yes", "yes is not true or false"),
        ({"enum": ["a"]}, "1", "is none of the choices"),
        ({"type": "array", "items": {"enum": ["a"]}}, "b", "is none of a"),
        ({"type": "array", "items": {"type": "number"}}, "1\nx", "x is not a number"),
        ({"type": "object"}, "{", "this is not JSON"),
        ({"type": "object"}, '{"a": -1e999}', "is more than a number"),
    ],
)
def test_errors_are_at_the_field(schema: dict[str, Any], text: str, said: str) -> None:
    done = filled(schema, text)
    assert said in done.errors["x"]
    assert done.json == "{}"


def test_what_is_required_and_empty_is_said() -> None:
    assert filled({"type": "string"}, "", required=True).errors == {"x": "this is required"}
    assert filled({"type": "string"}, "", mode="value", required=True).json == '{\n  "x": ""\n}'
    assert filled({"type": ["string", "null"]}, "", mode="null", required=True).json == '{\n  "x": null\n}'
