"""Bytes that a redeploy to Lambda uploads when only the server's file was edited, against the whole zip.

Both go to the tests' control plane (moto), which counts the bodies of all requests that change something. The peer is
what one makes by hand: the packages and the server's file in one zip, by boto3's update_function_code.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

import uv

from tests.aws.control_plane import ControlPlane, control_plane

from .harness import ENVIRONMENT, Platform, folder, show, show_ratio, timed
from .lambda_functions import check_emulator
from .lambda_project import edit, make_project

NAME = "benchmark"


def redeploy(plane: ControlPlane, project: Path, laptop: Platform) -> int:
    """Bytes of the second deploy. Raises SystemExit if it made no new release."""
    laptop.run("deploy", str(project), "--name", NAME)
    edit(project / "server.py")
    before = plane.uploaded
    if laptop.run("deploy", str(project), "--name", NAME)["release"] != "v2":
        raise SystemExit("the edit made no new release")
    return plane.uploaded - before


def by_hand(plane: ControlPlane, project: Path, root: Path) -> int:
    """Bytes of the same edit, without homeport."""
    requirements = project / "requirements.txt"
    install = [uv.find_uv_bin(), "pip", "install", "--quiet", "--python", sys.executable]
    timed([*install, "--target", root / "package", "--requirement", requirements])
    shutil.copy(project / "server.py", root / "package")
    whole = Path(shutil.make_archive(str(root / "package"), "zip", root / "package"))
    before = plane.uploaded
    plane.moto.client("lambda").update_function_code(FunctionName=f"homeport-{NAME}", ZipFile=whole.read_bytes())
    return plane.uploaded - before


def main() -> None:
    argparse.ArgumentParser(prog="python -m benchmarks.lambda_upload", description=__doc__).parse_args()
    check_emulator()
    with folder("homeport-benchmark-") as root, control_plane(root) as plane:
        project = make_project(root / "project")
        ours = redeploy(plane, project, Platform(root / "home", {**ENVIRONMENT, **plane.moto.environment}))
        theirs = by_hand(plane, project, root)
    show(f"fastmcp4 code-only redeploy   homeport {ours / 1000:.1f} KB   the whole zip {theirs / 1000:.0f} KB")
    show_ratio("lambda_upload", theirs / ours, "under 100 KB")


if __name__ == "__main__":
    main()
