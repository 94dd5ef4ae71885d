from __future__ import annotations

import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.conftest import PROJECT, Run, ends_in_time, environment, error_of
from tests.support import ROOT, Deployment, Platform


@pytest.fixture
def web_server() -> Iterator[str]:
    """Runs a web server that is no MCP server."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_tools_of_a_project_and_of_a_url_are_the_same(run: Run, tiny: Deployment) -> None:
    answers = [run("tools", where, "--json").json for where in (PROJECT, tiny.url, tiny.mcp_url, tiny.sse_url)]
    assert [answer["url"] for answer in answers] == [tiny.mcp_url, tiny.mcp_url, tiny.mcp_url, tiny.sse_url]
    assert answers[0]["ok"] is True
    assert all(answer["tools"] == answers[0]["tools"] for answer in answers)
    add = next(tool for tool in answers[0]["tools"] if tool["name"] == "add")
    assert add["inputSchema"]["required"] == ["a", "b"]


def test_tools_shows_name_and_parameters(run: Run, tiny: Deployment) -> None:
    done = run("tools", PROJECT)
    assert done.code == 0
    header, *rows = done.stdout.splitlines()
    assert header.split() == ["tool", "parameters", "description"]
    assert [row.split("  ", 1)[1].strip(" -") for row in rows if row.startswith(("add ", "slow "))] == [
        "a: integer, b: integer",
        "steps: integer, token?: string",
    ]


@pytest.mark.parametrize("transport", ["mcp_url", "sse_url"])
def test_call_prints_the_text(run: Run, tiny: Deployment, transport: str) -> None:
    done = run("call", getattr(tiny, transport), "add", "a=2", "b=40")
    assert (done.code, done.stdout) == (0, "42\n")


def test_call_answers_json(run: Run, tiny: Deployment) -> None:
    done = run("call", PROJECT, "add", "a=2", "b=40", "--json")
    assert done.json == {
        "ok": True,
        "url": tiny.mcp_url,
        "tool": "add",
        "content": [{"type": "text", "text": "42"}],
    }


def test_text_stays_text(run: Run, tiny: Deployment) -> None:
    assert run("call", PROJECT, "remember", 'text=7 = "seven"').code == 0
    assert run("call", PROJECT, "recall").stdout == '7 = "seven"\n'


def test_progress_arrives_while_the_tool_runs(run: Run, tiny: Deployment, platform: Platform, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "platform_cli", "call", PROJECT, "slow", "steps=3", "token=cli"]
    pipe, env = subprocess.PIPE, environment(platform, tmp_path)
    with (
        subprocess.Popen(command, cwd=ROOT, env=env, text=True, stdout=pipe, stderr=pipe) as process,
        ends_in_time(process),
    ):
        assert process.stderr
        # The tool waits for `release` after its first step, so this line can only come from a call that still runs.
        assert process.stderr.readline() == "  1/3\n"
        assert run("call", PROJECT, "release", "token=cli").code == 0
        stdout, stderr = process.communicate()
    assert (stdout, stderr) == ("3 steps\n", "  2/3\n  3/3\n")


def test_a_failing_tool_is_an_error_with_its_own_words(run: Run, tiny: Deployment) -> None:
    next_command = f"`homeport errors {PROJECT}` shows where, if it was an exception"
    assert error_of(run("call", PROJECT, "fail", "--json")) == (1, "tool", "this tool always fails", next_command)
    done = run("call", PROJECT, "fail")
    assert (done.code, done.stdout) == (1, "")
    assert done.stderr == f"error: this tool always fails\n  try: {next_command}\n"


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["ad"], "there is no tool 'ad'", "did you mean 'add'?"),
        (["zzz"], "there is no tool 'zzz'", "add, slow"),
        (["add", "a=1", "bb=2"], "add has no argument 'bb'", "did you mean 'b'?"),
        (["add", "a=1"], "add needs the argument b", "for example b=3"),
        (["add"], "add needs the arguments a, b", "for example a=3 b=3"),
        (["add", "a=1", "b=two"], "b=two: the value must be of type integer", "for example b=3"),
        (["add", "a=1", "a=2"], "the argument 'a' is given twice", ""),
        (["add", "one"], "'one' is not an argument for a tool", "key=value"),
    ],
)
def test_wrong_input_is_refused(run: Run, tiny: Deployment, words: list[str], message: str, hint: str) -> None:
    code, category, said, tried = error_of(run("call", PROJECT, *words, "--json"))
    assert (code, category, said) == (2, "input", message)
    assert hint in tried


@pytest.mark.parametrize("command", [["tools"], ["call"]])
def test_unknown_projects_and_bad_urls(run: Run, tiny: Deployment, command: list[str]) -> None:
    tool = ["x"] if command == ["call"] else []
    assert error_of(run(*command, "nobody", *tool, "--json"))[:2] == (4, "not-found")
    for url in ("ftp://127.0.0.1/mcp", "http://", "http://127.0.0.1:port/"):
        assert error_of(run(*command, url, *tool, "--json"))[:2] == (2, "input"), url


@pytest.mark.parametrize("path", ["/mcp", "/sse"])
def test_a_url_where_nobody_listens(run: Run, path: str) -> None:
    # Port 9 (discard) is below the ports that programs get by themselves.
    code, category, message, _hint = error_of(run("tools", f"http://127.0.0.1:9{path}", "--json"))
    assert (code, category) == (1, "server")
    assert message.startswith(f"http://127.0.0.1:9{path} cannot be reached")


@pytest.mark.parametrize("path", ["", "/sse"])
def test_a_url_that_is_no_mcp_server(run: Run, web_server: str, path: str) -> None:
    code, category, message, _hint = error_of(run("tools", web_server + path, "--json"))
    assert (code, category) == (1, "server")
    assert message.startswith(f"{web_server}{path or '/mcp'} answered with")
