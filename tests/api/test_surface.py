"""Tests that what others build on changes on purpose alone: whoever changes it changes surface.toml with it, and the
changelog.
"""

from __future__ import annotations

from unittest.mock import MagicMock

import pytest

from homeport_runtime.loading.environment import RESERVED
from platform_cli import errors
from platform_cli.api.version import API_VERSION
from platform_cli.aws_platform.api import create_app as create_app_on_aws
from platform_cli.aws_platform.names import QUEUE_VARIABLE
from platform_cli.config import environment
from platform_cli.config.schema import TABLES
from platform_cli.config.stages import STAGED
from platform_cli.controlplane.api import create_app
from platform_cli.errors import HomeportError

from .surface import EXPECTED, SHAPES, bodies, expected_keys, keys, routes


def test_version_of_the_api() -> None:
    assert EXPECTED["api_version"] == API_VERSION


def test_exit_codes_by_category() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, HomeportError)]
    assert {kind.category: kind.exit_code for kind in kinds} == EXPECTED["exit_codes"]


def test_keys_of_the_configuration() -> None:
    assert {table: list(keys) for table, keys in TABLES.items()} == EXPECTED["configuration"]


def test_tables_whose_keys_are_the_persons_own() -> None:
    assert EXPECTED["own_keys"] == {
        "environment": environment.NAME.pattern,
        "reserved": RESERVED,
        "stages": [*STAGED],
    }


@pytest.mark.parametrize("name", [*EXPECTED["shapes"]])
def test_keys_of_a_shape(name: str) -> None:
    assert keys(SHAPES[name]) == expected_keys(name)


def test_every_shape_is_expected() -> None:
    assert [*SHAPES] == [*EXPECTED["shapes"]]


def test_routes() -> None:
    app = create_app(*(MagicMock() for _ in range(4)))
    assert routes(app) == EXPECTED["routes"]
    assert bodies(app) == EXPECTED["bodies"]


def test_routes_on_aws_are_the_same_but_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(QUEUE_VARIABLE, "https://sqs.example/queue")
    found = routes(create_app_on_aws(MagicMock()))
    assert [*found] == EXPECTED["on_aws"]["routes"]
    assert found == {route: EXPECTED["routes"][route] for route in found}
