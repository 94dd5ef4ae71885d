from __future__ import annotations

import pytest

from platform_cli.config.image_reference import parse_reference

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("python", "docker.io/library/python:latest"),
        ("python:3.12-slim", "docker.io/library/python:3.12-slim"),
        ("you/server", "docker.io/you/server:latest"),
        ("localhost/server", "localhost/server:latest"),
        ("127.0.0.1:5000/you/server:1.0", "127.0.0.1:5000/you/server:1.0"),
        ("[::1]:5000/server", "[::1]:5000/server:latest"),
        ("ghcr.io/you/a-server__x", "ghcr.io/you/a-server__x:latest"),
        (f"python:3.12@{DIGEST}", f"docker.io/library/python@{DIGEST}"),
    ],
)
def test_references(text: str, full: str) -> None:
    assert str(parse_reference(text)) == full


@pytest.mark.parametrize(
    "text",
    [
        "", "Python", "python:", "python:a b", "https://ghcr.io/you/server", "ghcr.io/", "a//b", "../server",
        "python@sha256:12", f"python@{DIGEST}0", "a" * 300, "server:-x", "user:password@ghcr.io/x", "ghcr.io:x/y",
    ],
)  # fmt: skip
def test_what_is_no_reference(text: str) -> None:
    with pytest.raises(ValueError, match="must be an image"):
        parse_reference(text)


def test_hosts() -> None:
    assert parse_reference("[::1]:5000/server").host == "::1"
    assert parse_reference("127.0.0.1:5000/server").host == "127.0.0.1"
    assert parse_reference("localhost/server").host == "localhost"
