"""Runs the official conformance suite's scenarios for authorization servers against the platform's own.

Of resource servers it tests nothing: its other scenarios of authorization are for clients, and `server` takes no token.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import httpx2

from .suite import SUITE_DEADLINE_S, program

# What may be no success, a line each, with the reason.
EXPECTED = Path(__file__).parent / "authorization.yml"
SCENARIOS = ("authorization-server-metadata-endpoint", "authorization-code-grant")
_PAGE = re.compile(r"https?://\S+/authorize\?\S+")


def run(issuer: str, resource: str, callback_port: int, visit: Callable[[str], None]) -> dict[str, str]:
    """Returns what became of each check of the suite, as `scenario:check` to `SUCCESS`, `WARNING` and so on.

    Registers the suite's client at `issuer` for the MCP server at `resource`; its answer comes to `callback_port`.
    `visit` opens the page for the person, and signs in. Raises environments.UnavailableError.
    """
    client = {"client_name": "Conformance", "redirect_uris": ["http://127.0.0.1/callback"]}
    registered = httpx2.post(f"{issuer}/register", json=client, trust_env=False).raise_for_status().json()
    command = [*program(), "authorization", "--url", issuer, "--client-id", registered["client_id"]]
    with tempfile.TemporaryDirectory() as results:
        options = ["--resource", resource, "--port", str(callback_port), "-o", results]
        with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            timer = threading.Timer(SUITE_DEADLINE_S, process.kill)
            timer.start()
            try:
                for line in process.stdout:
                    if page := _PAGE.fullmatch(line.strip()):
                        visit(page[0])
            finally:
                timer.cancel()
                process.kill()
        return {
            f"{scenario}:{check['id']}": check["status"]
            for scenario in SCENARIOS
            for found in Path(results).glob(f"authorization-server-{scenario}-*/checks.json")
            for check in json.loads(found.read_text())
        }


def unexpected(seen: dict[str, str]) -> dict[str, str]:
    """Returns the checks that did not succeed and are not expected to fail, those that are expected to and succeed, and
    the scenarios that were not run.
    """
    expected = set(re.findall(r"^  - (\S+)", EXPECTED.read_text(), re.MULTILINE))
    wrong = {check: status for check, status in seen.items() if (status == "SUCCESS") == (check in expected)}
    run = {check.partition(":")[0] for check in seen}
    return wrong | {scenario: "not run" for scenario in SCENARIOS if scenario not in run}
