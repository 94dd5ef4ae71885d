from __future__ import annotations

from pathlib import Path

import pytest

from homeport_runtime.libraries.tried import SDKS, TRIED, Untried, limit, untried, untried_sdks
from tests.field.sdk_versions import RELEASED


def newest(library: str) -> str:
    versions = [version.partition("==")[2] for version in RELEASED if version.startswith(f"{library}==")]
    return max((v for v in versions if v.replace(".", "").isdigit()), key=lambda v: [int(n) for n in v.split(".")])


@pytest.mark.parametrize("library", SDKS)
def test_the_newest_sdk_is_one_that_the_matrix_tries(library: str) -> None:
    assert TRIED[library][1] == newest(library)


def test_what_is_newer_is_found_by_the_layers_metadata(tmp_path: Path) -> None:
    for name in ("fastmcp-5.0", "mcp-2.3.9", "sse_starlette-99.1", "pydantic-2.13.0", "other-1.0", "uvicorn-nonsense"):
        (tmp_path / f"{name}.dist-info").mkdir()
    assert list(untried(tmp_path)) == [Untried("fastmcp", "5.0"), Untried("sse-starlette", "99.1")]
    assert list(untried_sdks(tmp_path)) == [Untried("fastmcp", "5.0")]


def test_it_says_what_was_tried_and_what_to_require() -> None:
    major, minor = map(int, TRIED["mcp"][1].split(".")[:2])
    newer = Untried("mcp", "9.0")
    assert newer.sentence("0.1") == f"homeport 0.1 has been tried with mcp up to {major}.{minor}; this is 9.0"
    assert newer.pin == f"mcp<{major}.{minor + 1}"
    assert limit("uvicorn").startswith("<0.")
