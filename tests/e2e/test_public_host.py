"""Tests a real Caddy in front of the platform: names, its own certificate authority, streams."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from platform_cli.home import Home
from tests.support import (
    SERVERS,
    CommandFailedError,
    Deployment,
    Platform,
    free_port,
    require,
    with_config,
    with_packages,
)

SERVER = SERVERS / "mcp2_lowlevel"
DEADLINE_S = 60.0
DOMAIN = "mcp.localhost"
OWN = "own-name.localhost"
OPEN = '[auth]\nmode = "none"\n'


@dataclass(frozen=True, slots=True)
class PublicHost:
    platform: Platform
    port: int
    trusted: ssl.SSLContext
    authority: Path
    one: Deployment
    two: Deployment


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


@contextmanager
def running_caddy(platform: Platform, data: Path) -> Iterator[Path]:
    """Runs a Caddy that serves nothing yet and takes orders where the platform gives them, and yields its authority's
    root.
    """
    require(shutil.which("caddy"), "caddy is not installed")
    data.mkdir()
    admin = Home(platform.home).caddy_admin
    (data / "Caddyfile").write_text(f'{{\n\tadmin "unix/{admin}"\n}}\n')
    environment = {**os.environ, "XDG_DATA_HOME": str(data), "XDG_CONFIG_HOME": str(data)}
    with (data / "log").open("wb") as log:
        process = subprocess.Popen(["caddy", "run"], cwd=data, env=environment, stdout=log, stderr=log)
    try:
        until(lambda: admin.exists() or process.poll() is not None, "caddy does not start")
        assert process.poll() is None, (data / "log").read_text()
        yield data / "caddy" / "pki" / "authorities" / "local" / "root.crt"
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PublicHost]:
    platform = Platform(with_packages(tmp_path_factory.mktemp("home")))
    port = free_port()
    one = platform.deploy(with_config(SERVER, OPEN, tmp_path_factory.mktemp("one")), name="one")
    with running_caddy(platform, tmp_path_factory.mktemp("caddy") / "data") as authority:
        started = platform.run("platform", "start", "--domain", f"{DOMAIN}:{port}")
        try:
            assert started["domain"] == f"{DOMAIN}:{port}"
            folder = with_config(SERVER, f'[domains]\nnames = ["{OWN}"]\n{OPEN}', tmp_path_factory.mktemp("two"))
            two = platform.deploy(folder, name="two")
            yield PublicHost(platform, port, ssl.create_default_context(cafile=str(authority)), authority, one, two)
        finally:
            platform.stop()


@asynccontextmanager
async def connected(host: PublicHost, name: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", host.port, ssl=host.trusted, server_hostname=name, limit=1 << 20
    )
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


def request(name: str, path: str, message: object = None) -> bytes:
    body = b"" if message is None else json.dumps(message).encode()
    lines = [
        f"{'GET' if message is None else 'POST'} {path} HTTP/1.1",
        f"Host: {name}",
        "Content-Type: application/json",
        "Accept: application/json, text/event-stream",
        f"Content-Length: {len(body)}",
        "Connection: close",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def call(tool: str, arguments: dict[str, object], **meta: object) -> dict[str, Any]:
    params = {"name": tool, "arguments": arguments, **({"_meta": meta} if meta else {})}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


def ask(host: PublicHost, name: str, path: str, message: object = None) -> str:
    """Returns the whole answer, its status line first."""

    async def asked() -> str:
        async with asyncio.timeout(DEADLINE_S), connected(host, name) as (reader, writer):
            writer.write(request(name, path, message))
            return (await reader.read()).decode()

    return asyncio.run(asked())


def workers_pid(host: PublicHost, name: str) -> str:
    answer = ask(host, name, "/mcp", call("whoami", {}))
    assert "200 OK" in answer
    return answer.split('"text":"', 1)[1].split()[0]


def test_each_name_leads_to_its_project(host: PublicHost) -> None:
    one, two = f"one.{DOMAIN}", f"two.{DOMAIN}"
    assert host.two.mcp_url == f"https://{two}:{host.port}/mcp"
    status = host.platform.run("status", "one")
    assert (status["url"], status["local_url"]) == (f"https://{one}:{host.port}", host.one.url)
    assert workers_pid(host, one) != workers_pid(host, two)
    assert workers_pid(host, two) == workers_pid(host, OWN)


def test_a_name_of_nobody_gets_no_certificate(host: PublicHost) -> None:
    with pytest.raises(ssl.SSLError):
        ask(host, f"three.{DOMAIN}", "/health")


def test_progress_arrives_while_the_tool_runs(host: PublicHost) -> None:
    name = f"one.{DOMAIN}"

    async def followed() -> tuple[str, str]:
        async with asyncio.timeout(DEADLINE_S), connected(host, name) as (reader, writer):
            writer.write(request(name, "/mcp", call("slow", {"steps": 3, "token": "edge"}, progressToken="p")))
            early = (await reader.readuntil(b"notifications/progress")).decode()
            # Only now may the tool go on.
            answer = await asyncio.to_thread(ask, host, name, "/mcp", call("release", {"token": "edge"}))
            assert "released" in answer
            return early, (await reader.read()).decode()

    early, late = asyncio.run(followed())
    assert "3 steps" not in early
    assert "3 steps" in late


def test_a_client_that_leaves_ends_its_call(host: PublicHost) -> None:
    name = f"two.{DOMAIN}"

    async def left() -> None:
        async with asyncio.timeout(DEADLINE_S), connected(host, name) as (reader, writer):
            writer.write(request(name, "/mcp", call("slow", {"steps": 2, "token": "never"}, progressToken="p")))
            await reader.readuntil(b"notifications/progress")

    asyncio.run(left())
    until(lambda: "abandoned" in log(host, "two"), "the worker goes on for a client that left")


def log(host: PublicHost, project: str) -> str:
    logs = sorted((host.platform.home / "projects" / project / "logs").glob("*"))
    return "".join(file.read_text() for file in logs if file.is_file())


def test_another_machine_deploys_through_it(host: PublicHost, tmp_path: Path) -> None:
    token = host.platform.run("platform", "token", "create", "laptop")["token"]
    laptop = Platform(tmp_path / "laptop")
    laptop.environment |= {
        "HOMEPORT_PLATFORM": f"https://{DOMAIN}:{host.port}",
        "HOMEPORT_TOKEN": token,
        "SSL_CERT_FILE": str(host.authority),
    }
    made = laptop.deploy(SERVER, name="three")
    assert made.mcp_url == f"https://three.{DOMAIN}:{host.port}/mcp"
    assert "200 OK" in ask(host, f"three.{DOMAIN}", "/health")
    laptop.run("destroy", "three")
    with pytest.raises(ssl.SSLError):
        ask(host, f"three.{DOMAIN}", "/health")
    host.platform.run("platform", "token", "revoke", "laptop")
    with pytest.raises(CommandFailedError) as caught:
        laptop.run("list")
    assert caught.value.error["category"] == "platform"


def test_a_name_belongs_to_one_project(host: PublicHost, tmp_path: Path) -> None:
    for place, name in (("a", OWN), ("b", f"one.{DOMAIN}"), ("c", DOMAIN)):
        folder = with_config(SERVER, f'[domains]\nnames = ["{name}"]\n', tmp_path / place)
        with pytest.raises(CommandFailedError) as caught:
            host.platform.deploy(folder, name="thief")
        assert (caught.value.code, name in caught.value.error["message"]) == (2, True)
    assert workers_pid(host, OWN) == workers_pid(host, f"two.{DOMAIN}")


def test_a_restart_keeps_the_domain_and_loses_no_request(host: PublicHost) -> None:
    async def asked_meanwhile() -> str:
        await asyncio.to_thread(host.platform.stop)
        waiting = asyncio.create_task(asyncio.to_thread(ask, host, f"one.{DOMAIN}", "/health"))
        started = await asyncio.to_thread(host.platform.run, "platform", "start")
        assert started["domain"] == f"{DOMAIN}:{host.port}"
        return await waiting

    assert "200 OK" in asyncio.run(asked_meanwhile())


def test_without_the_domain_all_is_local_again(host: PublicHost) -> None:
    platform = host.platform
    try:
        assert platform.run("platform", "start", "--no-domain")["domain"] is None
        status = platform.run("status", "one")
        assert status["url"] == status["local_url"] == host.one.url
        # Caddy is left as it is; the worker no longer answers to the name.
        assert "421" in ask(host, f"one.{DOMAIN}", "/mcp", call("whoami", {})).splitlines()[0]
    finally:
        platform.run("platform", "start", "--domain", f"{DOMAIN}:{host.port}")
    assert "200 OK" in ask(host, f"one.{DOMAIN}", "/health")
