"""Deploys to a platform that runs each release in a container of its own."""

from __future__ import annotations

import sys

from ...config.project import Project
from ..local.target import LocalTarget


class ContainerTarget(LocalTarget):
    name = "container"
    where = "in a container"

    def _base(self, project: Project) -> str | None:
        return f"python:{sys.version_info.major}.{sys.version_info.minor}-slim"
