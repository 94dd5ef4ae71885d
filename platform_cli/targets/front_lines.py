"""Describes the host names that lead to a project, for the person."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..api.status import Front


def front_lines(front: Front) -> list[str]:
    """Returns lines with the DNS records that the names of a project need."""
    proven = front["certificate"] == "ISSUED"
    said = "lead here" if proven else "have to be proven; once AWS has seen their records, deploy again"
    records = [f"  {one['name']}  {one['type']}  {one['value']}" for one in front["records"]]
    return [f"names: {', '.join(front['names'])} {said}. DNS:", *records]
