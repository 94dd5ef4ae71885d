"""Compares our signature with botocore's of the same request."""

from __future__ import annotations

import datetime

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials as BotoCredentials

from homeport_runtime.aws.credentials import Credentials
from homeport_runtime.aws.signing import signed_headers

NOW = datetime.datetime(2026, 11, 25, 20, 15, 30, tzinfo=datetime.UTC)


@pytest.mark.parametrize("session_token", [None, "a/session+token=="])
@pytest.mark.parametrize(
    ("method", "url", "headers", "body"),
    [
        ("POST", "https://dynamodb.eu-central-1.amazonaws.com/", {"X-Amz-Target": "DynamoDB_20120810.Query"}, b"{}"),
        ("POST", "http://127.0.0.1:5000/", {"Content-Type": "application/x-amz-json-1.1"}, "snow ☃".encode()),
        ("GET", "https://example.amazonaws.com/?b=2&a=1&a=0&c=%20x%2Fy&empty=", {"My-Header": "  a   b  "}, b""),
        ("GET", "https://example.amazonaws.com/a%20b/c+d/~e", {}, b""),
    ],
)
def test_it_is_botocores(
    method: str,
    url: str,
    headers: dict[str, str],
    body: bytes,
    session_token: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: NOW)
    request = AWSRequest(method=method, url=url, headers=HTTPHeaders.from_dict(headers), data=body)
    SigV4Auth(BotoCredentials("AKID", "secret/key+x", session_token), "dynamodb", "eu-central-1").add_auth(request)
    ours = signed_headers(
        method,
        url,
        headers,
        body,
        credentials=Credentials("AKID", "secret/key+x", session_token),
        region="eu-central-1",
        service="dynamodb",
        now=NOW,
    )
    assert ours["Authorization"] == request.headers["Authorization"]


def test_the_example_that_aws_publishes() -> None:
    """It is `get-vanilla` of AWS's Signature Version 4 test suite."""
    signed = signed_headers(
        "GET",
        "https://example.amazonaws.com/",
        {},
        b"",
        credentials=Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
        region="us-east-1",
        service="service",
        now=datetime.datetime(2015, 8, 30, 12, 36, tzinfo=datetime.UTC),
    )
    signature = signed["Authorization"].rpartition("Signature=")[2]
    assert signature == "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
