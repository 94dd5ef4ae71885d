"""Tests that what a server writes becomes records: levels, request ids, whole lines, and nothing is lost."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from typing import Any

import pytest

from homeport_runtime.telemetry.lines import MAX_LINE, LineStream

from ..conftest import JSON, call, python_with
from ..workers import MCP2, Worker, Workers, kind_source

Lines = list[tuple[str, str | None]]


@pytest.fixture
def lines() -> Lines:
    return []


@pytest.fixture
def request_now() -> dict[str, str | None]:
    return {"id": None}


@pytest.fixture
def stream(lines: Lines, request_now: dict[str, str | None]) -> LineStream:
    return LineStream(1, "<stdout>", lambda line, request: lines.append((line, request)), lambda: request_now["id"])


def test_whole_lines_are_handed_over_and_parts_wait_for_their_end(stream: LineStream, lines: Lines) -> None:
    print("one", file=stream)
    print("two ", end="", file=stream)
    assert lines == [("one", None)]
    print("halves", file=stream)
    stream.writelines(["three\n", "\n", "  \n", "four\n"])
    assert [line for line, _ in lines] == ["one", "two halves", "three", "four"]


def test_what_has_no_end_is_handed_over_when_the_process_ends(stream: LineStream, lines: Lines) -> None:
    stream.write("no newline")
    stream.flush()
    assert lines == []
    stream.finish()
    stream.finish()
    assert lines == [("no newline", None)]


def test_a_part_keeps_its_request(stream: LineStream, lines: Lines, request_now: dict[str, str | None]) -> None:
    request_now["id"] = "first"
    stream.write("of the first")
    request_now["id"] = "second"
    stream.write("of the second\n")
    assert lines == [("of the first", "first"), ("of the second", "second")]


def test_threads_do_not_write_into_each_others_lines(stream: LineStream, lines: Lines) -> None:
    stream.write("main ")
    other = threading.Thread(target=stream.write, args=("other\n",))
    other.start()
    other.join()
    stream.write("goes on\n")
    assert [line for line, _ in lines] == ["other", "main goes on"]


def test_a_progress_bar_is_one_line(stream: LineStream, lines: Lines) -> None:
    for percent in range(0, 101, 10):
        stream.write(f"\r{percent} %")
    stream.write("\nnext\r\n")
    assert [line for line, _ in lines] == ["100 %", "next"]


def test_a_line_without_an_end_is_not_kept_for_ever(stream: LineStream, lines: Lines) -> None:
    stream.write("x" * (MAX_LINE + 1))
    assert [len(line) for line, _ in lines] == [MAX_LINE + 1]


def test_bytes_are_decoded_across_writes(stream: LineStream, lines: Lines) -> None:
    data = "grüße\n".encode()
    assert stream.buffer.write(data[:3]) == 3
    assert stream.buffer.write(memoryview(data[3:])) == len(data) - 3
    stream.buffer.write(b"\xff\xfe\n")
    stream.buffer.flush()
    assert [line for line, _ in lines] == ["grüße", "\ufffd\ufffd"]


def test_it_behaves_as_standard_output_does(stream: LineStream, lines: Lines) -> None:
    stream.reconfigure(encoding="latin-1", line_buffering=True)
    assert not stream.isatty()
    assert stream.writable()
    assert not stream.readable()
    assert stream.fileno() == stream.buffer.fileno() == 1
    assert stream.encoding == "utf-8"
    stream.close()
    assert not stream.closed
    print("still there", file=stream)
    assert lines == [("still there", None)]
    with pytest.raises(TypeError):
        stream.write(b"bytes")  # type: ignore[arg-type]


WRITES = '''
import asyncio, logging, os, subprocess, sys, threading, warnings
import homeport_runtime.telemetry

@mcp.tool()
def write(what: str) -> str:
    """Writes in a thread of its own, as every sync tool runs."""
    exec(what)
    return "written"

@mcp.tool()
async def write_async(what: str) -> str:
    exec(what)
    return "written"
'''


@pytest.fixture(scope="module")
def writer(workers: Workers) -> Worker:
    return workers.serve(MCP2 + WRITES, python_with("mcp>=2"))


@pytest.mark.parametrize(
    ("what", "message", "level"),
    [
        ("print('a plain line')", "a plain line", "info"),
        ("print('to the other', file=sys.stderr)", "to the other", "error"),
        ("sys.stdout.buffer.write(b'some bytes\\n')", "some bytes", "info"),
        ("print('half \\ud800 a pair')", "half ? a pair", "info"),
        ("print('sn\\u00f6wm\\u00e4n \\u2603')", "snöwmän ☃", "info"),
        ("print('ERROR:root:by name')", "ERROR:root:by name", "error"),
        ("print('[WARN] by a short name')", "[WARN] by a short name", "warning"),
        (
            "sys.stderr.write('\\x1b[32m2026-11-30 02:21:30.840\\x1b[0m | \\x1b[1mINFO    \\x1b[0m | in colours\\n')",
            "2026-11-30 02:21:30.840 | INFO     | in colours",
            "info",
        ),
        ("print('Error: of a program', file=sys.stdout)", "Error: of a program", "error"),
        ("sys.stderr.write('2026-11-30 02:21:30 [info     ] x=1\\n')", "2026-11-30 02:21:30 [info     ] x=1", "info"),
        ("homeport_runtime.telemetry.write_log('a program says')", "a program says", "info"),
        ("homeport_runtime.telemetry.write_log('[warn] a program says')", "[warn] a program says", "warning"),
        ("print('no error [1] at all')", "no error [1] at all", "info"),
        ("logging.getLogger('x').info('an info')", "an info", "info"),
        ("logging.getLogger('x').warning('a warning')", "a warning", "warning"),
        ("logging.getLogger('x').error('an error')", "an error", "error"),
        ("logging.getLogger('x').critical('a critical')", "a critical", "error"),
    ],
)
@pytest.mark.parametrize("tool", ["write", "write_async"])
def test_each_line_has_its_level_and_its_request(
    writer: Worker, tool: str, what: str, message: str, level: str
) -> None:
    before = len(writer.records())
    assert writer.call(tool, what=what) == "written"
    writer.calls(len([r for r in writer.records()[:before] if "call" in r]) + 1)
    new = writer.records()[before:]
    call = next(record for record in new if "call" in record)
    line = next(record for record in new if record.get("message") == message)
    assert line["level"] == level
    assert line["request"] == call["request"]


def test_what_the_sdk_says_of_its_own_is_no_error(writer: Worker) -> None:
    writer.call("write", what="pass")
    writer.record(lambda record: record.get("message") == "Terminating session: None")
    assert {r["level"] for r in writer.records() if r.get("message") == "Terminating session: None"} == {"info"}


def test_warnings_are_warnings(writer: Worker) -> None:
    writer.call("write", what="warnings.warn('careful', UserWarning)")
    record = writer.record(lambda record: "UserWarning: careful" in record.get("message", ""))
    assert record["level"] == "warning"


def test_a_program_writes_what_it_likes_to_the_descriptor(writer: Worker) -> None:
    writer.call("write", what="subprocess.run(['printf', r'\\377\\001 junk\\n'], check=True)")
    writer.record(lambda record: record.get("plain", "").endswith(" junk"))
    writer.call("write", what="print('and records go on')")
    writer.record(lambda record: record.get("message") == "and records go on")


def test_lines_of_threads_have_no_request_of_others(writer: Worker) -> None:
    code = "t = threading.Thread(target=print, args=('from a bare thread',)); t.start(); t.join()"
    writer.call("write", what=code)
    assert "request" not in writer.record(lambda record: record.get("message") == "from a bare thread")


def test_the_last_line_is_kept_without_a_newline(workers: Workers) -> None:
    source = MCP2 + "import atexit\natexit.register(print, 'at the end', end='')\nprint('while loading', end='')\n"
    worker = workers.serve(source, python_with("mcp>=2"))
    worker.tell(do="close")
    assert worker.process.wait(60) == 0
    texts = [record.get("message") for record in worker.records()]
    assert "while loadingat the end" in texts


@pytest.mark.parametrize(
    ("kind", "requirement"),
    [
        ("fastmcp2", "fastmcp<3"),
        ("fastmcp3", "fastmcp<4"),
        ("fastmcp4", "fastmcp>=4"),
        ("mcp1_fastmcp", "mcp<2"),
        ("mcp2_mcpserver", "mcp>=2"),
    ],
)
def test_the_traceback_of_a_failing_tool_is_logged(workers: Workers, kind: str, requirement: str) -> None:
    worker = workers.serve(kind_source(kind), python_with(requirement))
    worker.call("fail")
    request = worker.record(lambda record: record.get("call", {}).get("tool") == "fail")["request"]

    def of_this_request(text: str) -> Any:
        return worker.record(lambda r: text in r.get("message", "") and r.get("request") == request)

    error: JSON = of_this_request("this tool always fails")
    assert error["level"] == "error"
    of_this_request("Traceback")


EARLY = """
import logging
from homeport_runtime.telemetry import capture_output, request_id

logger = logging.getLogger("imported before")
logger.addHandler(logging.StreamHandler())
logger.propagate = False
capture_output()
request_id.set("0123")
logger.warning("said later")
"""


def test_a_handler_from_before_makes_records_too() -> None:
    """As that of fastmcp 3 and 4 in a zygote, where the module is imported before there is a worker."""
    ran = subprocess.run([sys.executable, "-c", EARLY], capture_output=True, check=True)
    record = json.loads(ran.stdout.removeprefix(b"\x1e"))
    assert (record["level"], record["message"], record["request"]) == ("warning", "said later", "0123")
    assert ran.stderr == b""


MCP1 = """
from mcp.server.fastmcp import FastMCP
from mcp.server.fastmcp.exceptions import ToolError
from pydantic import BaseModel

mcp = FastMCP("told apart")


class Own(BaseModel):
    number: int


@mcp.tool()
def refuse(number: int) -> str:
    raise ToolError("not today")


@mcp.tool()
def crash() -> str:
    return str(Own(number="x"))
"""


def test_what_is_a_callers_business_is_no_crash_in_mcp_1(workers: Workers) -> None:
    worker = workers.serve(MCP1, python_with("mcp<2"))
    for tool, arguments in (("refuse", {"number": 1}), ("refuse", {"number": "x"}), ("nobody", {})):
        assert worker.post(call(tool, **arguments))["result"]["isError"]
    worker.post(call("crash"))
    worker.record(lambda r: r.get("call", {}).get("tool") == "crash")
    crashes = [r for r in worker.records() if "a tool raised" in r.get("message", "")]
    (crash,) = crashes
    assert crash["message"] == "a tool raised ValidationError"
    assert crash["request"] == worker.record(lambda r: r.get("call", {}).get("tool") == "crash")["request"]
