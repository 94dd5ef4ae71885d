"""Asks a server with a login of its own, as clients see it behind its function's URL and behind CloudFront."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest

from homeport_runtime.hosts.aws_lambda.front import CHALLENGE, MARK, STATUS, for_front
from platform_cli.targets.aws_lambda.challenges import challenge_code
from platform_cli.targets.aws_lambda.distributions import Front, front_config
from tests.aws.cloudfront import distribution
from tests.aws.function_url import FunctionURL
from tests.runtime.hosts.aws_lambda.lambda_functions import lay_out
from tests.support import require

NAME = "mcp.example.com"
# Says who may call, as the specification has it (2025-11-25, basic/authorization).
SERVER = """
import json

URL = "https://mcp.example.com"
PLACE = f'resource_metadata="{URL}/.well-known/oauth-protected-resource/mcp"'

async def answer(send, status, body, *headers):
    fields = [(b"content-type", b"application/json"), *headers]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        return
    shown = dict(scope["headers"]).get(b"authorization")
    if scope["path"] == "/.well-known/oauth-protected-resource/mcp":
        await answer(send, 200, {"resource": f"{URL}/mcp", "authorization_servers": ["https://login.example.com"]})
    elif shown is None:
        await answer(send, 401, {}, (b"www-authenticate", f'Bearer error="invalid_token", {PLACE}'.encode()))
    else:
        scopes = f'Bearer error="insufficient_scope", scope="write", {PLACE}'
        await answer(send, 403, {}, (b"www-authenticate", scopes.encode()))
"""
BODY = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
ACCEPT = {"accept": "application/json, text/event-stream"}


@pytest.fixture(scope="module")
def function(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FunctionURL]:
    require(sys.platform == "linux" and os.geteuid() == 0, "only root on Linux can lay a sandbox out as Lambda does")
    folder = tmp_path_factory.mktemp("function")
    with closing(FunctionURL(lay_out(folder, SERVER, "mcp>=2"), folder)) as front:
        yield front


@pytest.fixture(scope="module")
def behind(function: FunctionURL) -> Iterator[str]:
    require(shutil.which("node") is not None, "node runs what CloudFront runs")
    front = Front("", [NAME], "", "", None, "")
    with distribution(function, front_config(front), challenge_code().decode()) as url:
        yield url


@pytest.mark.parametrize(("token", "status"), [({}, 401), ({"authorization": "Bearer little"}, 403)])
def test_a_client_behind_its_name_hears_where_to_log_in_and_which_scopes_it_lacks(
    function: FunctionURL, behind: str, token: dict[str, str], status: int
) -> None:
    with httpx.Client(headers={**ACCEPT, **token}, timeout=120) as client:
        direct = client.post(f"{function.url}/mcp", json=BODY)
        assert direct.status_code == status
        assert "www-authenticate" not in direct.headers, "Lambda renames it"
        answer = client.post(f"{behind}/mcp", json=BODY)
        assert (answer.status_code, answer.json()) == (status, {})
        assert answer.headers["www-authenticate"] == direct.headers["x-amzn-remapped-www-authenticate"]
        assert not [name for name in answer.headers if name.startswith("x-homeport")]
        found = client.get(f"{behind}/.well-known/oauth-protected-resource/mcp")
        assert (found.status_code, found.json()["resource"]) == (200, f"https://{NAME}/mcp")


def test_only_refusals_with_a_challenge_change() -> None:
    asked, direct = ({"headers": headers} for headers in ([(MARK, b"1")], []))
    two = [(b"WWW-Authenticate", b"Bearer a"), (b"x", b"y"), (b"www-authenticate", b"Basic b")]
    assert for_front(asked, 401, two) == (200, [(b"x", b"y"), (STATUS, b"401"), (CHALLENGE, b"Bearer a, Basic b")])
    for scope, status, headers in ((direct, 401, two), (asked, 404, two), (asked, 403, two[1:2]), (asked, 200, [])):
        assert for_front(scope, status, headers) == (status, headers)
