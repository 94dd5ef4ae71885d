from __future__ import annotations

import hmac
import json
from typing import Any

import pytest

from platform_cli.github.webhook import MAX_COMMITS, PullRequest, Push, is_signed, read_event, sign
from tests.github.fake import FakeGitHub, example


def push(**fields: Any) -> dict[str, Any]:
    found = example("push", lambda payload: payload["ref"] == "refs/heads/master")
    commit = found["commits"][0] | {"added": ["one/a.py"], "removed": [], "modified": ["b.py"]}
    return found | {"commits": [commit], "created": False, "after": "a" * 40} | fields


def read(event: str, payload: object) -> Push | PullRequest | None:
    return read_event(event, json.dumps(payload).encode())


def test_githubs_own_signature_is_taken(github: FakeGitHub) -> None:
    body = json.dumps(push()).encode()
    secret = "it is a secret to everybody"
    (signature,) = github.sign([body], secret)
    assert is_signed(secret, body, signature)
    for wrong in (None, "", "sha256=", signature[:-1], signature.upper(), "sha256=\udcff"):
        assert not is_signed(secret, body, wrong), wrong
    assert not is_signed(secret, body + b" ", signature)


def test_signatures_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []
    monkeypatch.setattr(hmac, "compare_digest", lambda *both: compared.append(both))
    is_signed("secret", b"{}", "sha256=0")
    assert compared == [(sign("secret", b"{}").encode(), b"sha256=0")]


def test_what_a_push_touches(github: FakeGitHub) -> None:
    touched = read("push", push())
    assert isinstance(touched, Push)
    assert [touched.touches(folder) for folder in ("", "one", "on", "two")] == [True, True, False, False]
    commit = push()["commits"][0]
    whole: list[dict[str, Any]] = [{"forced": True}, {"created": True}, {"commits": []}]
    for fields in [*whole, {"commits": [commit] * MAX_COMMITS}]:
        found = read("push", push(**fields))
        assert isinstance(found, Push)
        assert found.touches("two"), fields


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        {},
        {"ref": 1},
        {"ref": "refs/heads/main"},
        {"after": "main; rm -rf /"},
        {"after": None},
        {"commits": [1]},
        {"repository": {"id": 1, "full_name": "../../etc"}},
    ],
)
def test_what_github_never_sends(github: FakeGitHub, wrong: Any) -> None:
    payload = push(**wrong) if wrong and wrong != {"ref": "refs/heads/main"} and isinstance(wrong, dict) else wrong
    with pytest.raises(ValueError, match="payload"):
        read("push", payload)
    with pytest.raises(ValueError):
        read_event("push", b"{" * 100_000)
