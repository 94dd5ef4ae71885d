from __future__ import annotations

import json

import pytest

from platform_cli.playground.offers import offers_of
from platform_cli.playground.values import Typed


def test_everything_of_a_contract_is_offered() -> None:
    contract = {
        "tools": [{"name": "add", "title": "Add", "inputSchema": {"properties": {"a": {"type": "integer"}}}}],
        "prompts": [{"name": "greet", "arguments": [{"name": "who", "required": True}]}],
        "resources": [{"uri": "config://app", "name": "config"}],
        "resourceTemplates": [{"uriTemplate": "item://{id}", "name": "item"}],
    }
    offers = offers_of(contract)
    assert [(each.kind, each.key, each.method) for each in offers] == [
        ("tool", "add", "tools/call"),
        ("prompt", "greet", "prompts/get"),
        ("resource", "config://app", "resources/read"),
        ("template", "item://{id}", "resources/read"),
    ]
    params = [json.loads(each.fill([Typed("7")]).json) for each in offers]
    assert params == [
        {"name": "add", "arguments": {"a": 7}},
        {"name": "greet", "arguments": {"who": "7"}},
        {"uri": "config://app"},
        {"uri": "item://7"},
    ]
    assert offers[1].fill([]).errors == {"who": "this is required"}


@pytest.mark.parametrize(
    ("hints", "asks"),
    [
        (None, True),
        ({}, True),
        ({"readOnlyHint": True}, False),
        ({"readOnlyHint": False}, True),
        ({"destructiveHint": False}, False),
        ({"destructiveHint": True}, True),
        ("hostile", True),
    ],
)
def test_what_may_destroy_asks_first(hints: object, asks: bool) -> None:
    (offer,) = offers_of({"tools": [{"name": "x", "annotations": hints}]})
    assert offer.asks_first is asks


@pytest.mark.parametrize(
    "contract",
    [None, {}, {"tools": "x", "prompts": [7, {}], "resources": [{"uri": 1}]}, {"tools": [{"name": None}]}],
)
def test_what_a_server_should_not_say_is_passed_over(contract: dict[str, object] | None) -> None:
    assert offers_of(contract) == []


@pytest.mark.parametrize(
    ("template", "uri"),
    [
        ("a://{x}", "a://1%20%2F%C3%A9"),
        ("a://{+x}/{#y}", "a://1%20/%C3%A9/#2"),
        ("a://p{/x,y}{?x,y}", "a://p/1%20%2F%C3%A9/2?x=1%20%2F%C3%A9&y=2"),
        ("a://{x*}{&y:3}", "a://1%20%2F%C3%A9&y=2"),
        ("a://{}", "a://"),
    ],
)
def test_templates_of_uris(template: str, uri: str) -> None:
    (offer,) = offers_of({"resourceTemplates": [{"uriTemplate": template}]})
    values = {"x": "1 /é", "y": "2"}
    typed = [Typed(values[field.name]) for field in offer.form.fields]
    assert json.loads(offer.fill(typed).json) == {"uri": uri}
