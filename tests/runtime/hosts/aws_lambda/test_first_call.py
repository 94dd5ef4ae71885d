"""Tests what a function imports before its first call is answered."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from pathlib import Path

import pytest

from homeport_runtime.hosts.aws_lambda.host import IMPORT_FIRST, _imports_first
from tests.aws.function_url import FunctionURL

from ....support import require
from ...conftest import call
from .lambda_functions import lay_out
from .test_host import ask

SERVER = """
import sys
from fastmcp import Context, FastMCP

mcp = FastMCP("state")

@mcp.tool
def loaded() -> bool:
    return "key_value" in sys.modules

@mcp.tool
async def remember(ctx: Context) -> str:
    await ctx.set_state("word", "kept")
    return await ctx.get_state("word")
"""


@pytest.mark.parametrize(
    ("said", "memory_mb", "first"),
    [("", "512", True), ("", "1024", False), ("", "", False), ("1", "10240", True), ("0", "128", False)],
)
def test_a_small_instance_imports_first(
    said: str, memory_mb: str, first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {IMPORT_FIRST: said, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": memory_mb}.items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name, raising=False)
    assert _imports_first() is first


def test_a_store_of_state_is_loaded_by_who_stores(tmp_path: Path) -> None:
    require(sys.platform == "linux" and os.geteuid() == 0, "only root on Linux can lay a sandbox out as Lambda does")
    with closing(FunctionURL(lay_out(tmp_path, SERVER, "fastmcp>=4"), tmp_path)) as front:
        answers = [ask(front, call(tool))["result"]["content"][0]["text"] for tool in ("loaded", "remember", "loaded")]
    assert answers == ["false", "kept", "true"]
