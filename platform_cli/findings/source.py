"""What the project's folder and its code tell, each finding once."""

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
    """`shell` is the environment of who deploys. Reads the project's folder, and changes nothing."""
    code = tuple(code)
    return (
        *find_dotenv(project),
        *find_variables(project, code, shell, names_in_dotenv(project)),
        *find_left_behind(project, code),
        *find_background(project, code),
    )
