"""Renders templates: every expression is escaped, and made visible (`text`), whatever it is."""

from __future__ import annotations

from collections.abc import Mapping

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from . import text


def _finalized(value: object) -> object:
    return text.visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


_TEMPLATES = Environment(
    loader=PackageLoader("platform_cli.console"),
    autoescape=True,
    undefined=StrictUndefined,
    finalize=_finalized,
    trim_blocks=True,
    lstrip_blocks=True,
)
for _filter in (
    text.web_link,
    text.in_url,
    text.count,
    text.milliseconds,
    text.percent,
    text.size,
    text.ago,
    text.moment,
):
    _TEMPLATES.filters[_filter.__name__] = _filter


def render(template: str, told: Mapping[str, object]) -> str:
    return _TEMPLATES.get_template(template).render(told)
