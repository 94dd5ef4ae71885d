"""Tests client tokens of projects on Lambda, which are kept in a variable of the function."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import httpx
import pytest

from homeport_runtime.guard.access import CLIENT_TOKENS
from homeport_runtime.hosts.aws_lambda.access import STATE_SECRET, LambdaAccess
from platform_cli.api.client_token import WantedClientToken
from platform_cli.errors import InputError, NotFoundError
from platform_cli.targets.aws_lambda.client_tokens import MAX_BYTES, added, listed, without
from tests.aws.control_plane import ControlPlane
from tests.aws.function_url import make_event
from tests.support import CommandFailedError, Platform

from .conftest import copy_project

CURSOR: WantedClientToken = {"client": "cursor", "user": "alice", "scopes": ["tools:use"], "expires_s": 3600.0}
PLAIN: WantedClientToken = {"client": "plain", "user": None, "scopes": None, "expires_s": None}
# Clients of mcp 1.x, which httpx is taken for, get no HTTP status for a refusal.
HEADERS = {"Accept": "application/json, text/event-stream", "User-Agent": "tests"}


def test_tokens_are_added_listed_and_revoked() -> None:
    token, made, clients = added("", CURSOR)
    assert token not in clients
    _, _, both = added(clients, PLAIN)
    assert [(each["client"], each["user"], each["scopes"]) for each in listed(both)] == [
        ("cursor", "alice", ["tools:use"]), ("plain", None, None),
    ]  # fmt: skip
    assert [each["client"] for each in listed(without("p", both, made["id"]))] == ["plain"]
    assert without("p", clients, made["id"]) == ""
    with pytest.raises(NotFoundError):
        without("p", clients, "00000000")


def test_a_function_has_room_for_some() -> None:
    clients = ""
    with pytest.raises(InputError, match="no room"):
        for _ in range(100):
            clients = added(clients, CURSOR)[2]
    assert len(clients) <= MAX_BYTES
    assert len(listed(clients)) >= 12
    data = json.loads(clients)
    for each in data[:5]:
        each["expires_at"] = 1
    assert len(listed(added(json.dumps(data), CURSOR)[2])) == len(data) - 4, "what has expired makes room"


def test_a_function_knows_them(monkeypatch: pytest.MonkeyPatch) -> None:
    token, _, clients = added("", CURSOR)
    monkeypatch.setenv("HOMEPORT_TOKEN_HASH", hashlib.sha256(b"project").hexdigest())
    monkeypatch.setenv(CLIENT_TOKENS, clients)
    monkeypatch.setenv(STATE_SECRET, "shared")
    access = LambdaAccess()

    def allows(shown: str) -> bool:
        return access.allows(make_event("POST", "/mcp", {"authorization": f"Bearer {shown}"}, b"{}"))

    assert [allows(token), allows("project"), allows("other")] == [True, True, False]
    assert access.access is not None
    known = access.access.tokens[-1]
    assert (known.client, known.user, known.scopes) == ("cursor", "alice", ("tools:use",))
    assert access.state_secret() == "shared", "whichever token a caller shows"


@pytest.mark.whole
def test_a_clients_token_from_its_making_to_its_end(laptop: Platform, plane: ControlPlane, tmp_path: Path) -> None:
    rules = '[auth]\nmode = "token"\n[scopes]\n"*" = "tools:use"\nadd = "tools:add"\n'
    project = copy_project(tmp_path, rules)
    laptop.run("deploy", str(project), "--name", "clients")
    with pytest.raises(CommandFailedError) as caught:
        laptop.run("token", "create", "clients", "--client", "cursor", "--scope", "tools:uze", "--target", "lambda")
    assert "did you mean tools:use" in str(caught.value)
    made = laptop.run("token", "create", "clients", "--client", "cursor", "--scope", "tools:use", "--target", "lambda")
    assert [each["id"] for each in laptop.run("token", "list", "clients", "--target", "lambda")["tokens"]] == [
        made["id"]
    ]

    def call(tool: str) -> int:
        params = {"name": tool, "arguments": {"a": 1, "b": 2} if tool == "add" else {}}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        headers = {**HEADERS, "Authorization": f"Bearer {made['token']}"}
        return httpx.post(f"{plane.url('homeport-clients')}/mcp", json=message, headers=headers, timeout=60).status_code

    assert [call("whoami"), call("add")] == [200, 403]
    (project / "note.txt").write_text("another release")
    laptop.run("deploy", str(project), "--name", "clients")
    assert call("whoami") == 200, "it outlives deploys"
    laptop.run("token", "revoke", "clients", made["id"], "--target", "lambda")
    assert call("whoami") == 401
    laptop.run("rollback", "clients", "v1")
    assert call("whoami") == 401, "no rollback brings it back"
    laptop.run("destroy", "clients", "--yes")
