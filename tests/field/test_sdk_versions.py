"""Runs a part of `make sdk-matrix`: SDKs of 2025, as the lock files of that year have them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.field.sdk_matrix import difference, project
from tests.field.sdk_versions import PART
from tests.support import Platform

pytestmark = pytest.mark.whole


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    running = Platform(Path(tmp_path_factory.mktemp("home")))
    yield running
    running.stop()


@pytest.mark.parametrize("version", PART)
def test_a_server_of_that_version_is_served_as_it_is_by_hand(platform: Platform, version: str) -> None:
    assert not difference(platform, project(version))
