"""Tests what is on the developer's disk and in their shell, and not where the server runs: it comes along, or it is
said.
"""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.command_line import Command
from tests.field.conftest import written
from tests.support import ROOT, CommandFailedError, Platform

# Each is a deploy; tests/findings has what is told.
pytestmark = pytest.mark.whole

SERVER = """
    import os
    from pathlib import Path

    from mcp.server import MCPServer

    mcp = MCPServer("own-name")
    {start}

    @mcp.tool()
    def key() -> str:
        return os.environ.get("WEATHER_KEY") or "none"


    @mcp.tool()
    def read(path: str) -> str:
        return Path(path).read_text() if Path(path).is_file() else str(Path(path).is_dir())
"""
SESSIONS = """
    from mcp.server import MCPServer
    from mcp.server.mcpserver import Context

    mcp = MCPServer("sessions", {how})


    @mcp.tool()
    async def ask(ctx: Context) -> str:
        return str(await ctx.list_roots())
"""
HIDDEN = "5ecret-value"


def server(start: str = "") -> str:
    return SERVER.replace("{start}", start)


def deployed(platform: Platform, folder: Path, *arguments: str) -> dict[str, Any]:
    return platform.run("deploy", str(folder), "--name", folder.parent.name.replace("_", "-").lower()[:50], *arguments)


def called(platform: Platform, answer: dict[str, Any], tool: str, *pairs: str) -> str:
    return str(platform.run("call", answer["project"], tool, *pairs)["content"][0]["text"])


def refused(platform: Platform, folder: Path, *arguments: str) -> CommandFailedError:
    with pytest.raises(CommandFailedError) as failed:
        deployed(platform, folder, *arguments)
    return failed.value


def kinds(answer: dict[str, Any]) -> set[str]:
    return {finding["kind"] for finding in answer["findings"]}


def test_a_dotenv_stays_behind_or_comes_along_as_secrets(platform: Platform, tmp_path: Path) -> None:
    dotenv = f"WEATHER_KEY={HIDDEN}\nEMPTY=\n"
    folder = written(tmp_path / "project", {"server.py": server(), ".env": dotenv, ".gitignore": ".env\n"})
    before = deployed(platform, folder)
    assert kinds(before) == {"dotenv"}
    assert called(platform, before, "key") == "none"
    after = deployed(platform, folder, "--env-file", str(folder / ".env"))
    assert kinds(after) == set()
    assert called(platform, after, "key") == HIDDEN
    name = after["project"]
    assert [secret["name"] for secret in platform.run("list-secrets", "--project", name)["secrets"]] == ["WEATHER_KEY"]
    assert not any(HIDDEN in path.read_text(errors="replace") for path in platform.home.rglob("manifest.json"))
    assert deployed(platform, folder, "--env-file", str(folder / ".env"))["changed"] is False
    # A value that is new is a release, in one step.
    (folder / ".env").write_text("WEATHER_KEY=another-value\n")
    changed = deployed(platform, folder, "--env-file", str(folder / ".env"))
    assert [changed["release"], called(platform, changed, "key")] == ["v3", "another-value"]


def test_the_inspected_server_has_what_the_env_file_says(platform: Platform, tmp_path: Path) -> None:
    files = {"server.py": server('os.environ["WEATHER_KEY"]'), ".env": f"WEATHER_KEY={HIDDEN}\n"}
    folder = written(tmp_path / "project", files)
    error = refused(platform, folder).error
    assert "KeyError" in error["message"]
    assert "--env WEATHER_KEY=VALUE" in error["hint"]
    # Without a name that anybody chose, the secrets belong to the project that the source names.
    answer = platform.run("deploy", str(folder), "--env-file", str(folder / ".env"))
    assert answer["project"] == "own-name"
    assert called(platform, answer, "key") == HIDDEN
    platform.run("destroy", "own-name")


@pytest.mark.parametrize("line", ["HOMEPORT_X=5ecret-value", "1X=5ecret-value", "X='5ecret-value"])
def test_an_env_file_that_is_wrong_is_refused_without_its_values(platform: Platform, tmp_path: Path, line: str) -> None:
    folder = written(tmp_path / "project", {"server.py": server(), "bad.env": f"{line}\n"})
    failed = refused(platform, folder, "--env-file", str(folder / "bad.env"))
    assert (failed.code, failed.error["category"]) == (2, "input")
    assert HIDDEN not in str(failed)


def test_variables_of_the_shell_are_named(platform: Platform, tmp_path: Path) -> None:
    start = 'os.environ.get("FIELD_TOKEN"), os.environ.get("FIELD_ABSENT")'
    folder = written(tmp_path / "project", {"server.py": server(start)})
    arguments = ["deploy", str(folder), "--name", "shell-variables"]
    done = Command(arguments, cwd=ROOT, env={**platform.environment, "FIELD_TOKEN": HIDDEN}).wait(120)
    assert "set in this shell, not for the server: FIELD_TOKEN (server.py:8)" in done.stdout
    assert "set nowhere: FIELD_ABSENT (server.py:8)" in done.stdout
    assert HIDDEN not in done.stdout + done.stderr


def test_ignored_files_are_named_and_brought(platform: Platform, tmp_path: Path) -> None:
    files = {"server.py": server('RATES = Path("data/rates.json")'), "data/rates.json": "{}", ".gitignore": "data/\n"}
    folder = written(tmp_path / "project", files)
    answer = deployed(platform, folder)
    assert kinds(answer) == {"left-behind"}
    # The folder is there, so that what is written into it has a place.
    assert called(platform, answer, "read", "path=data") == "True"
    assert called(platform, answer, "read", "path=data/rates.json") == "False"
    (folder / "fastmcp.toml").write_text('[deployment]\nentrypoint = "server.py"\ninclude = ["data"]\n')
    answer = deployed(platform, folder)
    assert kinds(answer) == set()
    assert called(platform, answer, "read", "path=data/rates.json") == "{}"


def test_a_server_that_cannot_start_without_them_says_so(platform: Platform, tmp_path: Path) -> None:
    files = {
        "server.py": server('Path("data/rates.json").read_text()'),
        "data/rates.json": "{}",
        ".gitignore": "data/\n",
    }
    folder = written(tmp_path / "project", files)
    hint = refused(platform, folder).error["hint"]
    assert "stays behind" in hint
    assert 'include = ["data/rates.json"]' in hint
    written(folder, {"server.py": server("import own_module"), "own_module.py": "", ".gitignore": "own_*.py\n"})
    assert 'include = ["own_module.py"]' in refused(platform, folder).error["hint"]


def test_empty_folders_are_there(platform: Platform, tmp_path: Path) -> None:
    start = 'open("logs/server.log", "a").close(); open(Path(__file__).parent / "state/deep/x", "w").close()'
    folder = written(tmp_path / "project", {"server.py": server(start), ".gitignore": "logs/\n*.tmp\n"})
    assert "no folder logs" in refused(platform, folder).error["hint"]
    (folder / "logs").mkdir()
    (folder / "state/deep").mkdir(parents=True)
    (folder / "state/deep/x.tmp").touch()
    assert called(platform, deployed(platform, folder), "read", "path=logs") == "True"


def test_background_work_is_told(platform: Platform, tmp_path: Path) -> None:
    start = "import threading; threading.Thread(target=print, daemon=True).start()"
    folder = written(tmp_path / "project", {"server.py": server(start)})
    assert kinds(deployed(platform, folder)) == {"background"}
    (folder / "fastmcp.toml").write_text('[deployment]\nentrypoint = "server.py"\n[scaling]\nmin = 1\n')
    assert kinds(deployed(platform, folder)) == set()


def test_a_server_that_offers_nothing_is_no_success(platform: Platform, tmp_path: Path) -> None:
    folder = written(tmp_path / "project", {"server.py": server()})
    first = deployed(platform, folder)
    (folder / "server.py").write_text("from mcp.server import MCPServer\n\nmcp = MCPServer('own-name')\n")
    failed = refused(platform, folder)
    assert (failed.code, failed.error["category"]) == (1, "inspect")
    assert "--allow-empty" in failed.error["hint"]
    # The old release serves on.
    assert called(platform, first, "key") == "none"
    assert deployed(platform, folder, "--allow-empty")["release"] == "v2"


@pytest.mark.parametrize(
    ("how", "config", "sessions"),
    [("", "", True), ("", "sessions = false\n", False), ("stateless_http=True", "", False)],
)
def test_sessions_are_on_where_the_code_needs_them(
    platform: Platform, tmp_path: Path, how: str, config: str, sessions: bool
) -> None:
    text = SESSIONS.replace(", {how}", "") + (f"\n\n    SETTINGS = dict({how})\n" if how else "")
    folder = written(tmp_path / "project", {"server.py": text})
    (folder / "fastmcp.toml").write_text(f'[deployment]\nentrypoint = "server.py"\n{config}')
    arguments = ["deploy", str(folder), "--name", f"sessions-{bool(how)}-{bool(config)}".lower(), "--json"]
    done = Command(arguments, cwd=ROOT, env=platform.environment).wait(120)
    assert ("sessions: on, server.py:10 uses ctx.list_roots" in done.stderr) == sessions
    assert (session_of(json.loads(done.stdout)["url"]) is not None) == sessions


def session_of(url: str) -> str | None:
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(url).port, timeout=60)
    params = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    connection.request("POST", "/mcp", json.dumps(message), headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.headers.get("mcp-session-id")
