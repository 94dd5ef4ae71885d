"""Tests that what is wrong with credentials, the region or the way to AWS is called that, before anything is built."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from platform_cli.errors import AWSError
from platform_cli.targets.aws_lambda.client import AWS, aws_errors
from tests.aws.control_plane import ControlPlane
from tests.support import CommandFailedError, Platform

Refused = Callable[..., str]
PROFILES = {
    "expired-sso": "sso_session = none\nsso_account_id = 1\nsso_role_name = a\n",
    "no-source": "role_arn = arn:aws:iam::123456789012:role/a\nsource_profile = missing\n",
    "broken-process": "credential_process = /bin/false\n",
}
KEYS = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}


@pytest.fixture
def refused(laptop: Platform, plane: ControlPlane, project: Path, monkeypatch: pytest.MonkeyPatch) -> Refused:
    """Returns `refused(NAME=value)`, which returns what a deploy with these variables says; it has built nothing."""

    def refused(**environment: str) -> str:
        monkeypatch.setattr(laptop, "environment", {**laptop.environment, **environment})
        with pytest.raises(CommandFailedError) as caught:
            laptop.run("deploy", str(project), "--name", "refused")
        assert caught.value.error["category"] in ("aws", "config")
        assert not {"Traceback", "layer  ", "package "} & set(str(caught.value).splitlines())
        assert " lock " not in str(caught.value), "nothing was built"
        return f"{caught.value.error['message']} {caught.value.error['hint']}"

    return refused


@pytest.mark.parametrize("profile", PROFILES)
def test_credentials_that_cannot_be_used(refused: Refused, tmp_path: Path, profile: str) -> None:
    config = tmp_path / "aws-config"
    config.write_text(f"[profile {profile}]\n{PROFILES[profile]}")
    said = refused(**KEYS, AWS_CONFIG_FILE=str(config), AWS_PROFILE=profile, AWS_EC2_METADATA_DISABLED="true")
    assert "credentials that can be used" in said or "AWS's own settings" in said
    assert "aws sso login" in said or "~/.aws/config" in said


def test_no_credentials(refused: Refused) -> None:
    files = {"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}
    assert "there are no AWS credentials" in refused(**KEYS, **files, AWS_EC2_METADATA_DISABLED="true")


def test_credentials_that_have_expired(refused: Refused, plane: ControlPlane) -> None:
    plane.expired = True
    try:
        said = refused()
    finally:
        plane.expired = False
    assert "does not accept the credentials: ExpiredToken" in said


def test_a_region_that_there_is_not(refused: Refused) -> None:
    said = refused(AWS_REGION="eu-nowhere-7", AWS_ENDPOINT_URL="http://127.0.0.1:1", AWS_MAX_ATTEMPTS="1")
    assert "AWS has no region eu-nowhere-7" in said


@pytest.fixture
def html() -> Iterator[str]:
    """Runs a proxy that answers for AWS with a page."""

    class Proxy(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = b"<html><body><h1>502 Bad Gateway</h1><p>nginx</body></html>"
            self.send_response(502)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Prints nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_what_is_no_answer_of_aws(refused: Refused, html: str) -> None:
    assert "no answer of AWS's" in refused(AWS_ENDPOINT_URL=html, AWS_MAX_ATTEMPTS="1")


@pytest.mark.parametrize("service", ["lambda", "dynamodb", "logs", "secretsmanager"])
def test_no_service_that_answers_html_ends_in_a_traceback(
    html: str, monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    for name, value in {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_ENDPOINT_URL": html}.items():
        monkeypatch.setenv(name, value)
    aws = AWS("eu-central-1")
    ask: dict[str, Callable[[], object]] = {
        "lambda": aws.functions.list_functions,
        "dynamodb": aws.tables.list_tables,
        "logs": aws.logs.describe_log_groups,
        "secretsmanager": aws.secrets.list_secrets,
    }
    monkeypatch.setattr("time.sleep", lambda _: None)
    with pytest.raises(AWSError, match="no answer of AWS's"), aws_errors():
        ask[service]()


@pytest.mark.parametrize(
    ("code", "message", "said"),
    [
        ("RequestTimeTooSkewed", "", "the time of this machine"),
        ("InvalidSignatureException", "Signature expired: 20260101T000000Z", "the time of this machine"),
        ("SignatureDoesNotMatch", "", "secret access key is not the one"),
        ("UnrecognizedClientException", "", "not enabled"),
        ("AccessDenied", "iam:CreateRole", "iam:CreateRole"),
    ],
)
def test_each_refusal_has_its_reason(code: str, message: str, said: str) -> None:
    answer: Any = {"Error": {"Code": code, "Message": message}}
    with pytest.raises(AWSError, match=said) as caught, aws_errors():
        raise ClientError(answer, "CreateRole")
    assert caught.value.hint


def test_a_connection_that_ends_without_an_answer() -> None:
    with pytest.raises(AWSError), aws_errors():
        raise ConnectionClosedError(endpoint_url="https://lambda.eu-central-1.amazonaws.com")
