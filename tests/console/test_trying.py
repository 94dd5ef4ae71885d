"""Tests the page Try without a browser: forms of any contract, and what is typed into them."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest

from .conftest import HOSTILE, Browser, Shelf
from .test_app import assert_inert

TOOL = {
    "name": "order",
    "inputSchema": {
        "properties": {
            "count": {"type": "integer"},
            "note": {"type": ["string", "null"]},
            "size": {"enum": ["s", "l"]},
        },
        "required": ["count"],
    },
}


def post(browser: Browser, path: str, body: object) -> httpx2.Response:
    headers = {"authorization": f"Bearer {browser.key}"}
    return browser.http.post(f"/console/f/projects/shop/try/{path}", json=body, headers=headers)


def typed(*texts: str | tuple[str, str]) -> list[dict[str, str]]:
    return [
        {"text": each, "mode": "absent"} if isinstance(each, str) else {"text": each[0], "mode": each[1]}
        for each in texts
    ]


def test_a_form_and_the_json_that_it_makes(browser: Browser, shelf: Shelf) -> None:
    shelf.offered = {"tools": [TOOL]}
    page = browser.page("/projects/shop/try").text
    assert page.count("data-field") == 3
    body = {"kind": "tool", "key": "order", "typed": typed("9007199254740993", ("", "null"), "1")}
    said = post(browser, "params", body).json()
    assert said["errors"] == [None, None, None]
    arguments = {"count": 9007199254740993, "note": None, "size": "l"}
    assert json.loads(said["json"]) == {"name": "order", "arguments": arguments}
    untouched = post(browser, "params", {**body, "typed": typed("", "", "")}).json()
    assert untouched["errors"] == ["this is required", None, None]
    assert json.loads(untouched["json"]) == {"name": "order", "arguments": {}}


@pytest.mark.parametrize("text", HOSTILE)
def test_a_strangers_contract_is_inert(browser: Browser, shelf: Shelf, text: str) -> None:
    schema: dict[str, Any] = {
        "properties": {
            text: {"type": "string", "description": text, "default": text},
            "enum": {"enum": [text], "default": text},
            "any": {"anyOf": [{"const": text}, {"type": text}], "default": [text]},
        }
    }
    tools = [{"name": "hostile", "description": text, "inputSchema": schema}, {"name": text, "title": text}]
    shelf.offered = {"tools": tools, "prompts": [{"name": "p", "arguments": [{"name": text, "description": text}]}]}
    shelf.offered["resourceTemplates"] = [{"uriTemplate": f"a://{{{text}}}", "title": text}]
    for path in ("", "?kind=prompt&key=p"):
        answer = browser.page(f"/projects/shop/try{path}")
        assert answer.status_code == 200, answer.text
        assert_inert(answer.text, path)
    form = post(browser, "form", {"asked": json.dumps(schema)})
    assert_inert(form.text, "form")
    chosen = {"kind": "tool", "key": "hostile"}
    filled = post(browser, "params", {**chosen, "typed": typed("", "0", "")}).json()
    assert json.loads(filled["json"])["arguments"] == {"enum": text}
    copied = post(browser, "snippets", {**chosen, "params": filled["json"]})
    assert copied.status_code == 200
    for live in ("<script", "<img", "<b "):
        assert live not in copied.text


@pytest.mark.parametrize("path", ["params", "snippets", "form", "content"])
def test_everything_takes_a_key_and_no_nonsense(browser: Browser, path: str) -> None:
    assert browser.http.post(f"/console/f/projects/shop/try/{path}", json={}).status_code == 401
    nonsense: list[object] = [{}, [], {"kind": "tool", "key": "gone", "typed": [], "params": "{}", "asked": "["}]
    for body in nonsense:
        assert post(browser, path, body).status_code in (404, 409)


def test_what_an_elicitation_asks_for(browser: Browser) -> None:
    asked = json.dumps({"properties": {"size": {"oneOf": [{"const": "s", "title": "Small"}]}}, "required": ["size"]})
    assert "Small" in post(browser, "form", {"asked": asked}).text
    assert json.loads(post(browser, "content", {"asked": asked, "typed": typed("0")}).json()["json"]) == {"size": "s"}


def test_a_project_that_offers_nothing(browser: Browser) -> None:
    assert "There is nothing to try" in browser.page("/projects/shop/try").text
    assert browser.page("/projects/shop/try?kind=tool&key=gone").status_code == 404
