"""Deploys the conformance server without and with sessions and runs the official suite against both.

    python -m tests.conformance.run                        deploy, run, compare with the same server run bare
    python -m tests.conformance.run --url URL [--sessions] run against any server that offers what the suite calls

Prints one line a run, and what the suite said where it failed. Exit code 0: nothing failed that is not expected.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.conformance import suite
from tests.support import Platform, with_config

ROW = "{:<10} {:<11} {:>9} {:>7} {:>9} {:>7} {:>7}  {}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.run")
    parser.add_argument("--url", help="the /mcp URL of a running server; nothing is deployed")
    parser.add_argument("--sessions", action="store_true", help="the server at --url keeps sessions")
    options = parser.parse_args()
    print(ROW.format("mode", "protocol", "required", "passed", "may fail", "checks", "failed", "result"))
    if options.url:
        return _report(options.url, "sessions" if options.sessions else "stateless")
    with tempfile.TemporaryDirectory(prefix="homeport-") as folder:
        platform = Platform(Path(folder) / "home")
        try:
            return sum(_deployed(platform, mode, Path(folder)) for mode in suite.MODES) and 1
        finally:
            platform.stop()


def _deployed(platform: Platform, mode: str, folder: Path) -> int:
    project = with_config(suite.SERVER, suite.MODES[mode], folder / mode)
    deployment = platform.deploy(project, name=f"conformance-{mode}")
    with suite.bare(mode) as bare_url:
        return _report(deployment.mcp_url, mode, bare_url)


def _report(url: str, mode: str, bare_url: str | None = None) -> int:
    """Runs and prints every revision; the number of those that failed."""
    failures = 0
    for revision in suite.REVISIONS:
        outcome = suite.run(url, revision, mode)
        worse = outcome.worse_than(suite.run(bare_url, revision, mode)) if bare_url else {}
        required = [outcome.scenarios.get(name, (0, 1)) for name in outcome.required]
        clean = sum(not failed for _, failed in required)
        checks, failed = sum(passed for passed, _ in required), sum(failed for _, failed in required)
        ok = outcome.ok and not worse
        verdict = "ok" if ok else "FAILED"
        print(ROW.format(mode, revision, len(required), clean, len(outcome.expected), checks, failed, verdict))
        for name, counts in worse.items():
            print(f"  {name}: {counts}")
        if not outcome.ok:
            print(outcome.log)
        failures += not ok
    return failures


if __name__ == "__main__":
    sys.exit(main())
