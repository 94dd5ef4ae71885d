"""What the console costs: the control plane's memory before and after all pages, and the processor time of each page,
over a store of 1,000,000 calls. Linux only.
"""

from __future__ import annotations

import argparse
import http.client
import json
import sys
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

from platform_cli.telemetry.rollups import DAY_S
from platform_cli.telemetry.store import RAW_S

from .harness import SERVERS, Platform, platform, show
from .processes import processor_seconds, proportional_size
from .telemetry import PROJECTS, fill

SERVER = SERVERS / "mcp2_lowlevel"
# The pages of a project.
PAGES = (
    "?period=1h", "?period=24h", "?period=7d", "?period=30d", "/calls", "/calls?kind=failed", "/logs", "/errors",
    "/releases", "/try", "/access", "/audit?period=30d", "/secrets",
)  # fmt: skip
# The times that each page is asked for: the kernel counts processor time in hundredths of a second.
TIMES = 20
GOAL_MB, GOAL_MS = 8, 100


class Browser:
    """Has a key of the console, and asks for its pages."""

    def __init__(self, running: Platform) -> None:
        base, _, code = running.run("console")["url"].partition("/console#login=")
        self._connection = http.client.HTTPConnection("127.0.0.1", urlsplit(base).port, timeout=600)
        self._headers: dict[str, str] = {}
        key = json.loads(self._ask("POST", "/console/login", json.dumps({"code": code})))["key"]
        self._headers = {"Authorization": f"Bearer {key}"}

    def page(self, path: str) -> int:
        """Asks for a page, and returns its bytes."""
        return len(self._ask("GET", f"/console/f{path}"))

    def _ask(self, method: str, path: str, body: str | None = None) -> bytes:
        self._connection.request(method, path, body, self._headers)
        response = self._connection.getresponse()
        answer = response.read()
        if response.status != 200:
            raise SystemExit(f"{path} answered {response.status}: {answer[:200]!r}")
        return answer


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.console", description=__doc__)
    parser.add_argument("--calls", type=int, default=1_000_000, help="calls in the store")
    options = parser.parse_args()
    if sys.platform != "linux":
        raise SystemExit("memory and processor time are told by Linux only")
    with platform() as running:
        for number in range(PROJECTS):
            running.deploy(SERVER, f"p{number}")
        running.run("platform", "stop")
        # Of an older call only sums are kept.
        fill(running.home / "telemetry.sqlite", options.calls, time.time(), RAW_S / DAY_S)
        # The first start sums up the days, and the next is as all others are.
        running.run("metrics", "p0")
        running.run("platform", "stop")
        running.run("metrics", "p0")
        measure(running)


def measure(running: Platform) -> None:
    pid = running.process
    before = proportional_size(pid)
    browser = Browser(running)
    for path in paths():
        browser.page(path)
    after = proportional_size(pid)
    more = (after - before) / 1e6
    show(f"control plane: {before / 1e6:.1f} MB, after all pages {more:+.1f} MB (goal at most +{GOAL_MB})")
    for path in ["/", *(f"/projects/p0{page}" for page in PAGES), "/settings"]:
        begun = processor_seconds(pid)
        sizes = [browser.page(path) for _ in range(TIMES)]
        spent = (processor_seconds(pid) - begun) / TIMES * 1000
        show(f"{path:<30} {spent:5.1f} ms of processor time (goal {GOAL_MS}), {sizes[0] / 1000:.0f} kB")


def paths() -> Iterator[str]:
    yield "/"
    for number in range(PROJECTS):
        yield from (f"/projects/p{number}{page}" for page in PAGES)
    yield "/settings"


if __name__ == "__main__":
    main()
