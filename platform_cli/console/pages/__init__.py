"""Lists the pages. A page is a module here and a template of its name: adding one takes its line below."""

from __future__ import annotations

from ..page import Page
from . import (
    access,
    audit,
    build,
    call,
    calls,
    error,
    errors,
    logs,
    project,
    projects,
    releases,
    secrets,
    settings,
    trying,
)

# Those of a project are shown beside each other in this order.
PAGES: tuple[Page, ...] = (
    projects.PAGE,
    project.PAGE,
    calls.PAGE,
    call.PAGE,
    logs.PAGE,
    errors.PAGE,
    error.PAGE,
    releases.PAGE,
    trying.PAGE,
    build.PAGE,
    access.PAGE,
    audit.PAGE,
    secrets.PAGE,
    settings.PAGE,
)
