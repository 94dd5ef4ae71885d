"""Tests the errors of a project on Lambda, which are in the log that its instances write."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from platform_cli.errors import InputError, NotFoundError
from platform_cli.log_query import LogQuery
from platform_cli.targets.aws_lambda.client import AWS
from platform_cli.targets.aws_lambda.creation import make_table
from platform_cli.targets.aws_lambda.errors import read_errors
from platform_cli.targets.aws_lambda.group_states import TableStates
from platform_cli.targets.aws_lambda.live import read_live
from platform_cli.targets.aws_lambda.logs import read_logs
from platform_cli.targets.aws_lambda.names import TAG, mailbox_table
from platform_cli.targets.aws_lambda.versions import Version
from platform_cli.targets.group_states import GroupStates
from platform_cli.targets.log_errors import LoggedErrors
from platform_cli.telemetry.grouping import key_of
from tests.aws.moto_server import Moto

GROUP = {"logGroupName": "/aws/lambda/homeport-erring"}
FRAME = {
    "file": "server.py", "function": "find", "line": 7, "own": True, "source": ["a", "return table[key]"], "start": 6,
}  # fmt: skip

VERSIONS = (Version("12", 5, "", "", {}),)


def record(message: str, function: str = "find", release: str = "v1") -> str:
    error: dict[str, Any] = {
        "type": "KeyError", "message": message, "method": "tools/call", "name": "boom", "request": "0123456789abcdef",
        "frames": [{**FRAME, "function": function}],
    }  # fmt: skip
    said = {"error": error, "time": 1.0, "project": "erring", "release": release}
    return json.dumps(said, separators=(",", ":"))


@pytest.fixture
def aws(moto: Moto, monkeypatch: pytest.MonkeyPatch) -> Iterator[AWS]:
    for name, value in moto.environment.items():
        monkeypatch.setenv(name, value)
    made = AWS(None)
    made.logs.create_log_group(**GROUP)
    made.logs.create_log_stream(**GROUP, logStreamName="one")
    yield made
    made.logs.delete_log_group(**GROUP)


def write(aws: AWS, now: float, *lines: str) -> None:
    events = [{"timestamp": int(now * 1000) + at, "message": line} for at, line in enumerate(lines)]
    aws.logs.put_log_events(**GROUP, logStreamName="one", logEvents=events)


def logged(aws: AWS, now: float, states: GroupStates | None = None) -> LoggedErrors:
    kept = Shelf() if states is None else states
    return LoggedErrors("erring", lambda: read_errors(aws, "erring", now - 60, VERSIONS), kept)


class Shelf(dict[str, str]):
    """Keeps states in memory."""

    def read(self) -> Mapping[str, str]:
        return self

    def write(self, key: str, text: str) -> None:
        self[key] = text


def test_what_the_instances_wrote_is_grouped(aws: AWS) -> None:
    now = time.time()
    write(
        aws, now, record("'no 1'"), record("other", "seek"), record("'no 2'", release="v2"), record("odd", "odd", "x"),
        '{"error":{"frames":7}}', "frames of somebody", '{"time":1.0,"level":"info","message":"hi","release":"v1"}',
    )  # fmt: skip
    groups = {group["message"]: group for group in logged(aws, now).groups()}
    assert {message: group["count"] for message, group in groups.items()} == {"'no 2'": 2, "other": 1, "odd": 1}
    number = groups["'no 2'"]["id"]
    found = logged(aws, now).group(number)
    assert (found["id"], found["type"], found["message"]) == (number, "KeyError", "'no 2'")
    assert (found["where"], found["first_release"], found["last_release"]) == ("server.py:7", "v1", "v2")
    assert found["state"] == "open"
    assert found["samples"][0]["frames"][0]["source"][1] == "return table[key]"
    with pytest.raises(NotFoundError, match="no error 9"):
        logged(aws, now).group(9)

    said = [each["message"] for each in read_logs(aws, "erring", follow=False, query=LogQuery())]
    assert said == ["frames of somebody", "hi"], "errors are no lines of the log"


def test_an_instance_that_ended_in_a_call_is_an_error_of_its_release(aws: AWS) -> None:
    now, request = time.time(), "8f507cfc-43c2-4b8e-9c1f-3f8e1c4b2a10"
    stream = "2026/11/25/[12]0123456789abcdef0123456789abcdef"
    aws.logs.create_log_stream(**GROUP, logStreamName=stream)
    lines = [
        f"RequestId: {request} Error: Runtime exited with error: exit status 3\nRuntime.ExitError\n",
        f"RequestId: {request} Error: Runtime exited with error: signal: killed\nRuntime.ExitError\n",
        f"2026-11-25T10:00:00.123Z {request} Task timed out after 30.03 seconds\n\n",
        "the job has exited, and Task timed out after 9.99 seconds",
        f"START RequestId: {request} Version: 12",
    ]
    events = [{"timestamp": int(now * 1000) + at, "message": line} for at, line in enumerate(lines)]
    aws.logs.put_log_events(**GROUP, logStreamName=stream, logEvents=events)
    groups = {group["type"]: group for group in logged(aws, now).groups()}
    ended, late = groups["Runtime.ExitError"], groups["Sandbox.Timedout"]
    assert len(groups) == 2
    assert (ended["kind"], ended["count"], ended["last_release"]) == ("crash", 2, "v5")
    assert ended["message"] == "Runtime exited with error: signal: killed"
    assert (late["kind"], late["message"]) == ("crash", "Task timed out after 30.03 seconds")


def test_a_group_keeps_its_number_when_others_are_gone(aws: AWS) -> None:
    now = time.time()
    write(aws, now, record("old", "seek"), record("new"))
    before = {group["message"]: group["id"] for group in logged(aws, now).groups()}
    later = LoggedErrors("erring", lambda: list(read_errors(aws, "erring", now - 60, VERSIONS))[1:], Shelf())
    assert [(group["message"], group["id"]) for group in later.groups()] == [("new", before["new"])]


def test_what_was_resolved_regresses_in_a_later_release_alone(aws: AWS) -> None:
    now, shelf = time.time(), Shelf()
    write(aws, now, record("one"), record("two", "seek"))
    one, two = (group["id"] for group in sorted(logged(aws, now).groups(), key=lambda group: group["message"]))
    changed = logged(aws, now, shelf).change(one, "resolved", newest=2)
    assert (changed["state"], changed["state_release"]) == ("resolved", "v2")
    logged(aws, now, shelf).change(two, "muted", newest=2)
    # After a rollback, and as before it.
    write(aws, now + 1, record("one"), record("one", release="v2"), record("two", "seek", release="v3"))
    states = {group["id"]: group["state"] for group in logged(aws, now, shelf).groups()}
    assert states == {one: "resolved", two: "muted"}
    write(aws, now + 2, record("one", release="v3"))
    back, other = logged(aws, now, shelf).groups()
    assert (back["id"], back["state"], back["state_release"], back["count"]) == (one, "regressed", "v3", 4)
    assert back["state_at"] == pytest.approx(now + 2, abs=0.01)
    assert (other["id"], other["state"]) == (two, "muted")
    assert logged(aws, now, shelf).change(one, "resolved", newest=3)["state"] == "resolved"
    assert logged(aws, now, shelf).change(two, "open", newest=3)["state"] == "open"
    with pytest.raises(NotFoundError, match="no error 9"):
        logged(aws, now, shelf).change(9, "muted", newest=3)
    assert len(shelf) == 2


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1]",
        "[" * 9999,
        '{"state":"regressed","release":null,"at":1}',
        '{"state":"resolved","release":null,"at":1}',
        '{"state":"muted","release":null,"at":1e400}',
        '{"state":["muted"],"release":null,"at":1}',
        '{"state":"resolved","release":99999999999999999999,"at":1}',
    ],
)
def test_what_others_wrote_into_a_state_is_none(aws: AWS, text: str) -> None:
    now = time.time()
    write(aws, now, record("one"))
    (key,) = (key_of(failed.event) for failed in read_errors(aws, "erring", now - 60, VERSIONS))
    assert [group["state"] for group in logged(aws, now, Shelf({key: text})).groups()] == ["open"]


def test_states_are_kept_in_the_projects_table(aws: AWS) -> None:
    def states() -> TableStates:
        return TableStates(aws, "erring", read_live(aws, "erring"))

    assert states().read() == {}
    with pytest.raises(InputError, match="homeport-erring"):
        states().write("a1", "one")
    table = mailbox_table("erring")
    make_table(aws, table, {TAG: "erring"})
    try:
        # What instances share, and a session's.
        for key, part in (("homeport", "state-salt"), ("session", "b2")):
            aws.tables.put_item(TableName=table, Item={"pk": {"S": key}, "sk": {"S": part}, "salt": {"S": "00"}})
        for key, text in (("a1", "one"), ("b2", "two"), ("a1", "three")):
            states().write(key, text)
        assert states().read() == {"a1": "three", "b2": "two"}
    finally:
        aws.tables.delete_table(TableName=table)
