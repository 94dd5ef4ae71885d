from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from platform_cli.controlplane import caddy
from platform_cli.controlplane.caddy import Site
from platform_cli.controlplane.domain import Domain
from platform_cli.errors import PlatformError
from tests.support import require

SITES = [Site(("mcp.example.com",), 8699), Site(("one.mcp.example.com", "own.example.org"), 8700), Site((), 8701)]


def adapted(text: str, tmp_path: Path) -> Any:
    """What Caddy makes of a Caddyfile, as JSON."""
    require(shutil.which("caddy"), "caddy is not installed")
    file = tmp_path / "Caddyfile"
    file.write_text(text)
    done = subprocess.run(["caddy", "adapt", "--config", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_names_lead_to_ports(tmp_path: Path) -> None:
    (server,) = adapted(caddy.render(Domain("mcp.example.com"), SITES), tmp_path)["apps"]["http"]["servers"].values()
    assert server["listen"] == [":443"]
    found = {tuple(sorted(route["match"][0]["host"])): dialled(route) for route in server["routes"]}
    assert found == {
        ("mcp.example.com",): ["127.0.0.1:8699"],
        ("one.mcp.example.com", "own.example.org"): ["127.0.0.1:8700"],
    }


def test_what_streams_need(tmp_path: Path) -> None:
    config = adapted(caddy.render(Domain("mcp.example.com"), SITES), tmp_path)
    for proxy in found_in(config, "reverse_proxy"):
        # Set, it would keep requests going whose client has left; unset, Caddy flushes streams by itself.
        assert "flush_interval" not in proxy
        assert proxy["load_balancing"]["try_duration"] == 30_000_000_000
        assert not {"read_timeout", "response_header_timeout", "write_timeout"} & set(proxy["transport"])


def test_a_port_of_its_own_leaves_port_80_alone(tmp_path: Path) -> None:
    config = adapted(caddy.render(Domain("mcp.localhost", 8443), SITES), tmp_path)
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
    """Caddy's admin API, for answers that a real one does not give on demand."""

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

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def admin(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Admin]]:
    class Own(Admin):
        pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Own) as server:
        monkeypatch.setenv("CADDY_ADMIN", f"127.0.0.1:{server.server_port}")
        Thread(target=server.serve_forever).start()
        yield Own
        server.shutdown()


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
    caddy.load(config)
    assert admin.loaded == b"# ours"


def test_the_sites_of_others_stay(admin: type[Admin], config: Path) -> None:
    admin.config = serving("blog.example.com", dial="127.0.0.1:3000")
    with pytest.raises(PlatformError) as caught:
        caddy.load(config)
    assert "blog.example.com" in caught.value.message
    assert admin.loaded is None


def test_a_refused_configuration_says_why(admin: type[Admin], config: Path) -> None:
    admin.refusal = "unrecognized directive: x"
    with pytest.raises(PlatformError) as caught:
        caddy.load(config)
    assert admin.refusal in caught.value.message


def test_no_caddy(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CADDY_ADMIN", "127.0.0.1:1")
    with pytest.raises(PlatformError) as caught:
        caddy.load(config)
    assert caught.value.message == "no Caddy answers at 127.0.0.1:1"
    assert "caddy-api" in (caught.value.hint or "")
