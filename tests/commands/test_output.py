from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import sys
from collections.abc import Iterator

import click
import pytest

from platform_cli.commands.output import Output, table, visible
from platform_cli.errors import HomeportError, InputError


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


class Ascii(io.StringIO):
    encoding = "ascii"


def test_people_and_programs(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=False).result({"ok": True}, "done")
    Output(as_json=True).result({"ok": True, "name": "é"}, "done")
    assert capsys.readouterr() == ('done\n{"ok": true, "name": "é"}\n', "")


def test_notes_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    for as_json in (True, False):
        Output(as_json=as_json).note("working")
    assert capsys.readouterr() == ("", "working\nworking\n")


def test_errors(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=False).error(InputError("wrong", hint="better"))
    assert capsys.readouterr() == ("", "error: wrong\n  try: better\n")
    Output(as_json=True).error(InputError("wrong"))
    out, err = capsys.readouterr()
    assert json.loads(out) == {"ok": False, "error": {"category": "input", "message": "wrong", "hint": None}}
    assert err == ""


@contextlib.contextmanager
def nobody_reads() -> Iterator[None]:
    """Leads stdout and stderr to pipes whose readers are gone."""
    reader, gone = os.pipe()
    os.close(reader)
    with (
        pytest.MonkeyPatch.context() as patched,
        contextlib.suppress(BrokenPipeError),
        os.fdopen(os.dup(gone), "w") as out,
        contextlib.suppress(BrokenPipeError),
        os.fdopen(gone, "w") as err,
    ):
        patched.setattr(sys, "stdout", out)
        patched.setattr(sys, "stderr", err)
        yield


def test_work_goes_on_when_nobody_reads_any_more() -> None:
    done = []
    with nobody_reads():
        output = Output(as_json=False)
        with output.stages().run("lock"):
            output.note("working")
        output.result({}, "done")
        output.error(InputError("wrong", hint="better"))
        Output(as_json=True).error(InputError("wrong"))
        done.append("all")
    assert done


def test_what_has_no_end_ends_when_nobody_reads_any_more() -> None:
    output = Output(as_json=False)
    with nobody_reads(), pytest.raises(click.exceptions.Exit) as ended:
        output.line({}, "line")
    assert ended.value.exit_code == 0
    with nobody_reads(), pytest.raises(click.exceptions.Exit):
        output.exact_line("line")


def test_a_result_that_finds_no_space_is_no_failure_of_the_work(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Full(io.StringIO):
        def flush(self) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(sys, "stdout", Full())
    output = Output(as_json=True)
    with pytest.raises(HomeportError, match=r"is done, but its output cannot be written: No space left") as lost:
        output.result({"ok": True}, "done")
    output.error(lost.value)
    assert "error: what the command had to do is done" in capsys.readouterr().err


def test_stages_are_lines_when_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with Output(as_json=True).stages().run("lock") as stage:
        stage.cached = True
    out, err = capsys.readouterr()
    assert out == ""
    assert err.split() == ["lock", "0.00", "s", "cached"]


def test_colour_is_for_terminals_that_want_it(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.delenv("NO_COLOR", raising=False)
    Output(as_json=False).error(HomeportError("wrong"))
    assert terminal.getvalue() == "\x1b[31m\x1b[1merror: \x1b[0mwrong\n"
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setenv("NO_COLOR", "1")
    Output(as_json=False).error(HomeportError("wrong"))
    assert terminal.getvalue() == "error: wrong\n"


def test_a_server_cannot_steer_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = "a\x1b]0;title\x07\tb\n\x9b2Jc\r"
    Output(as_json=False).result({}, hostile)
    assert capsys.readouterr().out == f"{hostile}\n"
    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    Output(as_json=False).result({}, hostile)
    assert terminal.getvalue() == "a\ufffd]0;title\ufffd\tb\n\ufffd2Jc\ufffd\n"


def test_what_cannot_be_encoded_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", plain := Ascii())
    Output(as_json=True).result({"name": "é \udcff"}, "")
    assert json.loads(plain.getvalue()) == {"name": "é \udcff"}


def test_table() -> None:
    assert table(("name", "state"), [("a", "running"), ("longer", "")]) == "name    state\na       running\nlonger"


def test_what_a_stranger_wrote_stays_on_its_line() -> None:
    assert visible("é a\tb") == "é a\tb"
    assert visible("a\x1b[2J\nb\r\x9b\u2028\u202ec") == r"a\x1b[2J\nb\r\x9b\u2028\u202ec"
    assert table(("who",), [("a\x1b]8;;x\x07\nFAKE",)]) == "who\na\\x1b]8;;x\\x07\\nFAKE"


def test_a_json_document_steers_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    data = {"name": "a\x1b\x9b2J\u202e\n"}
    Output(as_json=True).result(data, "")
    out = capsys.readouterr().out
    assert json.loads(out) == data
    assert out[:-1].isprintable()
