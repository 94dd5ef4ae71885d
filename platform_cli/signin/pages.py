"""Renders the pages of a sign-in, which no other page may frame, and which run no script."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from ..config.issuers import GITHUB, Login
from .model import OFFLINE_ACCESS
from .pending import Asked
from .redirects import is_on_this_machine, place_of

# The seconds after which a page that waits asks again.
REFRESH_S = 2

_TEMPLATES = Environment(
    loader=PackageLoader("platform_cli.signin"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def consent_page(asked: Asked, secret: str, user: str | None, login: Login | None) -> Response:
    """Asks whether the client may have what it wants; if `user` is None it is signed in at `login` afterwards."""
    how = "by the approval of the platform's owner"
    if login is not None:
        how = "with GitHub" if login.service == GITHUB else f"at {urlsplit(login.service).netloc}"
    told = {**_told(asked), "secret": secret, "user": user, "login": how}
    return _page("consent.html", f"Sign in to {asked.project}", told, (asked.redirect_uri,))


def onwards_page(asked: Asked, url: str) -> Response:
    """Leads to another service, by a page of its own, since the consent's form may only lead to the client."""
    return _page("onwards.html", f"Sign in to {asked.project}", {"url": url, "refresh_url": url}, refresh_s=0)


def waiting_page(asked: Asked, code: str) -> Response:
    """Shows the code that the owner approves, until that has happened."""
    return _page("wait.html", f"Sign in to {asked.project}", {**_told(asked), "code": code}, refresh_s=REFRESH_S)


def device_page(asked: Asked, url: str, code: str, interval_s: float) -> Response:
    """Shows the code that the user types at `url`, until that has happened."""
    told = {**_told(asked), "url": url, "shown_url": url.partition("://")[2], "code": code}
    return _page("device.html", f"Sign in to {asked.project}", told, refresh_s=max(int(interval_s), REFRESH_S))


def link_page(project: str, secret: str, for_how_long: str) -> Response:
    told = {"project": project, "secret": secret, "for_how_long": for_how_long}
    return _page("link.html", f"Sign in to {project}", told)


def message_page(title: str, text: str, status: int = 200) -> Response:
    return _page("message.html", title, {"text": text}, status=status)


def _told(asked: Asked) -> dict[str, Any]:
    return {
        "asked": asked,
        "scopes": [scope for scope in asked.scopes if scope != OFFLINE_ACCESS],
        "place": place_of(asked.redirect_uri),
        "is_local": is_on_this_machine(asked.redirect_uri),
        "document_host": urlsplit(asked.client).hostname if asked.client.startswith("https://") else None,
    }


def _page(
    template: str,
    title: str,
    told: dict[str, Any],
    onwards: tuple[str, ...] = (),
    *,
    refresh_s: int | None = None,
    status: int = 200,
) -> Response:
    nonce = secrets.token_urlsafe(16)
    text = _TEMPLATES.get_template(template).render(
        {"title": title, "nonce": nonce, "refresh_s": refresh_s, "refresh_url": None, **told}
    )
    return HTMLResponse(text, status, _headers(nonce, onwards))


def _headers(nonce: str, onwards: tuple[str, ...]) -> dict[str, str]:
    # Chrome applies form-action to the redirections that follow a form, too.
    targets = " ".join(dict.fromkeys(["'self'", *map(_source, onwards)]))
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; form-action {targets}; frame-ancestors 'none'; base-uri 'none'"
    )
    return {
        "content-security-policy": policy,
        "x-frame-options": "DENY",
        "x-content-type-options": "nosniff",
        # With no-referrer a browser would hide the form's origin, by which it is known to be ours.
        "referrer-policy": "same-origin",
        "cache-control": "no-store",
    }


def _source(url: str) -> str:
    """Returns a URL's origin as a source of CSP, which knows no IPv6 addresses: then the scheme alone."""
    parts = urlsplit(url)
    plain = parts.scheme in ("http", "https") and not set(parts.netloc) & set("[];, '\"")
    return f"{parts.scheme}://{parts.netloc}" if plain else f"{parts.scheme}:"
