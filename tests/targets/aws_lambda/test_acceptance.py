"""Tries what `make acceptance-aws` does on AWS against the emulators, so that it is known to work when it is needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.aws.acceptance import CHECKS, Acceptance
from tests.aws.control_plane import ControlPlane
from tests.aws.sandbox import machine
from tests.support import ROOT, Platform


@pytest.mark.whole
def test_the_acceptance_holds_and_leaves_nothing(laptop: Platform, plane: ControlPlane) -> None:
    command = [sys.executable, "-m", "tests.aws.acceptance", "--architecture", machine()]
    done = subprocess.run(command, cwd=ROOT, env=laptop.environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("held    ") == len(CHECKS) + 2
    functions = plane.moto.client("lambda").list_functions()["Functions"]
    assert not [one["FunctionName"] for one in functions if "acceptance" in one["FunctionName"]]


def test_it_destroys_what_it_made_when_something_failed(
    laptop: Platform, plane: ControlPlane, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: Acceptance) -> None:
        raise AssertionError("on purpose")

    monkeypatch.setattr("tests.aws.acceptance.CHECKS", {"this": fails})
    broken = Acceptance(laptop, project, "acceptance-broken")
    broken.run()
    assert broken.failed == {"this": "AssertionError: on purpose"}
    assert broken.held == ["a deploy gives a URL and a token", "destroy leaves nothing"]
