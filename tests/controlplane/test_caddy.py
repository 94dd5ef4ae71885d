from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from threading import Thread
from typing import Any, cast

import pytest

from platform_cli.controlplane import caddy
from platform_cli.controlplane.caddy import Site
from platform_cli.controlplane.domain import Domain
from platform_cli.controlplane.edge import Edge
from platform_cli.controlplane.settings import Settings
from platform_cli.errors import PlatformError
from platform_cli.home import Home
from tests.support import require

SITES = [Site(("mcp.example.com",), 8699), Site(("one.mcp.example.com", "own.example.org"), 8700), Site((), 8701)]


def adapted(text: str, tmp_path: Path) -> Any:
    """Returns what Caddy makes of a Caddyfile, as JSON."""
    require(shutil.which("caddy"), "caddy is not installed")
    file = tmp_path / "Caddyfile"
    file.write_text(text)
    done = subprocess.run(["caddy", "adapt", "--config", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_orders_come_over_a_socket_alone(tmp_path: Path) -> None:
    config = adapted(caddy.render(Domain("mcp.example.com"), SITES, Path("/with space/caddy.sock")), tmp_path)
    assert config["admin"]["listen"] == "unix//with space/caddy.sock"


def test_names_lead_to_ports(tmp_path: Path) -> None:
    (server,) = adapted(caddy.render(Domain("mcp.example.com"), SITES, Path("/home/caddy.sock")), tmp_path)["apps"][
        "http"
    ]["servers"].values()
    assert server["listen"] == [":443"]
    found = {tuple(sorted(route["match"][0]["host"])): dialled(route) for route in server["routes"]}
    assert found == {
        ("mcp.example.com",): ["127.0.0.1:8699"],
        ("one.mcp.example.com", "own.example.org"): ["127.0.0.1:8700"],
    }


def test_what_streams_need(tmp_path: Path) -> None:
    config = adapted(caddy.render(Domain("mcp.example.com"), SITES, Path("/home/caddy.sock")), tmp_path)
    for proxy in found_in(config, "reverse_proxy"):
        # Set, it would keep requests going whose client has left; unset, Caddy flushes streams by itself.
        assert "flush_interval" not in proxy
        assert proxy["load_balancing"]["try_duration"] == 30_000_000_000
        assert not {"read_timeout", "response_header_timeout", "write_timeout"} & set(proxy["transport"])


def test_each_request_is_read_to_its_end(tmp_path: Path) -> None:
    """An answer that breaks off without it: tests/e2e/test_slow_proxy.py."""
    config = adapted(caddy.render(Domain("mcp.example.com"), SITES, Path("/home/caddy.sock")), tmp_path)
    (server,) = config["apps"]["http"]["servers"].values()
    for route in server["routes"]:
        assert [each["max_size"] for each in found_in(route, "request_body")] == [10**15]


def test_a_worker_that_is_not_there_is_an_error_that_mcp_clients_can_read(tmp_path: Path) -> None:
    config = adapted(caddy.render(Domain("mcp.example.com"), SITES, Path("/home/caddy.sock")), tmp_path)
    (server,) = config["apps"]["http"]["servers"].values()
    (route,) = server["errors"]["routes"]
    assert "mcp.example.com" not in route["match"][0]["host"], "the API has errors of its own"
    (response,) = found_in(route, "static_response")
    error = json.loads(response["body"])["error"]
    assert (error["code"], error["data"]["reason"], error["data"]["retryable"]) == (-32000, "unavailable", True)


def test_a_port_of_its_own_leaves_port_80_alone(tmp_path: Path) -> None:
    config = adapted(caddy.render(Domain("mcp.localhost", 8443), SITES, Path("/home/caddy.sock")), tmp_path)
    http = config["apps"]["http"]
    (server,) = http["servers"].values()
    assert (http["https_port"], server["listen"]) == (8443, [":8443"])
    assert server["automatic_https"]["disable_redirects"] is True


def dialled(route: dict[str, Any]) -> list[str]:
    return [upstream["dial"] for proxy in found_in(route, "reverse_proxy") for upstream in proxy["upstreams"]]


def found_in(value: Any, handler: str) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if value.get("handler") == handler:
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from found_in(item, handler)


class Admin(BaseHTTPRequestHandler):
    """Stands in for Caddy's admin API, for answers that a real one does not give on demand."""

    config: Any = None
    refusal: str | None = None
    loaded: bytes | None = None

    def do_GET(self) -> None:
        self._answer(200, self.config)

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if self.refusal is None:
            type(self).loaded = content
            self._answer(200, None)
        else:
            self._answer(400, {"error": self.refusal})

    def _answer(self, status: int, body: object) -> None:
        payload = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def address_string(self) -> str:
        return "a client"

    def log_message(self, format: str, *args: object) -> None:
        pass


class UnixServer(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True


@pytest.fixture
def admin(config: Path) -> Iterator[type[Admin]]:
    class Own(Admin):
        pass

    with UnixServer(str(socket_of(config)), Own) as server:
        Thread(target=server.serve_forever).start()
        yield Own
        server.shutdown()


def socket_of(config: Path) -> Path:
    return config.with_name("caddy.sock")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "Caddyfile"
    file.write_text("# ours")
    return file


def serving(*names: str, dial: str) -> dict[str, Any]:
    handle = [{"handler": "reverse_proxy", "upstreams": [{"dial": dial}]}]
    route: dict[str, Any] = {"handle": handle}
    if names:
        route["match"] = [{"host": list(names)}]
    return {"apps": {"http": {"servers": {"srv0": {"routes": [route]}}}}}


@pytest.mark.parametrize(
    "before", [None, {}, serving(dial="127.0.0.1:80"), serving("old.example.com", dial="127.0.0.1:8700")]
)
def test_what_a_package_brings_or_we_wrote_is_replaced(admin: type[Admin], config: Path, before: Any) -> None:
    admin.config = before
    caddy.load(config, socket_of(config))
    assert admin.loaded == b"# ours"


def test_the_sites_of_others_stay(admin: type[Admin], config: Path) -> None:
    admin.config = serving("blog.example.com", dial="127.0.0.1:3000")
    with pytest.raises(PlatformError) as caught:
        caddy.load(config, socket_of(config))
    assert "blog.example.com" in caught.value.message
    assert admin.loaded is None


def test_a_refused_configuration_says_why(admin: type[Admin], config: Path) -> None:
    admin.refusal = "unrecognized directive: x"
    with pytest.raises(PlatformError) as caught:
        caddy.load(config, socket_of(config))
    assert admin.refusal in caught.value.message


def test_no_caddy(config: Path) -> None:
    with pytest.raises(PlatformError) as caught:
        caddy.load(config, socket_of(config))
    assert caught.value.message == f"no Caddy answers at {socket_of(config)}"
    assert f"caddy run --config {config}" in (caught.value.hint or "")


def test_what_somebody_else_told_caddy_is_told_again(admin: type[Admin], config: Path) -> None:
    """A server that had got through would have the traffic of others for half a minute at most."""

    class Remembering:
        def get(self, key: str) -> str | None:
            return {"domain": "mcp.example.com", "api_port": "8699"}.get(key)

    home = Home(config.parent)
    edge = Edge(home, cast("Settings", Remembering()))
    asyncio.run(edge.publish([]))
    admin.loaded = None
    asyncio.run(edge.compare([]))
    assert admin.loaded is None
    admin.config = serving("one.mcp.example.com", dial="127.0.0.1:8700")
    asyncio.run(edge.compare([]))
    assert b"mcp.example.com" in (admin.loaded or b"")
