"""Implements `homeport errors`."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from ..errors import InputError
from .options import json_option, running_target, target_option
from .output import Output, table, visible

if TYPE_CHECKING:
    from ..api.error_group import Change, ErrorFrame, ErrorGroup, ErrorGroupDetail, ErrorSample

# What can be done with a group, and what that makes of it.
ACTIONS: Mapping[str, Change] = {"resolve": "resolved", "mute": "muted", "reopen": "open"}
OPEN = ("open", "regressed")
# The characters of a message in a table.
MAX_SHOWN = 60


@click.command("errors")
@click.argument("name")
@click.argument("error", metavar="[ID]", type=int, required=False)
@click.argument("action", type=click.Choice([*ACTIONS]), required=False)
@click.option("--all", "show_all", is_flag=True, help="Also those that are resolved or muted.")
@target_option
@json_option
def errors_command(name: str, error: int | None, action: str | None, show_all: bool, as_json: bool) -> None:
    """Show the errors of project NAME, in groups of those that have one cause, or those of group ID.

    A group is resolved in the next release: if it comes back in that or a later one, it is open again, and regressed.
    On AWS Lambda and Kubernetes they are read from the project's log: of a function those of 30 days, and those of the
    pods that there are.
    """
    output = Output(as_json=as_json)
    if show_all and error is not None:
        raise InputError("--all goes with the list of all errors, not with one of them")
    target = running_target(changes=action is not None)
    if error is None:
        groups = target.errors(name)
        shown = [group for group in groups if show_all or group["state"] in OPEN]
        text = groups_text(name, shown, hidden=len(groups) - len(shown))
        output.result({"ok": True, "project": name, "errors": shown}, text)
        return
    group = target.change_error(name, error, ACTIONS[action]) if action else target.error(name, error)
    output.result({"ok": True, **group}, state_text(group) if action else group_text(group))


def groups_text(project: str, groups: Sequence[ErrorGroup], *, hidden: int) -> str:
    more = f"{hidden} resolved or muted: --all shows them" if hidden else ""
    if not groups:
        return "\n".join(filter(None, [f"{project} has no open errors", more]))
    header = ("id", "error", "in", "where", "count", "releases", "last seen", "state")
    rows = [
        (
            str(group["id"]), _title(group), asked(group), group["where"] or "-", str(group["count"]),
            _releases(group), _local_time(group["last_seen"]), group["state"],
        )
        for group in groups
    ]  # fmt: skip
    return "\n".join(filter(None, [table(header, rows), more]))


def group_text(group: ErrorGroupDetail) -> str:
    """Returns all of a group: what it is, its newest traceback, its counts, and its other samples."""
    lines = [f"{group['type']}: {_first_line(group['message'])}", ""]
    facts = {
        "state": state_text(group),
        "in": asked(group),
        "first seen": f"{_local_time(group['first_seen'])} in {group['first_release']}",
        "last seen": f"{_local_time(group['last_seen'])} in {group['last_release']}",
        "count": ", ".join(f"{each['count']} in {each['release']}" for each in group["releases"]),
    }
    lines += [f"{key:<12} {visible(value)}" for key, value in facts.items()]
    for newest in group["samples"][:1]:
        lines += ["", *_sample_lines(newest)]
    if others := group["samples"][1:]:
        lines += ["", "others"]
        lines += [f"  {_heading(each)}  {visible(_first_line(each['message']))}" for each in others]
    return "\n".join([visible(lines[0]), *lines[1:]])


def state_text(group: ErrorGroup) -> str:
    release = group["state_release"]
    match group["state"]:
        case "resolved":
            return f"resolved: it is open again if it comes back in a release after {release}"
        case "regressed":
            return f"regressed: it was resolved, and came back in {release}"
        case "muted":
            return "muted: it is counted and shown with --all alone"
    return "open"


def asked(group: ErrorGroup) -> str:
    """Returns what was asked of the server: the name of a tool, or a method."""
    if group["method"] == "tools/call" and group["name"]:
        return group["name"]
    return " ".join(filter(None, (group["method"], group["name"]))) or "-"


def _sample_lines(sample: ErrorSample) -> list[str]:
    lines = [_heading(sample)]
    for frame in sample["frames"]:
        lines += _frame_lines(frame)
    return [*lines, *(f"  {visible(line)}" for line in sample["message"].splitlines()[1:])]


def _frame_lines(frame: ErrorFrame) -> list[str]:
    place = f"{frame['file']}:{frame['line']} in {frame['function']}"
    if not frame["own"]:
        return [f"    {visible(place)}"]
    lines = [f"  {visible(place)}"]
    for number, source in enumerate(frame["source"], frame["source_start"]):
        mark = ">" if number == frame["line"] else " "
        lines.append(f"  {mark} {number:>5}  {visible(source)}".rstrip())
    return lines


def _heading(sample: ErrorSample) -> str:
    request = f", request {sample['request']}" if sample["request"] else ""
    return visible(f"{_local_time(sample['time'])} in {sample['release']}{request}")


def _title(group: ErrorGroup) -> str:
    text = f"{group['type'].rpartition('.')[2]}: {_first_line(group['message'])}"
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 3]}..."


def _releases(group: ErrorGroup) -> str:
    first, last = group["first_release"], group["last_release"]
    return first if first == last else f"{first} - {last}"


def _first_line(message: str) -> str:
    return (message.strip().splitlines() or ["-"])[0]


def _local_time(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
