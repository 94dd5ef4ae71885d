"""Wall time to what is uploaded to Lambda: `homeport deploy --target lambda --dry-run`, next to `sam build --cached`
(without containers) and `chalice package` of the same server, requirements and Python.

cold        nothing is there, the caches of uv and pip are empty
warm        nothing is there but what uv and pip have in their caches
code only   the server's file was edited since the last build

homeport also locks, imports the server to record what it answers, and asks AWS (moto here) what is there already;
`sam build` leaves the zip to `sam deploy`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.aws.control_plane import VERSION, control_plane
from tests.aws.sandbox import machine
from tests.runtime.conftest import python_with

from .harness import ENVIRONMENT, SERVERS, folder, in_turn, show, show_ratio, timed
from .lambda_project import edit, make_project

STAGES = ("cold", "warm", "code only")
SAM = {
    "Transform": "AWS::Serverless-2016-10-31",
    "Resources": {
        "Server": {
            "Type": "AWS::Serverless::Function",
            "Properties": {
                "CodeUri": "source",
                "Handler": "server.handler",
                "Runtime": f"python{VERSION}",
                "Architectures": [machine()],
            },
        }
    },
}
CHALICE = """
from chalice import Chalice

app = Chalice(app_name="benchmark")


@app.lambda_function()
def serve(event, context):
    from chalicelib import server
"""


@dataclass(frozen=True, slots=True)
class Builder:
    """`command` makes what is uploaded, in `folder`; `server` is what gets edited."""

    command: tuple[str | Path, ...]
    folder: Path
    server: Path
    environment: Mapping[str, str]

    def seconds(self) -> float:
        return timed(self.command, self.environment, self.folder)


def homeport(root: Path, cache: Mapping[str, str], moto: Mapping[str, str]) -> Builder:
    project = make_project(root / "homeport")
    command = (Path(sys.executable).with_name("homeport"), "deploy", project, "--name", "benchmark", "--dry-run")
    environment = {**ENVIRONMENT, **cache, **moto, "HOMEPORT_HOME": str(root / "home")}
    return Builder(command, project, project / "server.py", environment)


def sam(root: Path, cache: Mapping[str, str]) -> Builder:
    project = root / "sam"
    shutil.copytree(SERVERS / "fastmcp4", project / "source", ignore=shutil.ignore_patterns("__pycache__"))
    (project / "template.json").write_text(json.dumps(SAM))
    programs = Path(python_with("aws-sam-cli", "pip")).parent
    command = (programs / "sam", "build", "--cached", "--template", "template.json")
    return Builder(command, project, project / "source" / "server.py", _peer(programs, root, cache))


def chalice(root: Path, cache: Mapping[str, str]) -> Builder:
    project = root / "chalice"
    (project / "chalicelib").mkdir(parents=True)
    (project / ".chalice").mkdir()
    shutil.copy(SERVERS / "fastmcp4" / "server.py", project / "chalicelib")
    shutil.copy(SERVERS / "fastmcp4" / "requirements.txt", project)
    (project / "app.py").write_text(CHALICE)
    said = {"version": "2.0", "app_name": "benchmark", "stages": {"dev": {}}}
    (project / ".chalice" / "config.json").write_text(json.dumps(said))
    programs = Path(python_with("chalice", "pip", "setuptools", "wheel")).parent
    command = (programs / "chalice", "package", "package")
    return Builder(command, project, project / "chalicelib" / "server.py", _peer(programs, root, cache))


def _peer(programs: Path, root: Path, cache: Mapping[str, str]) -> dict[str, str]:
    """Its own Python comes first, and nothing is told to anybody."""
    path = os.pathsep.join((str(programs), ENVIRONMENT.get("PATH", os.defpath)))
    region = {"AWS_DEFAULT_REGION": "us-east-1"}
    return {**ENVIRONMENT, **cache, **region, "PATH": path, "HOME": str(root), "SAM_CLI_TELEMETRY": "0"}


def measure(root: Path, moto: Mapping[str, str], number: int) -> dict[str, dict[str, float]]:
    """Seconds by stage and builder, in round `number`."""
    seconds: dict[str, dict[str, float]] = {}
    uv_cache = {"UV_CACHE_DIR": str(root / "uv-cache")}
    sam_cache, chalice_cache = ({"PIP_CACHE_DIR": str(root / f"pip-cache-{name}")} for name in ("sam", "chalice"))
    for stage in ("cold", "warm"):
        place = root / stage
        builders = {
            "homeport": homeport(place, uv_cache, moto), "sam build": sam(place, sam_cache),
            "chalice package": chalice(place, chalice_cache),
        }  # fmt: skip
        seconds[stage] = {name: builders[name].seconds() for name in in_turn(builders, number)}
    for builder in builders.values():
        edit(builder.server)
    seconds["code only"] = {name: builders[name].seconds() for name in in_turn(builders, number)}
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.lambda_build_time",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    measured: dict[str, dict[str, list[float]]] = {stage: defaultdict(list) for stage in STAGES}
    with folder("homeport-benchmark-") as root, control_plane(root) as plane:
        for number in range(options.rounds):
            for stage, seconds in measure(root / str(number), plane.moto.environment, number).items():
                for name, value in seconds.items():
                    measured[stage][name].append(value)
    for stage, by_name in measured.items():
        show(stage.ljust(10) + "".join(f"   {name} {statistics.median(by_name[name]):5.2f} s" for name in by_name))
        ours = by_name.pop("homeport")
        for name, theirs in by_name.items():
            ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
            show_ratio(f"lambda_build_time {stage}, by {name}", ratio, "<= 1.0")


if __name__ == "__main__":
    main()
