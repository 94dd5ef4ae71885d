"""Tries the expense tracker on AWS itself, from its first deploy to its end, and says what held: `make acceptance-aws`.

Needs credentials and a region as boto3 finds them, and costs less than a cent. What it makes has names of its own, and
is destroyed at the end, whatever happened.
"""

from __future__ import annotations

import argparse
import json
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from tests.support import ROOT, CommandFailedError, Platform

from .acceptance_account import (
    configure,
    gives_what_is_asked_for,
    keeps_what_serves,
    leaves_alone_what_is_anothers,
    promotes,
    restores_refusals,
)

EXAMPLE = ROOT / "examples" / "expense_tracker"
ACCEPT = "application/json, text/event-stream"
STEPS, PAUSE_S = 5, 0.4
SECOND_RELEASE = f"""

import asyncio  # noqa: E402

from fastmcp import Context  # noqa: E402


@mcp.tool
async def count(context: Context) -> str:
    \"\"\"Says how far it is, again and again.\"\"\"
    for step in range({STEPS}):
        await context.report_progress(step, {STEPS})
        await asyncio.sleep({PAUSE_S})
    return "done"
"""
# A new URL is not known everywhere at once.
SPREADS_S = 90.0
TIMEOUT_S = 60.0
NOT_FOUND = 4


@dataclass
class Acceptance:
    """Holds what was checked, in words: `held`, and `failed` with the reason."""

    platform: Platform
    folder: Path
    project: str
    held: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    url: str = ""
    token: str = ""

    def check(self, what: str, work: Callable[[], None]) -> bool:
        try:
            work()
        except (AssertionError, CommandFailedError, subprocess.TimeoutExpired, httpx.HTTPError, ValueError) as error:
            self.failed[what] = f"{type(error).__name__}: {error}"
            say(f"FAILED  {what}\n        {self.failed[what][:2000]}")
            return False
        self.held.append(what)
        say(f"held    {what}")
        return True

    def run(self) -> None:
        """Runs all checks; everything after the first deploy is checked even if something before it failed."""
        with destroyed(self):
            if self.check("a deploy gives a URL and a token", self.deploy):
                for what, work in CHECKS.items():
                    self.check(what, partial(work, self))

    def deploy(self) -> None:
        answer = self.platform.run("deploy", str(self.folder), "--name", self.project)
        assert (answer["release"], answer["target"]) == ("v1", "lambda"), answer
        self.url, self.token = answer["url"], answer["token"]

    def tools(self, path: str = "/mcp") -> list[str]:
        return [tool["name"] for tool in self.platform.run("tools", f"{self.url}{path}")["tools"]]

    def post(self, message: dict[str, Any], *, token: bool = True) -> httpx.Response:
        return httpx.post(f"{self.url}/mcp", json=message, headers=self.headers(token=token), timeout=TIMEOUT_S)

    def headers(self, *, token: bool = True) -> dict[str, str]:
        return {"Accept": ACCEPT, **({"Authorization": f"Bearer {self.token}"} if token else {})}


def answers_in_time(acceptance: Acceptance) -> None:
    deadline = time.monotonic() + SPREADS_S
    while True:
        response = acceptance.post(request("tools/list", {}))
        if response.status_code == 200 or time.monotonic() > deadline:
            break
        time.sleep(1)
    assert response.status_code == 200, f"HTTP {response.status_code}: {response.text[:400]}"


def is_closed(acceptance: Acceptance) -> None:
    answer = acceptance.post(request("tools/list", {}), token=False)
    assert answer.status_code == 401, f"HTTP {answer.status_code}"
    # Function URLs rename it; what is made for names of one's own rests on that (homeport_runtime's front.py).
    assert "x-amzn-remapped-www-authenticate" in answer.headers, sorted(answer.headers)


def answers_calls(acceptance: Acceptance) -> None:
    answer = acceptance.platform.run("call", acceptance.project, "add_expense", "amount=4.5", "category=coffee")
    assert answer["structuredContent"]["amount"] == 4.5, answer


def ends_empty_answers(acceptance: Acceptance) -> None:
    """Asserts that a notification's answer ends: an empty body on a streamed answer hangs clients on Lambda for
    minutes.
    """
    response = acceptance.post({"jsonrpc": "2.0", "method": "notifications/initialized"})
    assert response.status_code == 202, f"HTTP {response.status_code}"
    assert not response.text.strip(), response.text


def serves_sse(acceptance: Acceptance) -> None:
    assert "add_expense" in acceptance.tools("/sse")


def streams(acceptance: Acceptance) -> None:
    server = acceptance.folder / "server.py"
    tools, main, run = server.read_text().partition("if __name__ == ")
    server.write_text(f"{tools}{SECOND_RELEASE}\n\n{main}{run}")
    answer = acceptance.platform.run("deploy", str(acceptance.folder), "--name", acceptance.project)
    assert answer["release"] == "v2", answer
    call = request("tools/call", {"name": "count", "arguments": {}, "_meta": {"progressToken": "t"}})
    came: list[float] = []
    with httpx.stream(
        "POST", f"{acceptance.url}/mcp", json=call, headers=acceptance.headers(), timeout=TIMEOUT_S
    ) as response:
        said = [line for line in came_at(response, came) if line.startswith("data:")]
    assert response.status_code == 200, f"HTTP {response.status_code}"
    assert len(said) == STEPS + 1, said
    # Whoever buffers has everything at once, at the end.
    assert came[-1] - came[0] > STEPS * PAUSE_S / 2, "all of it came at once"


def came_at(response: httpx.Response, came: list[float]) -> Iterator[str]:
    for line in response.iter_lines():
        if line.startswith("data:"):
            came.append(time.monotonic())
        yield line


def rolls_back(acceptance: Acceptance) -> None:
    assert acceptance.platform.run("rollback", acceptance.project, "v1")["release"] == "v1"
    assert "count" not in acceptance.tools()


def says_what_it_did(acceptance: Acceptance) -> None:
    assert acceptance.platform.run("status", acceptance.project)["release"] == "v1"
    assert len(acceptance.platform.run("versions", acceptance.project)["versions"]) == 2


CHECKS: dict[str, Callable[[Acceptance], None]] = {
    "the URL answers": answers_in_time,
    "nobody gets in without the token": is_closed,
    "a tool answers": answers_calls,
    "a notification's empty answer ends": ends_empty_answers,
    "an HTTP+SSE session": serves_sse,
    "a second release streams its progress": streams,
    "rolling back": rolls_back,
    "status and versions": says_what_it_did,
    "permissions and tags that were asked for": gives_what_is_asked_for,
    "a role that others made is neither used nor deleted": leaves_alone_what_is_anothers,
    "a release that does not start never serves": keeps_what_serves,
    "a stage's release goes to production": promotes,
    "CloudFront restores a refusal's status and challenge": restores_refusals,
}


@contextmanager
def destroyed(acceptance: Acceptance) -> Iterator[None]:
    """Destroys the project and its stage at the end, also after Ctrl-C."""
    try:
        yield
    finally:
        acceptance.check("destroy leaves nothing", lambda: destroy(acceptance))


def destroy(acceptance: Acceptance) -> None:
    """Destroys what is there: a deploy that failed may have left nothing, or a part of it."""
    for project in (f"{acceptance.project}-staging", acceptance.project):
        for command, *options in (("destroy", "--yes"), ("status",)):
            try:
                acceptance.platform.run(command, project, *options)
            except CommandFailedError as error:
                if error.code != NOT_FOUND:
                    raise
            else:
                assert command == "destroy", f"{project} is there still"


def request(method: str, params: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--architecture", choices=["arm64", "x86_64"], default="arm64")
    architecture = parser.parse_args().architecture
    with tempfile.TemporaryDirectory(prefix="homeport-acceptance-") as folder:
        platform = Platform(Path(folder, "home"), timeout_s=900)
        platform.environment["HOMEPORT_TARGET"] = "lambda"
        example = Path(shutil.copytree(EXAMPLE, Path(folder, "expense_tracker")))
        configure(example, architecture)
        acceptance = Acceptance(platform, example, f"acceptance-{secrets.token_hex(4)}")
        say(f"{acceptance.project}, {architecture}")
        acceptance.run()
    say(json.dumps({"held": len(acceptance.held), "failed": len(acceptance.failed)}))
    return 1 if acceptance.failed else 0


if __name__ == "__main__":
    sys.exit(main())
