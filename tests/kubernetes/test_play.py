"""Runs what `homeport export kubernetes` writes with podman, which plays a Deployment of one pod without a cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.probing import call
from tests.support import SERVERS, SMALLEST, with_config
from tests.targets.container.pods import pods

pytestmark = pytest.mark.whole

CONFIG = """
[deployment.container]
base = "{base}"
[auth]
mode = "none"
"""
FENCES = "{{.HostConfig.ReadonlyRootfs}} {{.Config.User}} {{.EffectiveCaps}}"


def test_podman_plays_the_objects(tmp_path: Path) -> None:
    with pods(tmp_path) as running:
        url = running.play(with_config(SERVERS / SMALLEST, CONFIG.format(base=running.base), tmp_path), "notes")
        assert call(url, "add", a=40, b=2) == "42"
        assert running.podman("inspect", "--format", FENCES, "notes-pod-0-server") == "true 65532:0 []"
