"""The boundary that whoever deploys has to set: the policy beyond which a role may do nothing."""

from __future__ import annotations

import os
from dataclasses import replace

from ...config.project import Project
from ...errors import ConfigError

# Its ARN, where a team's rules ask for one.
BOUNDARY_VARIABLE = "HOMEPORT_BOUNDARY"


def bounded(project: Project) -> Project:
    """The project with the boundary of whoever deploys, which none may leave out or replace. Raises ConfigError."""
    if not (boundary := os.environ.get(BOUNDARY_VARIABLE)):
        return project
    if project.on_lambda.boundary not in (None, boundary):
        raise ConfigError(
            f"{BOUNDARY_VARIABLE} is {boundary}, and boundary under [deployment.lambda] is another",
            hint="leave it out there",
        )
    return replace(project, on_lambda=replace(project.on_lambda, boundary=boundary))
