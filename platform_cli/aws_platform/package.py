"""Packages homeport itself as layers for its functions: the packages it needs, cross-installed as a user's are, and its
code.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import requires

from packaging.requirements import Requirement

from ..config.project import Architecture, LambdaSettings
from ..home import Home
from ..own_code import own_files
from ..pipeline.archive import Archive, Entry, read_archive, write_archive
from ..pipeline.interpreter import find_interpreter
from ..pipeline.layer import build_layer
from ..pipeline.lock import make_lock
from ..pipeline.model import Requirements
from ..pipeline.stages import Stages
from ..targets.aws_lambda.artifacts import check_python, compiled_entries, on_lambda, packages_of
from ..targets.aws_lambda.bytecode import sources_of

# Prints the modules that a function has loaded when it answers, which are compiled beforehand.
LOADED = (
    "import json, sys, platform_cli.aws_platform.web, platform_cli.aws_platform.api, "
    "platform_cli.aws_platform.builder, "
    "boto3.dynamodb.types, botocore.httpsession; print(json.dumps(sorted(sys.modules)))"
)
OWN = ("platform_cli", "homeport_runtime")
# What only images and containers need, which are not made on AWS: python-dxf needs a package that has no wheel.
NOT_THERE = ("docker", "python-dxf", "requests")


@dataclass(frozen=True, slots=True)
class Package:
    """Holds the archives of the platform's functions; `function` is a placeholder, since their code is
    in the layers.
    """

    packages: Archive
    code: Archive
    function: Archive
    python: str
    architecture: Architecture


def make_package(architecture: Architecture, home: Home, stages: Stages) -> Package:
    own = find_interpreter(None, home.cache)
    check_python(own.minor, LambdaSettings())
    foreign = on_lambda(own, architecture)
    needed = (each for each in requires("homeport") or () if Requirement(each).name not in NOT_THERE)
    requirements = Requirements("\n".join(needed), "homeport's own")
    with stages.run("lock") as stage:
        lock, stage.cached = make_lock(requirements, foreign, home.cache)
    with stages.run("layer") as stage:
        layer, stage.cached = build_layer(lock, foreign, home.layers)
    with stages.run("package") as stage:
        folder = home.cache / "platform"
        loaded = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True, cwd="/")
        modules = json.loads(loaded.stdout)
        foreign_modules = [name for name in modules if name.partition(".")[0] not in OWN]
        compiled = hashlib.sha256("\n".join(foreign_modules).encode()).hexdigest()[:16]
        packages = folder / f"packages-{lock.hash[:32]}-{compiled}.zip"
        stage.cached = packages.exists()
        if not packages.exists():
            write_archive(packages, compiled_entries(packages_of(layer), sources_of(foreign_modules), own))
        code = folder / "code.zip"
        write_archive(code, compiled_entries(own_files(), sources_of(modules), own))
        function = write_archive(folder / "function.zip", {"README": Entry(b"All that this runs is in its layers.\n")})
    return Package(read_archive(packages), read_archive(code), function, own.minor, architecture)
