"""Lists the pages. A page is a module here and a template of its name: adding one takes its line below."""

from __future__ import annotations

from ..page import Page
from . import project, projects, trying

# Those of a project are shown beside each other in this order.
PAGES: tuple[Page, ...] = (projects.PAGE, project.PAGE, trying.PAGE)
