"""Applies the permissions boundary that whoever deploys has to set for the roles of functions."""

from __future__ import annotations

import os
from dataclasses import replace

from ...config.project import Project
from ...errors import ConfigError

# The variable with its ARN, if a team's rules demand one.
BOUNDARY_VARIABLE = "HOMEPORT_BOUNDARY"


def bounded(project: Project) -> Project:
    """Returns the project with that boundary, which no configuration may leave out or replace.

    Raises ConfigError if the project has another one.
    """
    if not (boundary := os.environ.get(BOUNDARY_VARIABLE)):
        return project
    if project.on_lambda.boundary not in (None, boundary):
        raise ConfigError(
            f"{BOUNDARY_VARIABLE} is {boundary}, and boundary under [deployment.lambda] is another",
            hint="leave it out there",
        )
    return replace(project, on_lambda=replace(project.on_lambda, boundary=boundary))
