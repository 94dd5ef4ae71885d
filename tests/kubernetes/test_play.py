"""Runs what `homeport export kubernetes` writes with podman, which plays a Deployment of one pod without a cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.probing import call
from tests.images.registries import registry
from tests.support import SERVERS, SMALLEST, Platform, with_config, with_packages
from tests.targets.container.engines import push_base
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
    homeport = Platform(with_packages(tmp_path / "home"))
    with registry(tmp_path) as images, pods(tmp_path, homeport) as running:
        config = CONFIG.format(base=push_base(images.address, tmp_path / "base"))
        project = with_config(SERVERS / SMALLEST, config, tmp_path)
        url = running.play(project, "notes", f"{images.address}/you/notes:1")
        assert call(url, "add", a=40, b=2) == "42"
        assert running.podman("inspect", "--format", FENCES, "notes-pod-0-server") == "true 65532:0 []"
