from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.commands.conftest import PROJECT, Run, error_of
from tests.support import Deployment

CLIENTS = ("claude-desktop", "claude-code", "cursor", "vscode")
APPLICATIONS = "Library/Application Support" if sys.platform == "darwin" else ".config"
PATHS = {
    "claude-desktop": f"{APPLICATIONS}/Claude/claude_desktop_config.json",
    "claude-code": ".claude.json",
    "cursor": ".cursor/mcp.json",
    "vscode": f"{APPLICATIONS}/Code/User/mcp.json",
}


def expected(client: str, tiny: Deployment, transport: str) -> dict[str, object]:
    if client == "vscode":
        return {"servers": {PROJECT: {"type": transport, "url": getattr(tiny, _url(transport))}}}
    entries: dict[tuple[str, str], object] = {
        ("claude-desktop", "http"): {"command": "npx", "args": ["-y", "mcp-remote", tiny.mcp_url]},
        ("claude-desktop", "sse"): {"url": tiny.sse_url, "transport": "sse"},
        ("claude-code", "http"): {"type": "http", "url": tiny.mcp_url},
        ("claude-code", "sse"): {"type": "sse", "url": tiny.sse_url},
        ("cursor", "http"): {"url": tiny.mcp_url},
        ("cursor", "sse"): {"url": tiny.sse_url, "transport": "sse"},
    }
    return {"mcpServers": {PROJECT: entries[client, transport]}}


def _url(transport: str) -> str:
    return "mcp_url" if transport == "http" else "sse_url"


@pytest.mark.parametrize("transport", ["http", "sse"])
@pytest.mark.parametrize("client", CLIENTS)
def test_connect_prints_the_configuration(
    run: Run, tiny: Deployment, tmp_path: Path, client: str, transport: str
) -> None:
    answer = run("connect", PROJECT, "--client", client, "--transport", transport, "--json").json
    path = tmp_path / PATHS[client]
    assert answer == {
        "ok": True,
        "client": client,
        "path": str(path),
        "written": False,
        "backup": None,
        "config": expected(client, tiny, transport),
    }
    assert not path.exists()
    done = run("connect", PROJECT, "--client", client, "--transport", transport)
    assert json.loads(done.stdout) == expected(client, tiny, transport)
    command = f"claude mcp add --scope user --transport {transport} {PROJECT} {getattr(tiny, _url(transport))}"
    assert (command in done.stderr) == (client == "claude-code")


@pytest.mark.parametrize("client", CLIENTS)
def test_write_makes_the_file(run: Run, tiny: Deployment, tmp_path: Path, client: str) -> None:
    answer = run("connect", PROJECT, "--client", client, "--write", "--json").json
    path = tmp_path / PATHS[client]
    assert (answer["written"], answer["backup"], answer["path"]) == (True, None, str(path))
    assert json.loads(path.read_text()) == expected(client, tiny, "http")


def test_write_keeps_what_is_there_and_a_backup(run: Run, tiny: Deployment, tmp_path: Path) -> None:
    path = tmp_path / PATHS["cursor"]
    path.parent.mkdir()
    old = '{\n\t"theme": "dark",\n\t"mcpServers": {\n\t\t"other": {\n\t\t\t"command": "x"\n\t\t}\n\t}\n}\n'
    path.write_text(old)
    answer = run("connect", PROJECT, "--client", "cursor", "--write", "--json").json
    assert Path(answer["backup"]).read_text() == old
    assert Path(answer["backup"]).parent == path.parent
    entry = f'\t\t"{PROJECT}": {{\n\t\t\t"url": "{tiny.mcp_url}"\n\t\t}}'
    assert path.read_text() == old.replace('"x"\n\t\t}', f'"x"\n\t\t}},\n{entry}')
    again = run("connect", PROJECT, "--client", "cursor", "--write", "--json").json
    assert (again["written"], again["backup"]) == (True, None)
    assert len(list(path.parent.iterdir())) == 2


def test_a_file_with_comments_is_left_alone(run: Run, tiny: Deployment, tmp_path: Path) -> None:
    path = tmp_path / PATHS["vscode"]
    path.parent.mkdir(parents=True)
    old = '{\n  // mine\n  "servers": {},\n}\n'
    path.write_text(old)
    code, category, message, hint = error_of(run("connect", PROJECT, "--client", "vscode", "--write", "--json"))
    assert (code, category) == (2, "input")
    assert str(path) in message
    assert "paste" in hint
    assert path.read_text() == old
    assert [file.name for file in path.parent.iterdir()] == ["mcp.json"]


def test_claude_desktops_file_never_gets_a_url(run: Run, tiny: Deployment, tmp_path: Path) -> None:
    arguments = ("connect", PROJECT, "--client", "claude-desktop", "--transport", "sse")
    assert error_of(run(*arguments, "--write", "--json"))[:2] == (2, "input")
    assert not (tmp_path / PATHS["claude-desktop"]).exists()
    assert "drops such servers" in run(*arguments).stderr


def test_claude_codes_own_folder_is_honoured(run: Run, tiny: Deployment, tmp_path: Path) -> None:
    env = {"CLAUDE_CONFIG_DIR": str(tmp_path / "cc")}
    answer = run("connect", PROJECT, "--client", "claude-code", "--json", env=env).json
    assert answer["path"] == str(tmp_path / "cc" / ".claude.json")


def test_a_file_that_may_not_be_read(run: Run, tiny: Deployment, tmp_path: Path) -> None:
    path = tmp_path / PATHS["cursor"]
    path.mkdir(parents=True)
    code, category, message, _hint = error_of(run("connect", PROJECT, "--client", "cursor", "--write", "--json"))
    assert (code, category) == (1, "failed")
    assert str(path) in message


def test_bad_arguments(run: Run, tiny: Deployment) -> None:
    assert error_of(run("connect", "nobody", "--client", "cursor", "--json"))[:2] == (4, "not-found")
    assert error_of(run("connect", PROJECT, "--client", "emacs", "--json"))[:2] == (2, "input")
    assert error_of(run("connect", PROJECT, "--json"))[:2] == (2, "input")
    assert error_of(run("connect", PROJECT, "--client", "cursor", "--transport", "ws", "--json"))[:2] == (2, "input")
