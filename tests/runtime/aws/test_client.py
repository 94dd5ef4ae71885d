"""Tests calls of AWS: retries, kept connections, and errors that say nothing of what was sent."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from homeport_runtime.aws.client import DYNAMODB, SECRETS_MANAGER, Client
from homeport_runtime.aws.credentials import CredentialProvider
from homeport_runtime.aws.errors import AWSError
from homeport_runtime.aws.secrets import fetch_secret

from ...aws.moto_server import Moto


class Scripted:
    """Is an HTTP server that answers as it is told, in order: status and body, or None to close without an answer."""

    def __init__(self) -> None:
        self.script: list[tuple[int, dict[str, Any]] | None] = []
        self.seen: list[tuple[str, dict[str, str], bytes]] = []
        self.connections: set[int] = set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                outer.connections.add(self.client_address[1])
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                outer.seen.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                answer = outer.script.pop(0)
                if answer is None:
                    self.close_connection = True
                    return
                payload = json.dumps(answer[1]).encode()
                self.send_response(answer[0])
                self.send_header("content-length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            do_GET = do_POST  # noqa: N815 - as http.server names it

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def environment(self, **more: str) -> dict[str, str]:
        keys = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "very-secret-key", "AWS_REGION": "eu-central-1"}
        return {"AWS_ENDPOINT_URL": self.url, **keys, **more}


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    server = Scripted()
    yield server
    server.close()


THROTTLED = (400, {"__type": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"})


def test_what_is_temporary_is_tried_again_on_one_connection(scripted: Scripted) -> None:
    scripted.script = [THROTTLED, (500, {}), (200, {"Items": []}), (200, {})]
    with closing(Client(DYNAMODB, environment=scripted.environment())) as client:
        assert client.call("Query", {"TableName": "t"}) == {"Items": []}
        assert client.call("PutItem", {}) == {}
    assert len(scripted.connections) == 1
    path, headers, body = scripted.seen[0]
    assert (path, headers["x-amz-target"], json.loads(body)) == ("/", "DynamoDB_20120810.Query", {"TableName": "t"})
    assert headers["content-type"] == "application/x-amz-json-1.0"


def test_a_connection_that_was_closed_meanwhile_is_made_anew(scripted: Scripted) -> None:
    scripted.script = [(200, {}), None, (200, {"a": 1})]
    with closing(Client(DYNAMODB, environment=scripted.environment())) as client:
        client.call("Query", {})
        assert client.call("Query", {}) == {"a": 1}


def test_what_is_refused_is_refused_at_once_and_without_its_content(scripted: Scripted) -> None:
    scripted.script = [(400, {"__type": "ValidationException", "message": "the value hunter2 is bad"})]
    with closing(Client(DYNAMODB, environment=scripted.environment())) as client, pytest.raises(AWSError) as caught:
        client.call("PutItem", {"Item": "hunter2"})
    assert caught.value.code == "ValidationException"
    assert "hunter2" not in str(caught.value)
    assert len(scripted.seen) == 1


def test_the_endpoint_of_a_service_wins(scripted: Scripted) -> None:
    scripted.script = [(200, {})]
    environment = scripted.environment(AWS_ENDPOINT_URL="http://127.0.0.1:1")
    environment["AWS_ENDPOINT_URL_SECRETS_MANAGER"] = scripted.url
    with closing(Client(SECRETS_MANAGER, environment=environment)) as client:
        assert client.call("GetSecretValue", {}) == {}


def test_credentials_are_the_functions_own(scripted: Scripted) -> None:
    given = CredentialProvider(scripted.environment(AWS_SESSION_TOKEN="session")).get()
    assert (given.access_key, given.secret_key, given.session_token) == ("AKID", "very-secret-key", "session")
    assert "very-secret-key" not in repr(given)
    with pytest.raises(AWSError, match="AWS_SECRET_ACCESS_KEY is not set"):
        CredentialProvider({"AWS_ACCESS_KEY_ID": "AKID"}).get()


def test_credentials_after_a_restore_come_from_their_endpoint_and_are_renewed(scripted: Scripted) -> None:
    keys = {"AccessKeyId": "A", "SecretAccessKey": "S", "Token": "T"}
    scripted.script = [
        (200, {**keys, "Expiration": "2020-01-01T00:00:00Z"}),
        (200, {**keys, "AccessKeyId": "B", "Expiration": "2120-01-01T00:00:00Z"}),
    ]
    provider = CredentialProvider(
        {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{scripted.url}/v1/credentials?x=1",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": "let me in",
        }
    )
    assert [provider.get().access_key for _ in range(3)] == ["A", "B", "B"]
    assert scripted.seen[0][0] == "/v1/credentials?x=1"
    assert scripted.seen[0][1]["authorization"] == "let me in"
    with pytest.raises(AWSError, match="does not answer"):
        CredentialProvider({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/"}).get()


def test_a_secret_is_fetched_in_the_version_asked_for(moto: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in moto.environment.items():
        monkeypatch.setenv(name, value)
    boto = moto.client("secretsmanager")
    first = boto.create_secret(Name="homeport/fetched", SecretString=json.dumps({"PW": "hunter2", "KEY": "☃"}))
    boto.put_secret_value(SecretId=first["ARN"], SecretString=json.dumps({"PW": "newer"}))
    assert fetch_secret(first["ARN"], first["VersionId"]) == {"PW": "hunter2", "KEY": "☃"}
    assert fetch_secret(first["ARN"]) == {"PW": "newer"}
    with pytest.raises(AWSError, match="ResourceNotFoundException"):
        fetch_secret(first["ARN"] + "x")
    boto.put_secret_value(SecretId=first["ARN"], SecretString="hunter2")
    with pytest.raises(AWSError) as caught:
        fetch_secret(first["ARN"])
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
