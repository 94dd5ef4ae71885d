"""Shows who may call a project: client tokens, and the users that have signed in."""

from __future__ import annotations

from collections.abc import Mapping

from ..page import Asked, Page


async def load(asked: Asked) -> Mapping[str, object]:
    return {
        "status": asked.source.status(asked.project),
        "tokens": asked.source.client_tokens(asked.project),
        "users": asked.source.users(asked.project),
    }


PAGE = Page("access", "/projects/{project}/access", load, tab="Access")
