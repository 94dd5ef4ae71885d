from __future__ import annotations

from typing import Any

import pytest

from platform_cli.errors import InspectError
from platform_cli.findings.offers import check_offers, check_still_offers, find_failed_lists, offer_lines

NOTHING: dict[str, Any] = {"tools": [], "prompts": [], "resources": [], "resourceTemplates": []}
PROBLEM = {"method": "resources/list", "message": "ValueError: DB_USER is missing"}


@pytest.mark.parametrize(
    "contract",
    [
        {**NOTHING, "tools": [{"name": "add"}]},
        {**NOTHING, "resourceTemplates": [{"uriTemplate": "a://{b}"}]},
        {**NOTHING, "guarded": True},
        {**NOTHING, "problems": [PROBLEM]},
    ],
)
def test_what_offers_something_or_cannot_be_asked(contract: dict[str, Any]) -> None:
    check_offers(contract)


@pytest.mark.parametrize("contract", [NOTHING, None])
def test_nothing_is_no_success(contract: dict[str, Any] | None) -> None:
    with pytest.raises(InspectError) as caught:
        check_offers(contract)
    assert "--allow-empty" in (caught.value.hint or "")


def test_a_push_may_not_end_all_that_is_offered() -> None:
    tools = {**NOTHING, "tools": [{"name": "add"}]}
    check_still_offers(tools, None)
    check_still_offers(NOTHING, None)
    check_still_offers(NOTHING, NOTHING)
    with pytest.raises(InspectError):
        check_still_offers(NOTHING, tools)


def test_a_list_that_failed_is_told_with_its_reason() -> None:
    (finding,) = find_failed_lists({**NOTHING, "problems": [PROBLEM]})
    assert finding.text == "resources/list failed: ValueError: DB_USER is missing"
    assert "--env" in finding.hint
    assert "set-secret" in finding.hint


def test_what_people_see_of_the_tools() -> None:
    url = "http://127.0.0.1:8700"
    tools = [{"name": "add"}, {"name": "sub"}]
    assert offer_lines({**NOTHING, "tools": tools}, url) == ["tools: add, sub"]
    many = [{"name": f"t{number}"} for number in range(30)]
    assert offer_lines({**NOTHING, "tools": many}, url)[0].endswith(", t22, t23, and 6 more")
    assert offer_lines(NOTHING, url) == ["tools: none listed"]
    assert offer_lines({**NOTHING, "guarded": True}, url) == ["tools: behind the server's own sign-in"]
    assert offer_lines({**NOTHING, "tools": tools, "guarded": True}, url) == [
        "tools: add, sub, behind the server's own sign-in"
    ]
    endpoints = [{"path": "/echo/mcp", "name": "echo", "tools": ["say"]}, {"path": "/m/mcp", "name": "m", "tools": []}]
    assert offer_lines({**NOTHING, "tools": tools, "endpoints": endpoints}, url) == [
        "echo: http://127.0.0.1:8700/echo/mcp  tools: say",
        "m: http://127.0.0.1:8700/m/mcp  tools: none listed",
    ]
