"""Tests that whatever goes wrong in a route, the client reads it as an error of ours."""

from __future__ import annotations

import json
from unittest.mock import MagicMock

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from platform_cli import __version__, errors
from platform_cli.api.failure import error_answer, read_error
from platform_cli.controlplane.api import create_app
from platform_cli.errors import HomeportError, NotFoundError

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, HomeportError)]


@pytest.fixture(scope="module")
def platform() -> MagicMock:
    return MagicMock()


@pytest.fixture(scope="module")
def client(platform: MagicMock) -> TestClient:
    app: FastAPI = create_app(platform, MagicMock(), MagicMock(), MagicMock())
    return TestClient(app, raise_server_exceptions=False)


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_is_read_as_the_class_that_it_was(kind: type[HomeportError]) -> None:
    for hint in ("what to do", None):
        read = read_error(json.loads(json.dumps(error_answer(kind("what happened", hint=hint)))))
        assert read is not None
        assert (type(read), read.message, read.hint) == (kind, "what happened", hint)


def test_a_category_of_a_later_version_is_an_error_like_any_other() -> None:
    read = read_error({"error": {"category": "from-the-future", "message": "what happened", "hint": None}})
    assert type(read) is HomeportError


@pytest.mark.parametrize("body", [None, [], "", {}, {"error": "no"}, {"error": {}}, {"error": {"message": 1}}])
def test_another_body_is_no_error_of_ours(body: object) -> None:
    assert read_error(body) is None


def test_an_expected_error(client: TestClient, platform: MagicMock) -> None:
    platform.overview.status.side_effect = NotFoundError("there is no project 'none'", hint="homeport list")
    answer = client.get("/v1/projects/none")
    assert answer.status_code == 404
    error = {"category": "not-found", "message": "there is no project 'none'", "hint": "homeport list"}
    assert answer.json() == {"error": error}


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/later"), ("PATCH", "/v1/projects/any")])
def test_a_route_that_this_version_has_not(client: TestClient, method: str, path: str) -> None:
    read = read_error(client.request(method, path).json())
    assert read is not None
    assert (read.category, path in read.message, __version__ in (read.hint or "")) == ("platform", True, True)


def test_a_body_that_this_version_does_not_take_is_not_told_again(client: TestClient) -> None:
    answer = client.put("/v1/projects/any/secrets", json={"values": {"KEY": ["hunter2"]}})
    read = read_error(answer.json())
    assert read is not None
    assert (answer.status_code, read.category, "body.values.KEY" in read.message) == (422, "input", True)
    assert "hunter2" not in answer.text


def test_an_answer_with_another_key_fails_instead_of_losing_it(client: TestClient, platform: MagicMock) -> None:
    platform.overview.versions.return_value = [{"release": "v1", "surprise": True}]
    assert client.get("/v1/projects/any/releases").status_code == 500
