"""Tests a project whose callers show tokens of an authorization server of the owner's own."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm

from tests.e2e.probing import wait_for
from tests.support import SERVERS, CommandFailedError, Platform, with_config

from .identity import ED, LATER, RSA, Identity, jwk, running_identity
from .test_clients import asked

pytestmark = pytest.mark.whole

SERVER = SERVERS / "mcp2_lowlevel"


@pytest.fixture(scope="module")
def identity() -> Iterator[Identity]:
    with running_identity() as running:
        yield running


def config(identity: Identity, extra: str = "") -> str:
    return f'[auth]\nmode = "oauth"\nissuer = "{identity.url}"\n{extra}'


def status(url: str, token: str) -> int:
    # Only callers hear that there is no GET.
    return {405: 200}.get(found := asked(url, "/mcp", "GET", authorization=f"Bearer {token}")[0], found)


def test_tokens_of_an_issuer(platform: Platform, identity: Identity, tmp_path: Path) -> None:
    folder = with_config(SERVER, config(identity, 'audience = ["api://notes"]\n'), tmp_path)
    answer = platform.run("deploy", str(folder), "--name", "issued")
    url, mcp = answer["url"], answer["mcp_url"]
    metadata = asked(url, "/.well-known/oauth-protected-resource/mcp")[2]
    assert (metadata["resource"], metadata["authorization_servers"]) == (mcp, [identity.url])

    good = (
        identity.token(mcp),
        identity.token(url),
        identity.token(["other", "api://notes"]),
        identity.token(mcp, RSA, "RS256", "rsa"),
        identity.token(mcp, ED, "EdDSA", "ed"),
        # A clock three minutes off.
        identity.token(mcp, iat=int(time.time()) + 180, nbf=int(time.time()) + 180),
        identity.token(mcp, exp=int(time.time()) - 180),
    )
    assert [status(url, token) for token in good] == [200] * len(good)

    bad = {
        "of another audience": identity.token("https://other.example/mcp"),
        "of another issuer": identity.token(mcp, iss="https://evil.example"),
        "expired": identity.token(mcp, exp=int(time.time()) - 3600),
        "not yet valid": identity.token(mcp, nbf=int(time.time()) + 3600),
        "unsigned": f"{identity.token(mcp).rpartition('.')[0]}.",
        "alg none": jwt.encode({"iss": identity.url, "aud": mcp, "exp": 9e9}, "", "none"),
        "signed with the public key": signed_with_public_key(identity, mcp),
        "of a shared key": identity.token(mcp, b"secret" * 6, "HS256", "shared"),
        "of another's key": identity.token(mcp, LATER),
        "without an audience": identity.token(None),
    }
    assert {name: status(url, token) for name, token in bad.items()} == dict.fromkeys(bad, 401)
    _, headers, _ = asked(url, "/mcp", "POST", authorization=f"Bearer {bad['expired']}")
    assert headers["www-authenticate"].startswith('Bearer error="invalid_token"')

    # A key that is unknown is looked for, but once a minute at most.
    before = identity.fetched
    for _ in range(5):
        assert status(url, identity.token(mcp, LATER, kid="later")) == 401
    identity.keys.append(jwk(ECAlgorithm, LATER, "later"))
    assert identity.fetched - before <= 1
    # The next deploy has it; while the issuer is down, what is known goes on.
    platform.run("deploy", str(folder), "--name", "issued")
    assert wait_for(lambda: status(url, identity.token(mcp, LATER, kid="later")) == 200)
    identity.is_broken = True
    try:
        platform.stop()
        platform.run("platform", "start")
        assert status(url, identity.token(mcp)) == 200
        with pytest.raises(CommandFailedError) as caught:
            platform.run("deploy", str(folder), "--name", "another")
        assert "the keys of" in caught.value.error["message"]
        assert [each["project"] for each in platform.run("list")["projects"]] == ["issued"]
    finally:
        identity.is_broken = False


def signed_with_public_key(identity: Identity, audience: str) -> str:
    """Returns a token whose HMAC has the issuer's public key as its secret, which a careless library takes."""
    secret = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def encoded(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    claims = {"iss": identity.url, "aud": audience, "sub": "eve", "exp": int(time.time()) + 600}
    text = f"{encoded({'alg': 'HS256', 'typ': 'JWT', 'kid': 'rsa'})}.{encoded(claims)}"
    signature = base64.urlsafe_b64encode(hmac.new(secret, text.encode(), hashlib.sha256).digest())
    return f"{text}.{signature.rstrip(b'=').decode()}"


def test_scopes_of_a_claim(platform: Platform, identity: Identity, tmp_path: Path) -> None:
    text = config(identity, 'scope_claim = "realm_access.roles"\n[scopes]\n"*" = "read"\nadd = "write"\n')
    answer = platform.run("deploy", str(with_config(SERVER, text, tmp_path)), "--name", "claimed")
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "add", "arguments": {"a": 1, "b": 2}}}

    def called(*roles: str) -> int:
        token = identity.token(answer["mcp_url"], realm_access={"roles": list(roles)})
        headers = {"authorization": f"Bearer {token}", "accept": "application/json, text/event-stream"}
        return httpx2.post(answer["mcp_url"], json=call, headers=headers, timeout=60).status_code

    assert (called("read"), called("read", "write"), called()) == (403, 200, 403)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('mode = "oauth"\nissuer = "id.example.com"', "must be the URL"),
        ('mode = "oauth"\nissuer = "http://id.example.com"', "must be the URL"),
        ('mode = "token"\nissuer = "https://id.example.com"', "for those who sign in"),
        ('mode = "oauth"\naudience = ["x"]', "for an issuer of your own"),
        ('mode = "oauth"\nissuer = "https://id.example.com"\nusers = { a = ["*"] }', "decides who may"),
        ('users = { a = ["*"] }', "for those who sign in"),
        ('mode = "oauth"\nusers = { a = "*" }', "no list of scopes"),
    ],
)
def test_what_would_have_no_effect_is_refused(platform: Platform, tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(CommandFailedError) as caught:
        platform.run("deploy", str(with_config(SERVER, f"[auth]\n{text}\n", tmp_path)), "--name", "refused")
    assert (caught.value.code, told in caught.value.error["message"]) == (2, True), caught.value.error
