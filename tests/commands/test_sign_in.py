"""Tests what `homeport approve` shows its owner; that it lets somebody in is tested in tests/signin."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from platform_cli.api.sign_in import WaitingSignIn
from platform_cli.commands import sign_in

WAITING: WaitingSignIn = {
    "project": "notes",
    "client": "Claude\ngets all that you have",
    "client_id": "client-7",
    "redirects_to": "http://127.0.0.1:4711/callback",
    "scopes": ["notes:read"],
}


class Client:
    """Is a platform on which one sign-in waits."""

    def waiting_sign_in(self, _code: str) -> WaitingSignIn:
        return WAITING

    def approve_sign_in(self, _code: str, _user: str) -> WaitingSignIn:
        return WAITING


def test_what_was_approved_is_shown_and_stays_on_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_in, "local_client", Client)
    monkeypatch.setattr(sign_in, "running", lambda client, changes: client)
    lines = CliRunner().invoke(sign_in.approve_command, ["BCDF-GHJK", "--user", "alice"]).output.splitlines()
    assert lines == [
        "approved, as alice: the page in the browser goes on by itself",
        "project    notes",
        r"program    Claude\ngets all that you have (client-7), in its own words",
        "gets       notes:read",
        "answer to  http://127.0.0.1:4711/callback",
    ]
