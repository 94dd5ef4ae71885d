"""Tests the record of an exception: which of a chain it is about, its frames, its bounds, and no secrets in it."""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from homeport_runtime.telemetry import error_records
from homeport_runtime.telemetry.error_records import (
    MAX_NAME,
    MAX_RECORD,
    WHOLE,
    ErrorRecords,
    asked,
    record_errors,
    report,
    report_end,
)

SECRET = "s3cret-of-the-shop"
SERVER = """
import copy
import json


class NoRow(Exception):
    pass


class Unreadable(Exception):
    def __str__(self):
        raise RuntimeError("no text")


def find(table, key):
    return table[key]


def boom():
    return find({}, "k")


def deep(left):
    return deep(left - 1) if left else find({}, "k")


def parse():
    return json.loads("{")


def parse_deep():
    nested = [(each for each in [])]
    for _ in range(100):
        nested = [nested]
    return copy.deepcopy(nested)


def meant():
    try:
        find({}, "k")
    except KeyError as error:
        raise NoRow("row k") from error


def say(text):
    raise ValueError(text)


def unreadable():
    raise Unreadable
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "server.py").write_text(SERVER)
    return folder


@pytest.fixture
def server(app: Path) -> Any:
    module = ModuleType("the_server_of_a_test")
    file = str(app / "server.py")
    exec(compile(SERVER, file, "exec"), vars(module))
    return module


@pytest.fixture
def written(app: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """Returns the errors of the records that the test's own thread writes."""
    found: list[dict[str, Any]] = []
    own = threading.get_ident()

    def keep(record: str) -> None:
        assert len(record.encode()) <= MAX_RECORD
        # What other tests have left running in this process may fail meanwhile.
        if threading.get_ident() == own:
            found.append(json.loads(record)["error"])

    # Whatever else this process has imported, and wherever it is: both decide whose code a frame is.
    monkeypatch.delitem(sys.modules, "mcp", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(error_records, "write_record", keep)
    monkeypatch.setattr(error_records, "_writing", [])
    monkeypatch.setattr(threading, "excepthook", lambda _ended: None)
    monkeypatch.setattr(logging.Handler, "handle", logging.Handler.handle)
    record_errors(ErrorRecords(app, tmp_path / "layer", {"KEY": SECRET}, {"boom"}))
    yield found


def caught(function: Callable[..., object], *arguments: object) -> Exception:
    try:
        function(*arguments)
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def test_a_record_has_the_servers_frames_with_their_source(server: Any, written: list[dict[str, Any]]) -> None:
    token = asked.set(SimpleNamespace(method="tools/call", params=SimpleNamespace(name="boom")))
    report(caught(server.boom))
    asked.reset(token)
    (said,) = written
    assert (said["type"], said["message"], said["method"], said["name"]) == ("KeyError", "'k'", "tools/call", "boom")
    assert [(each["file"], each["function"], each["own"]) for each in said["frames"]] == [
        ("server.py", "boom", True), ("server.py", "find", True),
    ]  # fmt: skip
    innermost = said["frames"][-1]
    assert innermost["source"][innermost["line"] - innermost["start"]] == "    return table[key]"


def test_the_end_of_a_program_shows_no_file_that_a_caller_names(
    app: Path, tmp_path: Path, written: list[dict[str, Any]]
) -> None:
    (tmp_path / "other.txt").write_text("what is nobody's business")
    said = [f'File "{app}/../other.txt", line 1, in main', f'File "{app}/server.py", line 20, in find']
    report_end("has ended", said, {"method": "m" * 100_000, "params": {"name": "boom"}})
    (record,) = written
    assert [each["file"] for each in record["frames"]] == ["server.py"]
    assert len(record["method"]) == MAX_NAME


def test_an_exception_has_one_record(server: Any, written: list[dict[str, Any]]) -> None:
    error = caught(server.boom)
    report(error)
    report(error)
    wrapped = RuntimeError("an SDK's")
    wrapped.__cause__ = error
    report(wrapped)
    assert [said["type"] for said in written] == ["KeyError"]


def test_what_the_server_raises_from_another_is_what_it_means(server: Any, written: list[dict[str, Any]]) -> None:
    report(caught(server.meant))
    assert written[0]["message"] == "row k"


def test_a_library_below_the_server_is_shown(server: Any, written: list[dict[str, Any]]) -> None:
    report(caught(server.parse))
    files = [(each["file"], each["own"]) for each in written[0]["frames"]]
    assert files[0] == ("server.py", True)
    assert files[-1] == ("json/decoder.py", False)


def test_a_deep_recursion_is_a_record_of_bounded_size(server: Any, written: list[dict[str, Any]]) -> None:
    report(caught(server.deep, 300))
    assert [each["function"] for each in written[0]["frames"]][-2:] == ["deep", "find"]


def test_a_library_that_recurses_does_not_push_the_server_out(server: Any, written: list[dict[str, Any]]) -> None:
    report(caught(server.parse_deep))
    frames = written[0]["frames"]
    assert len(frames) == 30
    assert (frames[0]["function"], frames[0]["own"], frames[-1]["own"]) == ("parse_deep", True, False)


def test_the_largest_texts_are_cut(server: Any, written: list[dict[str, Any]]) -> None:
    report(caught(server.say, "\N{SNOWMAN}" * 100_000))
    assert len(written[0]["message"]) == 1000


@pytest.mark.parametrize("before", [0, 985, 990, 999, 1000, 5000])
def test_no_part_of_a_secret_is_in_a_record(server: Any, written: list[dict[str, Any]], before: int) -> None:
    report(caught(server.say, "x" * before + SECRET + "y" * 5000))
    text = json.dumps(written)
    assert not any(SECRET[start : start + 5] in text for start in range(len(SECRET) - 5))


def test_an_exception_without_a_text_harms_nothing(server: Any, written: list[dict[str, Any]]) -> None:
    report(caught(server.unreadable))
    assert written[0]["message"] == "its text cannot be read"


def test_many_errors_have_short_records(server: Any, written: list[dict[str, Any]]) -> None:
    for _ in range(WHOLE + 1):
        report(caught(server.boom))
    assert "source" in written[WHOLE - 1]["frames"][-1]
    assert "source" not in written[WHOLE]["frames"][-1]


def test_calling_a_tool_that_is_not_there_concerns_the_caller(server: Any, written: list[dict[str, Any]]) -> None:
    token = asked.set(SimpleNamespace(method="tools/call", params={"name": "nope"}))
    report(caught(server.say, "no tool nope"))
    asked.reset(token)
    assert written == []


def test_what_is_logged_and_what_ends_a_thread_is_recorded(server: Any, written: list[dict[str, Any]]) -> None:
    logger = logging.getLogger("of a test")
    logger.addHandler(logging.NullHandler())
    logger.error("it failed", exc_info=caught(server.boom))
    logger.error("a library's own", exc_info=caught(json.loads, "{"))
    logger.warning("it is handled", exc_info=caught(server.boom))
    error = caught(server.say, "in a thread")
    threading.excepthook(threading.ExceptHookArgs((type(error), error, error.__traceback__, None)))
    assert [said["type"] for said in written] == ["KeyError", "ValueError"]
