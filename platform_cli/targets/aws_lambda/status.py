"""The status of a project on AWS Lambda, as data and in words for the person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..base import detail
from .front_lines import front_lines
from .live import Live


def status_of(project: str, live: Live) -> dict[str, Any]:
    """The status of a project without its cost and its front, which take calls of their own."""
    active = live.active
    configuration = active.configuration if active else live.function or {}
    return {
        "project": project,
        "release": f"v{active.release}" if active else None,
        "state": "serving" if active else f"serving version {live.leads_to}, published by hand",
        "target": "lambda",
        "url": live.url,
        "local_url": live.url,
        "mcp_url": f"{live.url}/mcp",
        "sse_url": f"{live.url}/sse",
        "workers": None,
        "last_error": f"instances are not kept ready: {reason}" if (reason := live.not_kept_ready) else None,
        "auth": ("token" if active.token_hash else "none") if active else None,
        "memory_mb": configuration["MemorySize"],
        "architecture": configuration["Architectures"][0],
        "instances": {
            "min": live.kept_ready,
            "ready": live.provisioned["AvailableProvisionedConcurrentExecutions"] if live.provisioned else 0,
            "max": live.reserved,
        },
        "hand_made": [{"version": one.number, "description": one.description} for one in live.hand_made],
    }


def status_lines(status: Mapping[str, Any]) -> list[str]:
    """What only a function has, below what a status says on every target."""
    by_hand = [f"version {one['version']}, {one['description']!r}" for one in status["hand_made"]]
    front = status.get("front")
    return [
        detail("memory mb", status["memory_mb"]),
        detail("architecture", status["architecture"]),
        detail("instances", _instances(status["instances"])),
        detail("cost", _cost(status["cost"])),
        detail("last error", status["last_error"]),
        detail("by hand", "; ".join(by_hand) or None),
        *(front_lines(front) if front else ()),
    ]


def _cost(cost: Mapping[str, Any] | None) -> str:
    if cost is None:
        return "unknown: no calls of the last days were measured"
    return (
        f"about ${cost['usd_per_million_calls']:.2f} for a million calls of {cost['average_ms']:.0f} ms"
        f" ({cost['calls']} measured in {cost['days']} days; prices of {cost['prices_of']})\n"
        f"{'':12} without {', '.join(cost['not_included'])}"
    )


def _instances(counts: Mapping[str, Any]) -> str:
    always = f"{counts['min']} kept ready ({counts['ready']} are), " if counts["min"] else ""
    return f"{always}at most {counts['max'] or 'what the account has'}"
