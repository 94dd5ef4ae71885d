"""Tests servers that are web apps, or that are started as such: what guards them by hand guards them here, and paths
stay.
"""

from __future__ import annotations

import httpx
import pytest

from tests.field.conftest import Deploy, message

KEYED = """
    from mcp.server import MCPServer
    from starlette.responses import JSONResponse

    mcp = MCPServer("keyed")


    @mcp.tool()
    def report() -> str:
        return "for holders of the key"


    class ApiKey:
        def __init__(self, app):
            self.app = app

        async def __call__(self, scope, receive, send):
            if scope["type"] == "http" and dict(scope["headers"]).get(b"x-api-key") != b"open-sesame":
                await JSONResponse({"error": "no key"}, status_code=401)(scope, receive, send)
                return
            await self.app(scope, receive, send)


    app = mcp.streamable_http_app(stateless_http=True)
    app.add_middleware(ApiKey)

"""
RUNS = {
    "uvicorn.run(app)": "import uvicorn\n\n        uvicorn.run(app, port=8000)",
    "uvicorn.run(text)": 'import uvicorn\n\n        uvicorn.run("server:app", port=8000)',
    "Server.run": "import uvicorn\n\n        uvicorn.Server(uvicorn.Config(app, port=8000)).run()",
    "Server.serve": (
        "import asyncio\n\n        import uvicorn\n\n"
        "        asyncio.run(uvicorn.Server(uvicorn.Config(app, port=8000)).serve())"
    ),
    "nothing": "pass",
}
CALL = {"name": "report", "arguments": {}}


@pytest.mark.parametrize("run", RUNS)
def test_a_guard_on_the_app_guards_what_is_served(deploy: Deploy, run: str) -> None:
    served = deploy({"server.py": f'{KEYED}\n    if __name__ == "__main__":\n        {RUNS[run]}\n'})
    assert served.ask("tools/call", CALL).status_code == 401
    answer = message(served.ask("tools/call", CALL, x_api_key="open-sesame"))
    assert answer["result"]["content"][0]["text"] == "for holders of the key"


def test_a_guard_by_path_guards_sse_too(deploy: Deploy) -> None:
    guard = KEYED.replace('scope["type"] == "http" and', 'scope.get("path") == "/mcp" and')
    served = deploy({"server.py": guard})
    assert served.ask("tools/call", CALL).status_code == 401
    with httpx.stream("GET", f"{served.url}/sse", timeout=30) as stream:
        assert stream.status_code in {401, 403, 404}


def test_two_servers_in_one_app_keep_their_paths(deploy: Deploy) -> None:
    server = """
        import contextlib

        from mcp.server import MCPServer
        from starlette.applications import Starlette
        from starlette.routing import Mount

        echo, math = MCPServer("echo"), MCPServer("math")


        @echo.tool()
        def say(text: str) -> str:
            return text


        @math.tool()
        def add(a: int, b: int) -> int:
            return a + b


        @contextlib.asynccontextmanager
        async def lifespan(app):
            async with contextlib.AsyncExitStack() as stack:
                await stack.enter_async_context(echo.session_manager.run())
                await stack.enter_async_context(math.session_manager.run())
                yield


        routes = [
            Mount("/echo", echo.streamable_http_app(stateless_http=True)),
            Mount("/math", math.streamable_http_app(stateless_http=True)),
        ]
        app = Starlette(routes=routes, lifespan=lifespan)
    """
    served = deploy({"server.py": server})
    for path, tool in (("/echo/mcp", "say"), ("/math/mcp", "add")):
        tools = message(served.ask("tools/list", path=path))["result"]["tools"]
        assert [offered["name"] for offered in tools] == [tool]


def test_a_servers_own_health_and_cors_are_asked(deploy: Deploy) -> None:
    server = """
        from mcp.server import MCPServer
        from starlette.middleware.cors import CORSMiddleware
        from starlette.responses import PlainTextResponse

        mcp = MCPServer("healthy")
        mcp.tool(name="one")(lambda: "1")


        @mcp.custom_route("/health", methods=["GET"])
        async def health(request):
            return PlainTextResponse("the server's own")


        app = CORSMiddleware(
            mcp.streamable_http_app(stateless_http=True),
            allow_origins=["https://chat.example.com"],
            allow_methods=["POST"],
            allow_headers=["*"],
        )
    """
    served = deploy({"server.py": server}, path="server.py:app")
    assert httpx.get(f"{served.url}/health", timeout=30).text == "the server's own"
    asked = {"origin": "https://chat.example.com", "access-control-request-method": "POST"}
    answer = httpx.options(f"{served.url}/mcp", headers=asked, timeout=30)
    assert answer.headers["access-control-allow-origin"] == "https://chat.example.com"


def test_the_options_that_a_server_is_run_with_are_kept(deploy: Deploy) -> None:
    server = """
        from mcp.server import MCPServer

        mcp = MCPServer("plain")
        mcp.tool(name="one")(lambda: "1")

        if __name__ == "__main__":
            mcp.run("streamable-http", json_response=True, stateless_http=True)
    """
    served = deploy({"server.py": server})
    answer = served.ask("tools/list", mcp_protocol_version="2025-06-18")
    assert answer.headers["content-type"].startswith("application/json")
