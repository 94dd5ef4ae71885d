"""Tests how clients see a server with a login of its own, behind its function's URL and behind CloudFront."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest

from platform_cli.targets.aws_lambda.challenges import METADATA, challenge_config
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


@pytest.mark.parametrize(("token", "status"), [({}, 401), ({"authorization": "Bearer little"}, 403)])
def test_a_client_hears_where_to_log_in_behind_its_name_alone(
    function: FunctionURL, token: dict[str, str], status: int
) -> None:
    with httpx.Client(headers={**ACCEPT, **token}, timeout=120) as client:
        direct = client.post(f"{function.url}/mcp", json=BODY)
        assert direct.status_code == status
        assert "www-authenticate" not in direct.headers, "Lambda renames it"
        exact = direct.headers["x-amzn-remapped-www-authenticate"]
        with distribution(function, challenge_config("policy", "project", NAME)) as url:
            answer = client.post(f"{url}/mcp", json=BODY)
            assert answer.status_code == status
            said = answer.headers["www-authenticate"]
            # What else the server says, such as the scopes that are missing, is under the other name alone.
            assert answer.headers["x-amzn-remapped-www-authenticate"] == exact
            place = re.search(r'resource_metadata="https://mcp\.example\.com([^"]+)"', said)
            assert place is not None
            assert place[0] in exact, "as the server itself says it"
            assert place[1] == METADATA
            assert client.get(url + place[1]).json()["resource"] == f"https://{NAME}/mcp"
