"""Shows what a project offers, and a form by which to try it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...errors import NotFoundError
from ...playground.offers import Offer, offers_of
from ..page import Asked, Page
from ..text import Whole

TITLES = {"tool": "Tools", "prompt": "Prompts", "resource": "Resources", "template": "Templates of resources"}
# How many of each kind are listed.
MOST = 200


async def load(asked: Asked) -> Mapping[str, object]:
    status = asked.source.status(asked.project)
    offers = offers_of(asked.source.contract(asked.project))
    kind, key = asked.query.get("kind"), asked.query.get("key")
    chosen = find_offer(offers, kind, key) if kind else next(iter(offers), None)
    listed = [(title, [each for each in offers if each.kind == kind][:MOST]) for kind, title in TITLES.items()]
    return {
        "status": status,
        "listed": [(title, found) for title, found in listed if found],
        "chosen": chosen,
        "form": chosen.form if chosen else None,
        "prefix": "f",
        "params": Whole(chosen.fill([]).json if chosen else ""),
        "clients": _clients(),
    }


def find_offer(offers: Sequence[Offer], kind: str | None, key: str | None) -> Offer:
    """Returns the offer of that kind and key. Raises NotFoundError if there is none."""
    found = next((each for each in offers if (each.kind, each.key) == (kind, key)), None)
    if found is None:
        raise NotFoundError("the server does not offer this any more", hint="open the page again")
    return found


def _clients() -> list[tuple[str, str]]:
    """Returns the clients that `homeport connect` knows, by what it calls them and by their titles."""
    # Imported late: their paths take a module that nothing else here needs.
    from ...clients.formats import CLIENTS

    return [(name, client.title) for name, client in CLIENTS.items()]


PAGE = Page("try", "/projects/{project}/try", load, tab="Try")
