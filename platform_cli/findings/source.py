"""Collects the findings about a project's folder and code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..config.project import Project
from ..pipeline.code import Code
from .background import find_background
from .dotenv import find_dotenv, names_in_dotenv
from .left_behind import find_left_behind
from .model import Finding
from .variables import find_variables


def look_at(project: Project, code: Iterable[Code], shell: Mapping[str, str]) -> tuple[Finding, ...]:
    """Returns the findings about a project; `shell` is the environment of whoever deploys it."""
    code = tuple(code)
    return (
        *find_dotenv(project),
        *find_variables(project, code, shell, names_in_dotenv(project)),
        *find_left_behind(project, code),
        *find_background(project, code),
    )
