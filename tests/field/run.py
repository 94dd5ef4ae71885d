"""Deploys real servers from PyPI and npm, and compares what they offer with the same servers by hand: `make field`.

    python -m tests.field.run                 the whole list
    python -m tests.field.run --only NAME     those whose name contains it
    python -m tests.field.run --by-hand       installs and runs them by hand, and deploys nothing

Prints one line a server. Exit code 0: at least 95 % of those that run by hand are served as they are by hand.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.clients import environments
from tests.support import Platform

from .by_hand import ByHand, by_hand
from .deployed import DEPLOY_S, Outcome, outcome
from .listing import NotListedError
from .servers import Server, listed

ROW = "{:<44} {:<14} {:<7} {:<24} {:>7} {:>6} {:>4} {:>4}  {}"
LONGEST_REASON = 400
HOLDS = 0.95


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.field.run", description="Deploys real servers.")
    parser.add_argument("--only", default="", metavar="NAME", help="those whose name contains it")
    parser.add_argument("--by-hand", action="store_true", help="install and run them by hand, and deploy nothing")
    options = parser.parse_args()
    chosen = [server for server in listed() if options.only in server.name]
    say("server", "version", "way", "SDK", "by hand", "deploy", "/mcp", "/sse", "reason")
    if options.by_hand:
        return 0 if all([installed(server) for server in chosen]) else 1  # noqa: C419
    held = [holds for holds in map(tried, chosen) if holds is not None]
    print(f"{sum(held)} of the {len(held)} that run by hand hold")
    return 0 if sum(held) >= HOLDS * len(held) else 1


def tried(server: Server) -> bool | None:
    """Tells whether the server is served as it is by hand, and prints its line; None if it does not run by hand."""
    hand = _by_hand(server)
    if hand is None:
        return None
    with tempfile.TemporaryDirectory(prefix="homeport-field-") as folder:
        platform = Platform(Path(folder) / "home", path=[environments.node().program.parent], timeout_s=DEPLOY_S)
        try:
            seen = outcome(platform, server.project, _source(server, hand, Path(folder)), _options(server), hand.tools)
        finally:
            platform.stop()
    say(*_cells(server, hand), *_answers(seen), seen.reason)
    return seen.holds


def installed(server: Server) -> bool:
    """Tells whether the server runs by hand, and prints its line."""
    hand = _by_hand(server)
    if hand is not None:
        say(*_cells(server, hand), "", "", "", "")
    return hand is not None


def _by_hand(server: Server) -> ByHand | None:
    try:
        hand = by_hand(server)
    except (NotListedError, environments.UnavailableError) as error:
        say(server.name, server.version, server.way, "", "no", "", "", "", str(error))
        return None
    return hand


def _source(server: Server, hand: ByHand, folder: Path) -> str:
    if server.way == "folder":
        return str(shutil.copytree(hand.source, folder / "project"))
    named = f":{server.program[0]}" if server.way == "program" else ""
    return f"{server.registry}:{server.requirement}{named}"


def _options(server: Server) -> Sequence[str]:
    environment = [argument for pair in server.env.items() for argument in ("--env", "=".join(pair))]
    return [*environment, *(["--", *server.args] if server.args else [])]


def _cells(server: Server, hand: ByHand) -> Sequence[str]:
    return server.name, server.version, server.way, hand.sdk, str(len(hand.tools))


def _answers(seen: Outcome) -> Sequence[str]:
    if seen.deploy:
        return "no", "", ""
    return f"{seen.seconds:.0f} s", "no" if seen.mcp else "yes", "no" if seen.sse else "yes"


def say(*cells: str) -> None:
    *before, reason = cells
    print(ROW.format(*before, " ".join(reason.split())[:LONGEST_REASON]).rstrip(), flush=True)


if __name__ == "__main__":
    sys.exit(main())
