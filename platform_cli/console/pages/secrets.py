"""Shows the names of a project's secrets, their versions, and which releases have them; never a value."""

from __future__ import annotations

from collections.abc import Mapping

from ..page import Asked, Page


async def load(asked: Asked) -> Mapping[str, object]:
    return {"status": asked.source.status(asked.project), "secrets": asked.source.secrets(asked.project)}


PAGE = Page("secrets", "/projects/{project}/secrets", load, tab="Secrets")
