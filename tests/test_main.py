from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from platform_cli import __version__, errors
from platform_cli.__main__ import COMMANDS, EPILOG, cli, run
from platform_cli.commands.output import Output
from platform_cli.errors import HomeportError
from tests.support import require

# Modules that must not be loaded before a command needs them, since each costs more than the command.
HEAVY = {"fastapi", "uvicorn", "starlette", "pydantic", "mcp", "rich", "httpx", "httpx2", "anyio"}

START = "from platform_cli.start import main; main()"


def homeport(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "platform_cli", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def loaded_by(*arguments: str) -> set[str]:
    """Returns the modules that a command has loaded when it ends, its lazy imports included."""
    code = "import atexit, sys; from platform_cli.__main__ import main; "
    code += "atexit.register(lambda: print(*sys.modules, file=sys.stderr)); main()"
    command = [sys.executable, "-c", code, *arguments]
    return set(subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stderr.split())


def test_help_names_every_command_and_exit_code() -> None:
    done = homeport("--help")
    assert done.returncode == 0
    listed = {line.split()[0] for line in done.stdout.split("Commands:")[1].splitlines() if line.startswith("  ")}
    assert set(COMMANDS) <= listed
    codes = {
        kind.exit_code for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, HomeportError)
    }
    assert codes == {1, 2, 3, 4, 130}
    assert all(f"\n  {code} " in EPILOG for code in codes)
    assert homeport("-h").stdout == done.stdout


@pytest.mark.parametrize(
    ("typed", "meant"), [("deplyo", "'deplyo'; did you mean deploy?"), ("make-coffee", "'make-coffee'")]
)
def test_a_command_that_is_not_there(typed: str, meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([typed, "--json"]) == 2
    said = json.loads(capsys.readouterr().out)["error"]
    assert said["message"] == f"there is no command {meant}"
    assert said["hint"] == "`homeport --help` shows what is expected"


def test_an_option_without_its_value(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["deploy", "server.py", "--name"]) == 2
    assert "try: `homeport deploy --help`" in capsys.readouterr().err


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help_that_fits_its_line(name: str) -> None:
    result = CliRunner().invoke(cli, [name, "--help"])
    assert result.exit_code == 0
    assert f"Usage: cli {name}" in result.output
    command = cli.get_command(click.Context(cli), name)
    assert command
    assert command.help
    commands = _leaves(command)
    # What dev shows has no end, and nobody reads it but the person who saves.
    assert name == "dev" or all("--json" in _options(one) for one in commands)
    assert all(option.help for one in commands for option in one.params if isinstance(option, click.Option))


def _leaves(command: click.Command) -> list[click.Command]:
    if isinstance(command, click.Group):
        return [leaf for one in command.commands.values() for leaf in _leaves(one)]
    return [command]


def _options(command: click.Command) -> list[str]:
    return [option for parameter in command.params for option in parameter.opts]


def test_help_loads_click_alone() -> None:
    loaded = loaded_by("--help")
    assert "click" in loaded
    assert not loaded & HEAVY
    assert not {name for name in loaded if name.startswith("platform_cli.") and name.split(".")[1] != "__main__"} - {
        "platform_cli.errors"
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_loads_what_it_does_not_need(name: str) -> None:
    assert not loaded_by(name, "--help") & HEAVY


def test_a_deploy_loads_no_parser_of_requirements_before_it_needs_one() -> None:
    assert not loaded_by("deploy", "--help") & {"packaging", "logging", "compileall"}


def test_version() -> None:
    assert homeport("--version").stdout == f"homeport, version {__version__}\n"


def test_nothing_typed_shows_the_help_on_stderr() -> None:
    done = homeport()
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Usage: homeport")


def test_an_unknown_command() -> None:
    done = homeport("deplyo", "--json")
    assert done.returncode == 2
    error = json.loads(done.stdout)["error"]
    assert error["category"] == "input"
    assert "deplyo" in error["message"]
    people = homeport("deplyo")
    assert (people.returncode, people.stdout) == (2, "")
    assert people.stderr.startswith("error: ")
    assert "  try: `homeport --help`" in people.stderr


def test_an_argument_that_is_no_text(tmp_path: Path) -> None:
    command = [sys.executable.encode(), b"-m", b"platform_cli", b"deploy", b"\xff.py", b"--json"]
    done = subprocess.run(command, capture_output=True, cwd=tmp_path, timeout=60, check=False)
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["message"] == "\udcff.py does not exist"


@pytest.mark.parametrize("words", [["deplyo"], ["deplyo", "--json"]])
@pytest.mark.parametrize("how", ["reader gone", "closed", "full"])
@pytest.mark.parametrize("which", [1, 2])
def test_the_exit_code_does_not_depend_on_who_reads(words: list[str], how: str, which: int, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "platform_cli", *words]
    if how == "closed":
        command = ["sh", "-c", f'exec "$@" {which}>&-', "sh", *command]
    with contextlib.ExitStack() as opened:
        reader, gone = os.pipe()
        os.close(reader)
        opened.callback(os.close, gone)
        streams = [opened.enter_context((tmp_path / "read").open("w+")) for _ in (1, 2)]
        where: list[Any] = [*streams]
        if how == "full":
            require(Path("/dev/full").exists(), "/dev/full is Linux's")
            where[which - 1] = opened.enter_context(Path("/dev/full").open("w"))
        elif how == "reader gone":
            where[which - 1] = gone
        done = subprocess.run(command, stdout=where[0], stderr=where[1], cwd=tmp_path, timeout=60, check=False)
    assert done.returncode == 2
    assert "Traceback" not in (tmp_path / "read").read_text()


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "platform_cli", "init", "--json"]
    gone = ["sh", "-c", 'mkdir gone && cd gone && rmdir ../gone && exec "$@"', "sh", *command]
    done = subprocess.run(gone, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "does not exist any more" in json.loads(done.stdout)["error"]["message"]


def test_a_home_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = homeport("list", "--json", HOMEPORT_HOME=str(tmp_path / "file" / "home"))
    assert done.returncode == 2
    assert str(tmp_path / "file" / "home") in json.loads(done.stdout)["error"]["message"]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (HomeportError("it broke", hint="mend it"), 1, "error: it broke\n  try: mend it\n"),
        (errors.BusyError("wait"), 3, "error: wait\n"),
        (OSError(28, "No space left on device", "/x"), 1, "error: the disk is full"),
        (click.exceptions.Abort(), 130, "\nerror: interrupted"),
        (KeyboardInterrupt(), 130, "\nerror: interrupted"),
    ],
)
def test_how_commands_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], raised: BaseException, code: int, said: str
) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise raised

    monkeypatch.setattr(cli, "main", fail)
    assert run(["list"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(said)


def test_windows_is_told_about_wsl(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert run([]) == 2
    assert "WSL" in capsys.readouterr().err


def test_ctrl_c_while_a_server_does_not_answer() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        silent.settimeout(60)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/mcp"
        command = [sys.executable, "-c", START, "tools", url]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            connection, _address = silent.accept()
            process.send_signal(signal.SIGINT)
            _out, err = process.communicate(timeout=60)
            connection.close()
    assert process.returncode == 130
    assert "Traceback" not in err
    assert err.endswith("interrupted; what served before still does\n")


def test_ctrl_c_while_the_command_line_is_imported() -> None:
    interrupts = """
import os, signal, sys


class Interrupts:
    def find_spec(self, name, *_):
        if name == "platform_cli.__main__":
            os.kill(os.getpid(), signal.SIGINT)


sys.meta_path.insert(0, Interrupts())
"""
    done = subprocess.run(
        [sys.executable, "-c", interrupts + START, "list"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


def test_ctrl_c_again_while_the_first_is_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "main", interrupted)
    monkeypatch.setattr(Output, "note", lambda *_: os.kill(os.getpid(), signal.SIGINT))
    before = signal.getsignal(signal.SIGINT)
    assert run(["list"]) == 130
    assert "interrupted" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGINT) == before
