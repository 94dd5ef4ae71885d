"""Tests requests that are tried by hand, on a real platform with real servers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.e2e.probing import wait_for
from tests.support import Platform

from .conftest import Trier, text_of

BOTH = pytest.mark.parametrize("project", ["modern", "legacy"])


@BOTH
def test_request_progress_and_answer_are_told_raw(trier: Trier, project: str) -> None:
    events = trier.call(project, "steps", '{"count": 2}')
    assert [each["event"] for each in events] == ["start", "request", "progress", "progress", "answer"]
    assert [(each["progress"], each["total"], each["message"]) for each in events[2:4]] == [
        (1, 2, "step 1"),
        (2, 2, "step 2"),
    ]
    assert text_of(events) == "2 steps, None"
    assert json.loads(events[1]["body"])["params"]["arguments"] == {"count": 2}
    assert (events[-1]["status"], events[-1]["is_complete"]) == (200, True)
    assert dict(events[1]["headers"])["authorization"] == "Bearer ..."


def test_resources_prompts_and_lists_are_tried_as_well(trier: Trier) -> None:
    for method, params, expected in (
        ("resources/read", {"uri": "config://app"}, "theme = dark"),
        ("prompts/get", {"name": "greet", "arguments": {"name": "Mia"}}, "Greet Mia warmly."),
        ("resources/read", {"uri": "item://ä b"}, "item "),
        ("tools/list", {}, "forever"),
    ):
        with trier.begun("modern", method, params) as events:
            assert expected in list(events)[-1]["body"]


@pytest.mark.parametrize("number", ["9007199254740993", "-123456789012345678901234567890"])
def test_large_integers_arrive_as_they_were_typed(trier: Trier, number: str) -> None:
    events = trier.call("modern", "number", f'{{"value": {number}}}')
    assert text_of(events) == f"it is {number}"
    assert f'"value": {number}' in events[1]["body"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ('{"value": 1e400}', "1e400 is more than a number"),
        ('{"value": NaN}', "NaN is no JSON value"),
        ('{"value": }', "this is not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ('{"value": ' + "9" * 5000 + "}", "has more digits"),
    ],
)
def test_what_no_server_could_read_is_refused_before_it_is_sent(trier: Trier, arguments: str, said: str) -> None:
    body = {"method": "tools/call", "params": f'{{"name": "number", "arguments": {arguments}}}'}
    answer = trier.http.post("/v1/projects/modern/try", json=body)
    assert answer.json()["error"]["category"] == "input"
    assert said in answer.json()["error"]["message"]


@BOTH
def test_elicitation_is_answered_by_the_person(trier: Trier, project: str) -> None:
    with trier.begun(project, "tools/call", {"name": "order", "arguments": {"what": "tea"}}) as events:
        told = [next(events)]
        while told[-1]["event"] != "elicitation":
            told.append(next(events))
        asked = told[-1]
        assert asked["message"] == "Which size of tea?"
        assert asked["schema"]["properties"]["size"]["enum"] == ["small", "large"]
        replied = {"elicitation": asked["id"], "action": "accept", "content": '{"size": "large", "sugar": 2}'}
        assert trier.reply("nobody", told[0]["id"], **replied).status_code == 404
        assert trier.reply(project, told[0]["id"], **replied).status_code == 200
        assert text_of(list(events)) == "a large tea with 2 sugar"
    assert trier.reply(project, told[0]["id"], **replied).status_code == 404


@BOTH
def test_person_who_declines_ends_the_call(trier: Trier, project: str) -> None:
    with trier.begun(project, "tools/call", {"name": "order", "arguments": {"what": "tea"}}) as events:
        told = [next(events)]
        while told[-1]["event"] != "elicitation":
            told.append(next(events))
        trier.reply(project, told[0]["id"], elicitation=told[-1]["id"], action="decline")
        assert json.loads(list(events)[-1]["body"])["result"]["isError"] is True


def test_answer_of_10_mb_is_told_in_part(trier: Trier) -> None:
    answer = trier.call("modern", "much", '{"size": 10000000}')[-1]
    assert (answer["event"], answer["is_complete"]) == ("answer", False)
    assert "xxxxx" in answer["body"]
    assert len(answer["body"]) <= 64 * 1024


@BOTH
def test_a_page_that_goes_cancels_the_call(trier: Trier, platform: Platform, project: str) -> None:
    with trier.begun(project, "tools/call", {"name": "forever", "arguments": {}}) as events:
        assert [next(events)["event"], next(events)["event"]] == ["start", "request"]

    def is_over() -> bool:
        return any(each.get("tool") == "forever" for each in calls(platform, project))

    wait_for(is_over)
    call = next(each for each in calls(platform, project) if each["tool"] == "forever")
    assert call["status"] in ("abandoned", "error")


@BOTH
def test_record_and_audit_log_say_who_called(trier: Trier, platform: Platform, project: str) -> None:
    trier.call(project, "number", '{"value": 77}')
    call = wait_for(lambda: next((each for each in calls(platform, project) if each["tool"] == "number"), None))
    assert call["client"] == "homeport console/0.1.0"
    entries = wait_for(
        lambda: json.loads(
            platform.start("audit", "show", project, "--tool", "number").wait(60).stdout.partition("\n")[0] or "null"
        )
    )
    assert (entries["client_id"], entries["user_id"]) == ("homeport console", "owner")


def test_project_that_does_not_exist(trier: Trier) -> None:
    answer = trier.http.post("/v1/projects/nobody/try", json={"method": "tools/list", "params": {}})
    assert (answer.status_code, answer.json()["error"]["category"]) == (404, "not-found")
    assert trier.http.post("/v1/projects/modern/try", json={"method": "x", "params": {}}).status_code in (400, 422)


def calls(platform: Platform, project: str) -> list[dict[str, Any]]:
    records = platform.api.logs(project, follow=False)
    return [dict(record["call"]) for record in records if "call" in record]
