"""Tests whom the guard sees in a token of somebody else's authorization server."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator

import pytest

from homeport_runtime.guard.access import PROJECT_TOKEN, Access, ClientToken
from homeport_runtime.guard.auth import Authenticator, authenticator
from homeport_runtime.guard.caller import CALLER, Caller
from homeport_runtime.guard.judge import Judge
from homeport_runtime.guard.limits import Limits
from homeport_runtime.guard.windows import SharedWindows
from tests.signin.identity import Identity, running_identity

from ..conftest import call

URL = "https://notes.example.com"
LIMITS = {
    "read": None,
    "write": [2, 60.0],
    "timeout_s": None,
    "tools": {},
    "clients": {PROJECT_TOKEN: {"write": [9, 60.0]}},
}


@pytest.fixture(scope="module")
def identity() -> Iterator[Identity]:
    with running_identity() as running:
        yield running


@pytest.fixture
def guard(identity: Identity) -> Authenticator:
    oauth = {"issuer": identity.url, "urls": [URL], "audience": [], "scope_claim": "scope", "scopes": []}
    hashed = hashlib.sha256(b"the project's own").hexdigest()
    found = authenticator(Access((ClientToken(hashed),), {**oauth, "has_scopes": False, "jwks": identity.keys}))
    assert found is not None
    return found


def caller(guard: Authenticator, token: str) -> Caller:
    found = guard.caller({"path": "/mcp", "headers": [(b"authorization", f"Bearer {token}".encode())]})
    assert found is not None
    return found


def test_no_client_of_an_issuer_passes_for_the_projects_own_token(guard: Authenticator, identity: Identity) -> None:
    own = caller(guard, "the project's own")
    theirs = caller(guard, identity.token(URL, azp=PROJECT_TOKEN, sub=""))
    assert (own.client, own.by_oauth) == (PROJECT_TOKEN, False)
    assert (theirs.client, theirs.by_oauth) == (f"{PROJECT_TOKEN} of {identity.url}", True)
    judge = Judge(None, Limits(LIMITS, [], SharedWindows))

    def refused(who: Caller) -> bool:
        return asyncio.run(judge.refusal({CALLER: who}, call("add"), None)) is not None

    assert [refused(theirs) for _ in range(3)] == [False, False, True], "the project's own rate is not its"
    assert not refused(own)


def test_a_client_of_an_issuer_takes_nothing_from_a_client_token_of_its_name() -> None:
    judge = Judge(None, Limits({**LIMITS, "clients": {}}, [], SharedWindows))

    def refused(who: Caller) -> bool:
        return asyncio.run(judge.refusal({CALLER: who}, call("add"), None)) is not None

    assert [refused(Caller("cursor", by_oauth=True)) for _ in range(3)] == [False, False, True]
    assert not refused(Caller("cursor"))
