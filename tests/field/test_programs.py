"""Tests that what a person would start is what is served: a file, a module or a console script, run as the program it
is.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from textwrap import dedent
from zipfile import ZipFile

import pytest

from tests.field.conftest import Deploy, Refuse, Served
from tests.support import Platform, require

# Each is a deploy; tests/runtime/takeover has what the runtime does with them.
pytestmark = pytest.mark.whole

# A low-level server that is made inside a function, as in mcp-server-time, -git and -fetch.
INSIDE_A_FUNCTION = """
    import mcp_types as types
    from mcp.server import Server
    from mcp.server.stdio import stdio_server


    async def serve(zone: str) -> None:
        async def list_tools(ctx, params):
            shape = {"type": "object", "properties": {}}
            return types.ListToolsResult(tools=[types.Tool(name="now", input_schema=shape)])

        async def call_tool(ctx, params):
            return types.CallToolResult(content=[types.TextContent(text=f"noon in {zone}")])

        server = Server("clock", on_list_tools=list_tools, on_call_tool=call_tool)
        async with stdio_server() as (read, write):
            await server.run(read, write, server.create_initialization_options())
"""
MAIN_WITH_ARGUMENTS = """
    import argparse
    import asyncio

    from .server import serve


    def main() -> None:
        parser = argparse.ArgumentParser()
        parser.add_argument("--zone", default="UTC")
        asyncio.run(serve(parser.parse_args().zone))
"""
PACKAGE = {"src/tiny_clock/server.py": INSIDE_A_FUNCTION, "src/tiny_clock/__init__.py": MAIN_WITH_ARGUMENTS}
PYPROJECT = """
    [project]
    name = "tiny-clock"
    version = "1.0"
    dependencies = ["mcp>=2"]

    [project.scripts]
    tiny-clock = "tiny_clock:main"
"""
RUN_MODULE = "from . import main\n\nmain()\n"

REGISTERED_IN_MAIN = """
    from mcp.server import MCPServer

    mcp = MCPServer("late")


    def main() -> None:
        @mcp.tool()
        def late() -> str:
            return "registered in main"

        {run}


    if __name__ == "__main__":
        main()
"""


@pytest.mark.parametrize(
    "run",
    ["mcp.run()", 'mcp.run("streamable-http")', 'mcp.run("sse")', "import asyncio; asyncio.run(mcp.run_stdio_async())"],
)
def test_tools_that_main_registers_are_served(deploy: Deploy, run: str) -> None:
    served = deploy({"server.py": REGISTERED_IN_MAIN.replace("{run}", run)})
    assert served.tools() == ["late"]
    assert served.call("late") == "registered in main"


def test_a_console_script_in_a_src_layout_is_served_by_its_folder(deploy: Deploy) -> None:
    served = deploy({**PACKAGE, "pyproject.toml": PYPROJECT})
    assert served.call("now") == "noon in UTC"


def test_a_console_script_gets_the_arguments_of_the_command(deploy: Deploy) -> None:
    served = deploy({**PACKAGE, "pyproject.toml": PYPROJECT}, "--", "--zone", "Europe/Berlin")
    assert served.call("now") == "noon in Europe/Berlin"


def test_a_package_without_a_console_script_is_run_as_a_module(deploy: Deploy) -> None:
    pyproject = PYPROJECT.split("[project.scripts]", maxsplit=1)[0]
    served = deploy({**PACKAGE, "pyproject.toml": pyproject, "src/tiny_clock/__main__.py": RUN_MODULE})
    assert served.call("now") == "noon in UTC"


def test_a_module_is_named_in_the_configuration_with_its_arguments(deploy: Deploy) -> None:
    config = '[deployment]\nentrypoint = "clockwork.server"\nargs = ["--zone", "Asia/Tokyo"]\n'
    files = {
        "clockwork/__init__.py": MAIN_WITH_ARGUMENTS.replace(".server", ".serving"),
        "clockwork/serving.py": INSIDE_A_FUNCTION,
        "clockwork/server.py": RUN_MODULE,
        "fastmcp.toml": config,
    }
    assert deploy(files).call("now") == "noon in Asia/Tokyo"


WANTS_ROOT = """
    import argparse

    from mcp.server import MCPServer

    parser = argparse.ArgumentParser()
    parser.add_argument("--root", required=True)
    args = parser.parse_args()
    mcp = MCPServer("rooted")


    @mcp.tool()
    def root() -> str:
        return args.root


    if __name__ == "__main__":
        mcp.run()
"""


def test_arguments_reach_a_file(deploy: Deploy) -> None:
    assert deploy({"server.py": WANTS_ROOT}, "--", "--root", "data").call("root") == "data"


def test_arguments_of_the_configuration_reach_a_file(deploy: Deploy) -> None:
    config = '[deployment]\nentrypoint = "server.py"\nargs = "--root here"\n'
    assert deploy({"server.py": WANTS_ROOT, "fastmcp.toml": config}).call("root") == "here"


def test_what_argparse_says_is_what_the_deploy_says(refuse: Refuse) -> None:
    error = refuse({"server.py": WANTS_ROOT})
    assert "the following arguments are required: --root" in str(error)


def test_the_last_words_of_a_program_are_what_the_deploy_says(refuse: Refuse) -> None:
    server = REGISTERED_IN_MAIN.replace("{run}", 'raise SystemExit("no VAULT_TOKEN: see docs/vault.md")')
    assert "no VAULT_TOKEN: see docs/vault.md" in str(refuse({"server.py": server}))


def test_a_named_object_is_served_whatever_the_file_would_run(deploy: Deploy) -> None:
    server = """
        from mcp.server import MCPServer

        first, second = MCPServer("first"), MCPServer("second")
        first.tool(name="one")(lambda: "1")
        second.tool(name="two")(lambda: "2")

        if __name__ == "__main__":
            first.run()
    """
    assert deploy({"server.py": server}, path="server.py:second").tools() == ["two"]


def test_a_file_that_runs_nothing_is_served_by_its_object(deploy: Deploy) -> None:
    server = """
        from mcp.server import MCPServer

        mcp = MCPServer("silent")
        mcp.tool(name="one")(lambda: "1")
    """
    assert deploy({"server.py": server}).call("one") == "1"


def test_a_server_that_runs_in_a_block_of_its_own_is_served_inside_it(deploy: Deploy) -> None:
    server = """
        import asyncio
        import contextlib

        from mcp.server import MCPServer

        mcp = MCPServer("inside")
        open_now = []


        @mcp.tool()
        def state() -> str:
            return "open" if open_now else "closed"


        @contextlib.asynccontextmanager
        async def database():
            open_now.append(1)
            yield
            open_now.clear()


        async def main() -> None:
            async with database():
                await mcp.run_stdio_async()


        if __name__ == "__main__":
            asyncio.run(main())
    """
    assert deploy({"server.py": server}).call("state") == "open"


def test_the_loop_that_a_program_made_things_on_is_the_loop_that_serves(deploy: Deploy) -> None:
    server = """
        import asyncio

        from mcp.server import MCPServer

        mcp = MCPServer("loop")


        async def main() -> None:
            made_on = asyncio.get_running_loop()
            ready = made_on.create_future()
            made_on.call_later(0.01, ready.set_result, "answered")

            @mcp.tool()
            async def wait() -> str:
                assert asyncio.get_running_loop() is made_on
                return await ready

            await mcp.run_stdio_async()


        asyncio.run(main())
    """
    assert deploy({"server.py": server}).call("wait") == "answered"


def test_a_program_in_a_loop_of_another_library(deploy: Deploy) -> None:
    server = """
        import anyio

        from mcp.server import MCPServer

        mcp = MCPServer("anyio")
        mcp.tool(name="one")(lambda: "1")


        async def main() -> None:
            await mcp.run_stdio_async()


        if __name__ == "__main__":
            anyio.run(main)
    """
    assert deploy({"server.py": server}).call("one") == "1"


def test_a_click_main_is_run(deploy: Deploy) -> None:
    """click comes with uvicorn."""
    server = """
        import click
        from mcp.server import MCPServer


        @click.command()
        @click.option("--greeting", default="hello", envvar="GREETING")
        def main(greeting: str) -> None:
            mcp = MCPServer("clicked")

            @mcp.tool()
            def greet() -> str:
                return greeting

            mcp.run()


        if __name__ == "__main__":
            main()
    """
    assert deploy({"server.py": server}, "--env", "GREETING=good morning").call("greet") == "good morning"


BESIDE_ITSELF = """
    from pathlib import Path

    from mcp.server import MCPServer

    logs = Path(__file__).parent.parent / "logs"
    {at_once}
    mcp = MCPServer("diary")


    @mcp.tool()
    def note(text: str) -> str:
        {in_a_call}
        with (logs / "notes.txt").open("a") as file:
            file.write(text)
        return (logs / "notes.txt").read_text()


    def main() -> None:
        mcp.run()
"""
MAKES_ITS_FOLDER = "logs.mkdir(exist_ok=True)"
WHEEL = {
    "tiny_NAME-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: tiny-NAME\nVersion: 1\nRequires-Dist: mcp>=2\n",
    "tiny_NAME-1.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "tiny_NAME-1.dist-info/entry_points.txt": "[console_scripts]\ntiny-NAME = deep.NAME.server:main\n",
    "tiny_NAME-1.dist-info/RECORD": "deep/NAME/server.py,,\n",
}


@pytest.mark.parametrize(
    ("package", "at_once", "in_a_call"), [("diary", MAKES_ITS_FOLDER, ""), ("notes", "", MAKES_ITS_FOLDER)]
)
def test_a_package_that_writes_beside_its_own_code_keeps_what_it_wrote(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, at_once: str, in_a_call: str
) -> None:
    server = dedent(BESIDE_ITSELF).replace("{at_once}", at_once).replace("{in_a_call}", in_a_call)
    with ZipFile(tmp_path / f"tiny_{package}-1-py3-none-any.whl", "w") as wheel:
        for name, text in {"deep/NAME/server.py": server, **WHEEL}.items():
            wheel.writestr(name.replace("NAME", package), text.replace("NAME", package))
    monkeypatch.setitem(platform.environment, "UV_FIND_LINKS", str(tmp_path))
    served = Served(platform, package, platform.run("deploy", f"pypi:tiny-{package}", "--name", package)["url"])
    assert served.call("note", text="one ") == "one "
    platform.run("deploy", f"pypi:tiny-{package}", "--name", package, "--env", "NEW=release")
    assert served.call("note", text="two") == "one two"
    platform.run("destroy", package)


def test_a_package_of_npm_that_writes_beside_its_own_code_keeps_what_it_wrote(platform: Platform) -> None:
    """server-memory has its file beside its own code, and writes it in a call."""
    require(shutil.which("npm"), "npm is not installed")
    deploy = ("deploy", "npm:@modelcontextprotocol/server-memory", "--name", "memory")
    served = Served(platform, "memory", platform.run(*deploy)["url"])
    served.call("create_entities", entities='[{"name": "one", "entityType": "number", "observations": []}]')
    platform.run(*deploy, "--env", "NEW=release")
    assert '"one"' in served.call("read_graph")
    platform.run("destroy", "memory")
