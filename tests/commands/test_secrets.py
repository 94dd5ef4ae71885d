from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands.conftest import PROJECT, Run, ends_in_time, environment, error_of
from tests.support import ROOT, Deployment, Platform

HIDDEN = "sk-hidden-value"


@pytest.fixture
def project() -> str:
    """Secrets need no deployed project; a name for each test keeps them apart."""
    return f"p{os.urandom(4).hex()}"


def current(run: Run, project: str) -> dict[str, int]:
    answer = run("list-secrets", "--project", project, "--json").json
    assert (answer["ok"], answer["project"]) == (True, project)
    return {secret["name"]: secret["version"] for secret in answer["secrets"]}


def test_set_list_unset(run: Run, project: str) -> None:
    done = run("set-secret", "KEY", HIDDEN, "--project", project)
    assert (done.code, done.stdout) == (0, f"{project}: KEY set\n")
    answer = run("set-secret", "OTHER", HIDDEN, "--project", project, "--json").json
    assert answer == {"ok": True, "names": ["OTHER"], "project": project, "changed": ["OTHER"], "release": None}
    assert run("set-secret", "KEY", HIDDEN, "--project", project).stdout == f"{project}: KEY had that value already\n"
    lines = run("list-secrets", "--project", project).stdout.splitlines()
    assert lines[0].split() == ["secret", "version", "set", "used", "by"]
    assert [line.split()[:3] for line in lines[1:]] == [["KEY", "1", "(current)"], ["OTHER", "1", "(current)"]]
    assert run("unset-secret", "KEY", "--project", project).stdout == f"{project}: KEY is unset\n"
    assert current(run, project) == {"OTHER": 1}
    assert error_of(run("unset-secret", "KEY", "--project", project, "--json"))[:3] == (
        4,
        "not-found",
        f"{project} has no secret 'KEY'",
    )


def test_no_secrets(run: Run, project: str) -> None:
    assert run("list-secrets", "--project", project).stdout == f"{project} has no secrets\n"


def test_a_file_of_them(run: Run, project: str, tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(f"# ours\nexport A={HIDDEN}\nB='two\nlines'\n")
    done = run("set-secret", "--env-file", str(file), "--project", project)
    assert done.stdout == f"{project}: A, B set\n"
    assert HIDDEN not in done.stdout + done.stderr
    assert current(run, project) == {"A": 1, "B": 1}
    file.write_text(f"A={HIDDEN}\nB=\n")
    assert error_of(run("set-secret", "--env-file", str(file), "--project", project, "--json"))[:2] == (2, "input")
    file.write_text(f"A={HIDDEN}\n{HIDDEN}\n")
    code, _, message, _ = error_of(run("set-secret", "--env-file", str(file), "--project", project, "--json"))
    assert (code, message) == (2, f"{file}, line 2 is not KEY=VALUE")
    assert current(run, project) == {"A": 1, "B": 1}


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["KEY"],
        ["KEY", ""],
        ["1KEY", HIDDEN],
        ["KE-Y", HIDDEN],
        ["KEY", "x" * 70_000],
        ["KEY", "--env-file", "none.env"],
        ["--env-file", "none.env"],
        ["KEY", HIDDEN, "more"],
    ],
)
def test_what_cannot_be_set(run: Run, project: str, arguments: list[str]) -> None:
    done = run("set-secret", *arguments, "--project", project, "--json")
    assert error_of(done)[:2] == (2, "input")
    assert HIDDEN not in done.stdout + done.stderr
    assert current(run, project) == {}


@pytest.mark.parametrize("command", [["set-secret", "KEY", HIDDEN], ["list-secrets"], ["unset-secret", "KEY"]])
def test_which_project(run: Run, tiny: Deployment, tmp_path: Path, command: list[str]) -> None:
    code, category, message, hint = error_of(run(*command, "--json", cwd=tmp_path))
    assert (code, category, message) == (2, "input", "this folder has no project yet")
    assert "--project" in hint
    assert error_of(run(*command, "--json", "--project", "Not A Name"))[:2] == (2, "input")


def test_the_project_of_a_folder(run: Run, tiny: Deployment, platform: Platform, tmp_path: Path) -> None:
    (tmp_path / "fastmcp.toml").write_text('[project]\nname = "written-here"\n')
    assert run("list-secrets", "--json", cwd=tmp_path).json["project"] == "written-here"
    folder = Path(platform.run("status", PROJECT)["folder"])
    assert run("list-secrets", "--json", cwd=folder).json["project"] == PROJECT


@pytest.mark.parametrize(
    ("typed", "kept"), [("line\n", "line"), ("two\nlines\n\n", "two\nlines\n"), ("crlf\r\n", "crlf")]
)
def test_from_standard_input(platform: Platform, run: Run, project: str, tmp_path: Path, typed: str, kept: str) -> None:
    """That the value is what was typed but for its last line end is told by setting it again."""
    command = [sys.executable, "-m", "platform_cli", "set-secret", "KEY", "-", "--project", project]
    subprocess.run(
        command, input=typed.encode(), cwd=ROOT, env=environment(platform, tmp_path), check=True, timeout=120
    )
    assert "already" in run("set-secret", "KEY", kept, "--project", project).stdout


def test_standard_input_that_is_no_text(platform: Platform, project: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "platform_cli", "set-secret", "KEY", "-", "--project", project]
    done = subprocess.run(
        command,
        input=b"\xff\xfe",
        cwd=ROOT,
        env=environment(platform, tmp_path),
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2
    assert b"is not UTF-8 text" in done.stderr


def test_asked_twice_and_not_shown(platform: Platform, run: Run, project: str, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "platform_cli", "set-secret", "KEY", "--project", project]
    with os.fdopen(ours, "r+b", buffering=0) as terminal:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment(platform, tmp_path),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        with ends_in_time(process):
            shown = _until(terminal.read, b"value of KEY: ")
            terminal.write(f"{HIDDEN}\n".encode())
            shown += _until(terminal.read, b"confirmation: ")
            terminal.write(f"{HIDDEN}\n".encode())
            shown += _until(terminal.read, b" set")
            assert process.wait() == 0
    assert HIDDEN.encode() not in shown
    assert "already" in run("set-secret", "KEY", HIDDEN, "--project", project).stdout


def _until(read: Callable[[int], bytes], end: bytes) -> bytes:
    shown = b""
    while end not in shown:
        shown += read(1)
    return shown
