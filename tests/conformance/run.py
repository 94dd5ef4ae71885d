"""Deploys the conformance server without and with sessions and runs the official suite against both.

    python -m tests.conformance.run                        deploy, run, compare with the same server run bare
    python -m tests.conformance.run --target lambda        the same on emulated Lambda, where no sessions are kept
    python -m tests.conformance.run --url URL [--sessions] run against any server that offers what the suite calls

Prints one line a run, and what the suite said where it failed. Exit code 0: nothing failed that is not expected.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from tests.aws.control_plane import control_plane
from tests.conformance import authorization, suite
from tests.signin.person import Person
from tests.support import Platform, free_port, with_config

SIGN_IN = '[auth]\nmode = "oauth"\n'
ROW = "{:<10} {:<11} {:>9} {:>7} {:>9} {:>7} {:>7}  {}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.run")
    parser.add_argument("--url", help="the /mcp URL of a running server; nothing is deployed")
    parser.add_argument("--sessions", action="store_true", help="the server at --url keeps sessions")
    parser.add_argument("--target", choices=("local", "lambda"), default="local", help="where it is deployed")
    options = parser.parse_args()
    if options.target == "lambda" and not (os.geteuid() == 0 and shutil.which("unshare")):
        parser.error("the emulator's sandboxes need root and unshare")
    print(ROW.format("mode", "protocol", "required", "passed", "may fail", "checks", "failed", "result"))
    if options.url:
        return _report(options.url, "sessions" if options.sessions else "stateless")
    with tempfile.TemporaryDirectory(prefix="homeport-") as folder:
        deployed = _on_lambda if options.target == "lambda" else _at_home
        return deployed(Path(folder)) and 1


def _at_home(folder: Path) -> int:
    platform = Platform(folder / "home")
    try:
        failures = sum(_deployed(platform, mode, config, folder) for mode, config in suite.MODES.items())
        return failures + _authorized(platform, folder)
    finally:
        platform.stop()


def _authorized(platform: Platform, folder: Path) -> int:
    """Runs and prints the scenarios of the platform's authorization server; 1 if anything is not as expected."""
    project = with_config(suite.SERVER, SIGN_IN, folder / "signed-in")
    deployment = platform.deploy(project, name="conformance-signed-in")
    issuer = platform.run("platform", "status")["api_url"]
    seen = authorization.run(issuer, deployment.mcp_url, free_port(), Person(platform).go_through)
    wrong = authorization.unexpected(seen)
    passed = sum(status == "SUCCESS" for status in seen.values())
    print(f"authorization server: {passed} of {len(seen)} checks succeed; {'FAILED' if wrong else 'ok'}")
    for check, status in wrong.items():
        print(f"  {check}: {status}")
    return bool(wrong)


def _on_lambda(folder: Path) -> int:
    (folder / "functions").mkdir()
    with control_plane(folder / "functions") as plane:
        return _deployed(plane.laptop(folder / "home"), "stateless", suite.LAMBDA, folder, listens=False)


def _deployed(platform: Platform, mode: str, config: str, folder: Path, *, listens: bool = True) -> int:
    project = with_config(suite.SERVER, config, folder / mode)
    deployment = platform.deploy(project, name=f"conformance-{mode}")
    with suite.bare(mode, listens=listens) as bare_url:
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
