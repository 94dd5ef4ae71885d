"""Tests what a person is told of the program that is served."""

from __future__ import annotations

import pytest

from homeport_runtime.hosts.start import shown_command


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (("node", "node_modules/x/index.js", "--api-key", "k3y"), "node node_modules/x/index.js"),
        (("npx", "-y", "some-server", "k3y"), "npx some-server"),
        (("python", "-m", "server", "k3y"), "python server"),
        (("./server", "k3y"), "./server"),
        (("server", "--key=k3y"), "server"),
        (("server",), "server"),
    ],
)
def test_arguments_are_not_shown_since_keys_may_be_among_them(command: tuple[str, ...], shown: str) -> None:
    assert shown_command(command) == shown
