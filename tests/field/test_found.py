"""Tests that what a person would run is found by the first deploy without a configuration: the root, the program, the
source.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from textwrap import dedent

import pytest

from tests.field.conftest import Deploy, Refuse, Served, written
from tests.support import Platform, require

# Each is a deploy; tests/config and tests/pipeline have what is found, and why.
pytestmark = pytest.mark.whole

SERVER = """
    from mcp.server import MCPServer

    mcp = MCPServer("found")


    @mcp.tool()
    def where() -> str:
        return "{answer}"


    if __name__ == "__main__":
        mcp.run()
"""
# The folder above is put on the path, and a file is read from the folder that it is started in.
ABOVE = """
    import sys
    from pathlib import Path

    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

    from mcp.server import MCPServer

    from shared_bits import GREETING

    SETTINGS = Path("config/settings.txt").read_text().strip()
    mcp = MCPServer("above")


    @mcp.tool()
    def where() -> str:
        return f"{GREETING} {SETTINGS}"
"""
STARTS = "from .server import mcp\n\n\ndef main() -> None:\n    mcp.run()\n"


def pyproject(name: str, *scripts: str) -> str:
    lines = ["[project]", f'name = "{name}"', 'version = "1"', 'dependencies = ["mcp>=2"]', "[project.scripts]"]
    return "\n".join([*lines, *scripts, ""])


def server(answer: str = "here") -> str:
    return SERVER.replace("{answer}", answer)


@pytest.mark.parametrize("path", ["svc/server.py", "svc", "svc/server.py:mcp"])
def test_what_lies_above_the_server_is_its_own(deploy: Deploy, path: str) -> None:
    files = {"shared_bits.py": 'GREETING = "hello"', "config/settings.txt": "from above", "svc/server.py": ABOVE}
    assert deploy(files, path=path).call("where") == "hello from above"


def test_one_server_among_files_that_mention_mcp(deploy: Deploy) -> None:
    files = {
        "__init__.py": '"""The notes MCP server."""',
        "notes_mcp_server.py": server(),
        "setup_mcp.py": "1 / 0  # mcp",
    }
    assert deploy(files).call("where") == "here"


def test_a_file_that_only_mentions_mcp_is_never_run(refuse: Refuse, tmp_path: Path) -> None:
    error = refuse({"setup_mcp.py": f"open({str(tmp_path / 'ran')!r}, 'w')  # mcp"})
    assert "no server found among setup_mcp.py" in error.error["message"]
    assert not (tmp_path / "ran").exists()


def test_a_main_that_starts_a_server_of_another_module(deploy: Deploy) -> None:
    files = {
        "main.py": "from app.server import mcp\n\nmcp.run()\n",
        "app/server.py": server("of app"),
        "app/__init__.py": "",
    }
    assert deploy(files).call("where") == "of app"


def test_one_of_several_scripts_by_its_name(deploy: Deploy, refuse: Refuse) -> None:
    files = {
        "pyproject.toml": pyproject("both", 'one = "pkg:main"', 'two = "pkg.second:main"'),
        "pkg/__init__.py": STARTS, "pkg/server.py": server("one"),
        "pkg/second.py": server("two").replace('if __name__ == "__main__":', "def main() -> None:"),
    }  # fmt: skip
    error = refuse(files)
    assert "several console scripts could be the server: one, two" in error.error["message"]
    assert deploy(files, path=".:two").call("where") == "two"


def test_the_command_of_a_readme(deploy: Deploy) -> None:
    config = '[deployment]\ncommand = "uv run --with mcp fastmcp run svc/server.py:mcp --transport stdio"\n'
    assert deploy({"fastmcp.toml": config, "svc/server.py": server("by command")}).call("where") == "by command"


def test_a_fastmcp_json_of_another_tool(deploy: Deploy) -> None:
    files = {"fastmcp.json": json.dumps({"name": "notes", "entrypoint": "srv/notes.py:mcp"}), "srv/notes.py": server()}
    assert deploy(files).call("where") == "here"
    assert deploy(files, path="srv/notes.py").call("where") == "here"


def repository(folder: Path, files: dict[str, str]) -> str:
    written(folder, files)
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.com")
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"], ["tag", "v1"]):
        subprocess.run(["git", *identity, *command], cwd=folder, check=True)
    return folder.as_uri()


def test_a_fastmcp_json_whose_dependencies_are_those_that_the_project_has_not(deploy: Deploy) -> None:
    """`fastmcp run` adds them to the project's by `uv run --with`, and is there itself."""
    files = {
        "fastmcp.json": json.dumps(
            {"source": {"path": "notes.py", "entrypoint": "mcp"}, "environment": {"dependencies": ["h11"]}}
        ),
        "pyproject.toml": '[project]\nname = "notes"\nversion = "1"\ndependencies = ["six", "mcp>=2"]\n',
        "notes.py": f"import fastmcp, h11, six\n{dedent(server())}",
    }
    assert deploy(files).call("where") == "here"


def test_a_git_repository(platform: Platform, tmp_path: Path) -> None:
    files = {
        "inner/pyproject.toml": pyproject("cloned", 'cloned = "cloned:main"'),
        "inner/src/cloned/__init__.py": STARTS,
        "inner/src/cloned/server.py": server(),
    }
    url = f"{repository(tmp_path / 'servers', files)}@v1#subdirectory=inner"
    answer = platform.run("deploy", url)
    assert answer["project"] == "servers-inner"
    assert Served(platform, answer["project"], answer["url"]).call("where") == "here"
    assert platform.run("deploy", url)["changed"] is False
    assert platform.run("status", answer["project"])["folder"] == url
    platform.run("destroy", answer["project"])


NODE_SERVER = """
    import { createInterface } from "node:readline";
    import isNumber from "is-number";

    const tools = [{ name: "number", inputSchema: { type: "object", properties: {} } }];
    const answers = {
      initialize: ({ protocolVersion }) => ({
        protocolVersion, capabilities: { tools: {} }, serverInfo: { name: "of-node", version: "1" },
      }),
      ping: () => ({}),
      "tools/list": () => ({ tools }),
      "tools/call": () => ({ content: [{ type: "text", text: `${isNumber(1)} ${process.argv.slice(2)}` }] }),
    };
    for await (const line of createInterface({ input: process.stdin })) {
      const { id, method, params } = JSON.parse(line);
      if (id === undefined) continue;
      const answer = answers[method]
        ? { result: answers[method](params ?? {}) }
        : { error: { code: -32601, message: "Method not found" } };
      console.log(JSON.stringify({ jsonrpc: "2.0", id, ...answer }));
    }
"""


def test_a_project_of_node_is_installed_and_built(deploy: Deploy) -> None:
    require(shutil.which("npm"), "npm is not installed")
    package = {
        "name": "mcp-of-node",
        "type": "module",
        "bin": {"mcp-of-node": "dist/index.js"},
        "scripts": {"build": "node -e \"require('fs').cpSync('src', 'dist', { recursive: true })\""},
        "dependencies": {"is-number": "7.0.0"},
    }
    files = {
        "package.json": json.dumps(package),
        "src/index.js": NODE_SERVER,
        ".gitignore": "dist\n",
        "requirements.txt": "",
    }
    assert deploy(files).call("number").strip() == "true"


def test_a_package_of_a_workspace_of_node_is_served_with_its_arguments(deploy: Deploy) -> None:
    require(shutil.which("npm"), "npm is not installed")
    scripts = {"build": "node -e \"require('fs').cpSync('src', 'dist', { recursive: true })\""}
    built = {"type": "module", "main": "dist/index.js", "scripts": scripts}
    files = {
        "package.json": json.dumps({"workspaces": ["packages/*"]}),
        "packages/mcp/package.json": json.dumps({**built, "name": "mcp", "dependencies": {"own-number": "*"}}),
        "packages/mcp/src/index.js": NODE_SERVER.replace('"is-number"', '"own-number"'),
        "packages/x/package.json": json.dumps({**built, "name": "own-number", "dependencies": {"is-number": "7.0.0"}}),
        "packages/x/src/index.js": "export { default } from 'is-number';",
        ".gitignore": "dist\n",
        "requirements.txt": "",
    }
    assert deploy(files, "--", "/data", path="packages/mcp").call("number") == "true /data"
