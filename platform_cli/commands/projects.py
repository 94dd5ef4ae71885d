"""Implements `homeport list`, `status`, `versions`, `rollback` and `destroy`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from ..errors import InputError
from ..findings.exposure import is_open_to_others
from ..targets.front_lines import front_lines
from .options import configured_here, json_option, running_target, target_option
from .output import Output, table
from .registration import end_registration
from .removals import confirm_removal, yes_option

if TYPE_CHECKING:
    from ..api.status import Cost, Instances, Status

OPEN = "everyone who reaches it may call, as far as homeport goes"

PUBLISHED = ", by published ports: its engine passes no sockets, so that a deploy closes open connections"


@click.command("list")
@target_option
@json_option
def list_command(as_json: bool) -> None:
    """List the projects."""
    projects = running_target().list_projects()
    text = list_text(projects) if projects else "no projects yet"
    if found := [p["project"] for p in projects if is_open_to_others(p)]:
        text += f"\nopen to everyone who reaches them: {', '.join(found)}"
    Output(as_json=as_json).result({"ok": True, "projects": projects}, text)


def list_text(projects: list[Status]) -> str:
    columns: dict[str, list[str]] = {
        "project": [each["project"] for each in projects],
        "release": [each["release"] or "-" for each in projects],
        "state": [each["state"] for each in projects],
        "workers": [_shown(each["workers"]) for each in projects],
    }
    if any(each["open_errors"] for each in projects):
        columns["open errors"] = [_shown(each["open_errors"]) for each in projects]
    columns["url"] = [each["url"] for each in projects]
    return table(tuple(columns), list(zip(*columns.values(), strict=True)))


@click.command("status")
@click.argument("name")
@target_option
@json_option
def status_command(name: str, as_json: bool) -> None:
    """Show what project NAME serves, where, and how it is."""
    status = running_target().status(name)
    Output(as_json=as_json).result({"ok": True, **status}, _status_text(status))


def _status_text(status: Status) -> str:
    instances = status["instances"]
    shown: dict[str, object] = {
        "project": status["project"],
        "release": status["release"],
        "state": status["state"],
        "target": f"{status['target']}{PUBLISHED if status['published'] else ''}",
        "url": status["url"],
        **({"local url": status["local_url"]} if status["local_url"] != status["url"] else {}),
        "auth": f"{status['auth']}: {OPEN}" if is_open_to_others(status) else status["auth"],
        **(_function(status, instances) if instances else {"workers": status["workers"]}),
        "last error": status["last_error"],
        **(
            {"open errors": f"{count}: homeport errors {status['project']}"} if (count := status["open_errors"]) else {}
        ),
    }
    if instances:
        by_hand = [f"version {one['version']}, {one['description']!r}" for one in status["hand_made"]]
        shown["by hand"] = "; ".join(by_hand) or None
    lines = [f"{key:<12} {_shown(value)}" for key, value in shown.items()]
    return "\n".join([*lines, *(front_lines(front) if (front := status["front"]) else ())])


def _function(status: Status, instances: Instances) -> dict[str, object]:
    return {
        "memory mb": status["memory_mb"],
        "architecture": status["architecture"],
        "instances": _instances(instances),
        "cost": _cost(status["cost"]),
    }


def _cost(cost: Cost | None) -> str:
    if cost is None:
        return "unknown: no calls of the last days were measured"
    return (
        f"about ${cost['usd_per_million_calls']:.2f} for a million calls of {cost['average_ms']:.0f} ms"
        f" ({cost['calls']} measured in {cost['days']} days; prices of {cost['prices_of']})\n"
        f"{'':12} without {', '.join(cost['not_included'])}"
    )


def _instances(counts: Instances) -> str:
    always = f"{counts['min']} kept ready ({counts['ready']} are), " if counts["min"] else ""
    return f"{always}at most {counts['max'] or 'what the account has'}"


def _shown(value: Any) -> str:
    return "-" if value is None else str(value)


@click.command("versions")
@click.argument("name")
@target_option
@json_option
def versions_command(name: str, as_json: bool) -> None:
    """List the releases of project NAME, newest first."""
    versions = running_target().versions(name)
    rows = [
        (v["release"], v["state"], _local_time(v["created_at"]), v["reason"], _first_line(v["error"])) for v in versions
    ]
    text = table(("release", "state", "made", "by", "error"), rows)
    Output(as_json=as_json).result({"ok": True, "project": name, "versions": versions}, text)


def _first_line(error: str | None) -> str:
    return (error or "-").splitlines()[0]


@click.command("rollback")
@click.argument("name")
@click.argument("release", required=False)
@target_option
@json_option
def rollback_command(name: str, release: str | None, as_json: bool) -> None:
    """Serve RELEASE (v1, v2, ...) of project NAME again; by default the one before the active one."""
    status = running_target(changes=True).rollback(name, release_number(release))
    text = f"{name} serves {status['release']}" + ("" if status["changed"] else " already") + f": {status['mcp_url']}"
    Output(as_json=as_json).result({"ok": True, **status}, text)


def release_number(release: str | None) -> int | None:
    if release is None:
        return None
    digits = release.removeprefix("v")
    if not digits.isascii() or not digits.isdigit():
        raise InputError(f"{release!r} is not a release", hint="releases are v1, v2, ...")
    return int(digits)


@click.command("destroy")
@click.argument("name")
@target_option
@yes_option
@json_option
def destroy_command(name: str, yes: bool, as_json: bool) -> None:
    """End project NAME for good: its releases, the files its server wrote, its logs, its secrets."""
    target, output = running_target(changes=True), Output(as_json=as_json)
    removal = target.removal(name)
    confirm_removal(output, name, removal, yes=yes)
    here = configured_here()
    url = target.status(name)["url"] if here.issuer is not None else None
    target.destroy(name)
    if url is not None:
        end_registration(here, url, output)
    kept = f"what is not homeport's stays: {'; '.join(removal.kept)}" if removal.kept else "nothing of it is kept"
    data = {"ok": True, "project": name, "destroyed": True, "removed": removal.gone, "kept": removal.kept}
    output.result(data, f"{name} is gone, and {kept}")


def _local_time(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
