"""Wall time of the whole `homeport deploy` command, each kind of deploy next to what a person would do without it.

cold        nothing is there: no state, an empty uv cache     uv pip install --target, python -c "import server"
warm        no state, but uv has the packages in its cache    the same with a warm uv cache
code only   the server's file was edited                      python -c "import fastmcp"
unchanged   nothing was edited                                python -c "import fastmcp"
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import uv

from .harness import ENVIRONMENT, SERVERS, folder, show, show_ratio, timed

PROJECT = SERVERS / "fastmcp4"
GOALS = {"warm": "goal < 1.3", "code only": "goal < 1.5 s", "unchanged": "goal < 0.4 s"}


class Round:
    """Every kind of deploy once, and its peer right after it. `seconds` has (homeport's, the peer's) by kind.

    All is under one folder, so that uv links files from its cache for both sides.
    """

    def __init__(self, root: Path) -> None:
        self.seconds: dict[str, tuple[float, float]] = {}
        self._root = root
        self._project = root / "project"
        shutil.copytree(PROJECT, self._project, ignore=shutil.ignore_patterns("__pycache__"))

    def measure(self) -> None:
        for stage in ("cold", "warm"):
            environment = {
                **ENVIRONMENT,
                "HOMEPORT_HOME": str(self._root / stage),
                "UV_CACHE_DIR": str(self._root / "cache"),
            }
            try:
                ours = _deploy(self._project, environment, changed=True)
                packages = self._root / f"{stage}-packages"
                self.seconds[stage] = ours, self._install(packages)
                if stage == "warm":
                    self._redeploy(packages, environment)
            finally:
                timed([_homeport(), "platform", "stop"], environment)

    def _redeploy(self, packages: Path, environment: Mapping[str, str]) -> None:
        with (self._project / "server.py").open("a") as file:
            file.write("\n# edited\n")
        for kind in ("code only", "unchanged"):
            ours = _deploy(self._project, environment, changed=kind == "code only")
            self.seconds[kind] = ours, self._import("fastmcp", packages)

    def _install(self, packages: Path) -> float:
        install = timed(
            [
                uv.find_uv_bin(), "pip", "install", "--quiet", "--python", sys.executable,
                "--target", packages, "--requirement", self._project / "requirements.txt",
            ],
            {**ENVIRONMENT, "UV_CACHE_DIR": str(self._root / "peer-cache")},
        )  # fmt: skip
        return install + self._import("server", packages)

    def _import(self, module: str, packages: Path) -> float:
        path = os.pathsep.join((str(packages), str(self._project)))
        return timed([sys.executable, "-S", "-c", f"import {module}"], {**ENVIRONMENT, "PYTHONPATH": path}, self._root)


def _homeport() -> Path:
    return Path(sys.executable).with_name("homeport")


def _deploy(project: Path, environment: Mapping[str, str], *, changed: bool) -> float:
    """Seconds of a deploy. Raises SystemExit if it fails, or if it was not the kind of deploy that is measured."""
    command: list[str | Path] = [_homeport(), "deploy", project, "--name", "benchmark", "--json"]
    started = time.perf_counter()
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    seconds = time.perf_counter() - started
    if done.returncode != 0 or json.loads(done.stdout)["changed"] is not changed:
        raise SystemExit(f"not a deploy with changed={changed}:\n{done.stdout.decode()}{done.stderr.decode()}")
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.deploy_time",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    measured = defaultdict[str, list[tuple[float, float]]](list)
    for _ in range(options.rounds):
        with folder("homeport-benchmark-") as root:
            this = Round(root)
            this.measure()
        for kind, pair in this.seconds.items():
            measured[kind].append(pair)
    ratios = {kind: statistics.median(a / b for a, b in pairs) for kind, pairs in measured.items()}
    for kind, pairs in measured.items():
        ours, peer = (statistics.median(side) for side in zip(*pairs, strict=True))
        show(
            f"{kind:<10} homeport {ours:5.2f} s   peer {peer:5.2f} s   ratio {ratios[kind]:.2f}   {GOALS.get(kind, '')}"
        )
    show_ratio("deploy_time", ratios["code only"], "< 1, code only by `import fastmcp`")


if __name__ == "__main__":
    main()
