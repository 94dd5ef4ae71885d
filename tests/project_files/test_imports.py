"""Tests requirements that are guessed from imports."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from platform_cli.errors import SourceError
from platform_cli.project_files.imports import infer_requirements, local_files

LOWLEVEL_V1 = """
import asyncio
from mcp.server import Server
from mcp.server.stdio import stdio_server
from mcp.types import Tool, TextContent
server = Server("expense-tracker")
@server.list_tools()
async def list_tools(): return []
"""


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (LOWLEVEL_V1, ["mcp<2"]),
        ("from fastmcp import FastMCP\nimport json, os\nmcp = FastMCP('x')", ["fastmcp"]),
        ("from mcp.server.fastmcp import FastMCP", ["mcp<2"]),
        ("import mcp.server.fastmcp as f", ["mcp<2"]),
        ("from mcp.server import fastmcp", ["mcp<2"]),
        ("from mcp import McpError", ["mcp<2"]),
        ("from mcp.client.websocket import websocket_client", ["mcp<2"]),
        ("from mcp.shared.session import RequestResponder", ["mcp<2"]),
        ("import mcp.server.experimental.tasks", ["mcp<2"]),
        ("from mcp.shared.context import RequestContext", ["mcp<2"]),
        ("from mcp.client.streamable_http import streamablehttp_client", ["mcp<2"]),
        ("from mcp.client.streamable_http import streamable_http_client", ["mcp"]),
        ("from mcp.shared.exceptions import MCPError", ["mcp>=2,<3"]),
        ("from fastmcp.server.tasks import TaskConfig", ["fastmcp<4"]),
        ("from fastmcp.server import proxy", ["fastmcp<4"]),
        ("from fastmcp.tools.tool_manager import ToolManager", ["fastmcp<3"]),
        ("from fastmcp.tools.tool import Tool", ["fastmcp"]),
        ("from mcp.server import MCPServer", ["mcp>=2,<3"]),
        ("from mcp.server.mcpserver import Context", ["mcp>=2,<3"]),
        ("import mcp_types", ["mcp>=2,<3"]),
        ("from mcp.server.lowlevel import Server\ns = Server('x', on_list_tools=f)", ["mcp>=2,<3"]),
        ("from mcp import ClientSession", ["mcp"]),
        ("from mcp.server import Server\ns = Server('x', on_list_tools=f)\n@s.call_tool()\ndef f(): ...", ["mcp<2"]),
        ("from fastmcp import FastMCP\nm = FastMCP('x', stateless_http=True)", ["fastmcp<3"]),
        ("from fastmcp import FastMCP\nm = FastMCP('x', host='0.0.0.0')", ["fastmcp<3"]),
        ("from fastmcp import FastMCP\nm = FastMCP.as_proxy('x')", ["fastmcp<4"]),
        ("from fastmcp import Context\nasync def f(ctx): await ctx.sample('x')", ["fastmcp<4"]),
        ("from fastmcp import FastMCP\nimport random\nrandom.sample([1], 1)", ["fastmcp"]),
        ("from fastmcp import FastMCP\nfrom mcp import McpError", ["fastmcp<4", "mcp<2"]),
        ("from mcp.server.fastmcp import FastMCP\nm = FastMCP('x', host='::')", ["mcp<2"]),
        (
            "import yaml, PIL.Image, cv2\nfrom sklearn import svm",
            ["opencv-python-headless", "pillow", "pyyaml", "scikit-learn"],
        ),
        ("from google.cloud import storage\nimport google.genai", ["google-cloud-storage", "google-genai"]),
        ("try:\n    import free_name\nexcept ImportError:\n    free_name = None", []),
        ("from __future__ import annotations\nimport os.path, _private", []),
        ("def f():\n    import httpx", ["httpx"]),
        ("match 1:\n    case 1:\n        import httpx\n    case _:\n        import rich", ["httpx", "rich"]),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import numpy\nelse:\n    import rich", ["rich"]),
        ("import typing\nif typing.TYPE_CHECKING:\n    import numpy", []),
        ("try:\n    import orjson\nexcept ImportError:\n    orjson = None", []),
        ("try:\n    import orjson\nexcept (KeyError, ModuleNotFoundError):\n    import json as orjson", []),
        ("try:\n    import orjson\nexcept ImportError:\n    import simplejson", ["orjson"]),
        ("import sys\ntry:\n    import orjson\nexcept ImportError:\n    sys.exit('pip install orjson')", ["orjson"]),
        ("try:\n    import orjson\nexcept ImportError as e:\n    raise RuntimeError from e", ["orjson"]),
        ("try:\n    import orjson\nexcept OSError:\n    pass\nfinally:\n    import rich", ["orjson", "rich"]),
        ("try:\n    from fastmcp import FastMCP\nexcept ImportError:\n    FastMCP = None", ["fastmcp"]),
        ("x = '\\d'\nimport httpx", ["httpx"]),
    ],
)
def test_inference(text: str, expected: list[str], tmp_path: Path) -> None:
    write(tmp_path, {"server.py": text})
    assert list(infer_requirements(tmp_path, "server.py")) == expected


def test_local_modules_are_walked_and_not_required(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "app/server.py": "import helper, pkg.sub\nfrom shared import tool\nfrom ns import part\nimport redis",
            "app/helper.py": "import httpx\nimport server",
            "pkg/__init__.py": "",
            "pkg/sub.py": "from . import sibling\nfrom .other.deep import x",
            "pkg/sibling.py": "import rich",
            "pkg/other/__init__.py": "import attr",
            "pkg/other/deep.py": "from ... import outside",
            "src/shared/__init__.py": "",
            "src/shared/tool.py": "import yaml",
            "ns/part.py": "import idna",
            "redis/redis.conf": "",
            "unused.py": "import numpy",
            "app/broken.py": "def",
        },
    )
    assert infer_requirements(tmp_path, "app/server.py") == ("attrs", "httpx", "idna", "pyyaml", "redis", "rich")
    assert local_files(tmp_path, "app/server.py") == (
        "app/helper.py", "app/server.py", "ns/part.py", "pkg/__init__.py", "pkg/other/__init__.py", "pkg/other/deep.py",
        "pkg/sibling.py", "pkg/sub.py", "src/shared/__init__.py", "src/shared/tool.py",
    )  # fmt: skip


def test_what_an_http_server_imports_by_its_name_counts(tmp_path: Path) -> None:
    run = "import subprocess\nimport uvicorn\nuvicorn.run('web.app:create', factory=True)\nsubprocess.run('no:module')"
    write(tmp_path, {"main.py": run, "web/app.py": "import fastmcp"})
    assert local_files(tmp_path, "main.py") == ("main.py", "web/app.py")
    assert infer_requirements(tmp_path, "main.py") == ("fastmcp", "uvicorn")


def test_a_package_is_imported_from_the_folder_above_it(tmp_path: Path) -> None:
    write(
        tmp_path, {"lib/app/__init__.py": "", "lib/app/server.py": "import app.tools", "lib/app/tools.py": "import six"}
    )
    assert infer_requirements(tmp_path, "lib/app/server.py") == ("six",)


def test_what_lies_in_the_project_is_local(tmp_path: Path) -> None:
    """A distribution of that name is a stranger's (case field-01)."""
    write(
        tmp_path,
        {
            "services/one/server.py": "import redis, requests, rich\nimport helper_of_tests, my_tool, deep_package.x",
            "services/redis/__init__.py": "",
            "requests.py": "",
            "odd place/helper_of_tests.py": "",
            "lib/deep_package/x.py": "",
        },
    )
    assert infer_requirements(tmp_path, "services/one/server.py", ["my-tool"]) == ("rich",)


def test_an_unknown_name_is_refused_and_never_guessed(tmp_path: Path) -> None:
    write(tmp_path, {"server.py": "import rich\nimport helper", "helper.py": "\n\nfrom excel_mcp.server import x"})
    with pytest.raises(SourceError, match=r"helper.py, line 3: `excel_mcp`") as caught:
        infer_requirements(tmp_path, "server.py")
    assert "requirements.txt" in (caught.value.hint or "")
    for name in ("google.cloud.nothing_known", "azure.mgmt.surprise", "rich_"):
        write(tmp_path, {"server.py": f"import {name}"})
        with pytest.raises(SourceError, match=r"server.py, line 1"):
            infer_requirements(tmp_path, "server.py")


def test_modules_outside_the_project_are_not_read(tmp_path: Path) -> None:
    write(tmp_path, {"secret.py": "import numpy", "project/server.py": "import secret\nfrom .. import secret as s"})
    (tmp_path / "project/secret.py").symlink_to(tmp_path / "secret.py")
    assert local_files(tmp_path / "project", "server.py") == ("server.py",)


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"x = 1\ndef f(:\n", "server.py, line 2, column 7"), (b"a\0b", "null bytes"), (b"\xff\xfe", "line 1")],
)
def test_what_is_not_python(data: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "server.py").write_bytes(data)
    with pytest.raises(SourceError, match=message):
        infer_requirements(tmp_path, "server.py")
    with pytest.raises(SourceError, match="not a file"):
        infer_requirements(tmp_path, "absent.py")
