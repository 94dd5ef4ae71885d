"""Checks [scopes] and [limits] against what a server offers: a rule for a tool that does not exist protects nothing."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from homeport_runtime.guard.scopes import ANYTHING, PROMPT, RESOURCE, Scopes, Target

from ..config.project import Project
from ..errors import BuildError, ConfigError


def check_rules(project: Project, contract: Mapping[str, Any] | None) -> None:
    """Raises ConfigError for a rule about a tool that the server does not have, and BuildError for what it has and no
    rule says anything of.
    """
    tools = [str(tool["name"]) for tool in (contract or {}).get("tools", ())]
    if project.limits is not None:
        _check_names(project.limits.lines, tools)
    if project.scopes is None:
        return
    named = {name: line for name, line in project.scopes.lines.items() if _is_tool(name)}
    _check_names(named, tools)
    scopes = Scopes(project.scopes.rules, project.scopes.implies)
    unsaid = [shown for target, shown in _offered(contract or {}) if scopes.rule_of(target) is None]
    if unsaid:
        raise BuildError(
            f"[scopes] says nothing of {', '.join(unsaid)}: nobody could use {'it' if len(unsaid) == 1 else 'them'}",
            hint='write a rule for each of them, or one for all that is not named: "*" = "..."',
        )


def _check_names(lines: Mapping[str, str], tools: list[str]) -> None:
    for name, line in lines.items():
        if name not in tools:
            near = difflib.get_close_matches(name, tools, n=1)
            meant = f"; did you mean {near[0]}?" if near else ""
            hint = f"its tools are {', '.join(tools)}" if tools else "it has no tools"
            raise ConfigError(f"{line}: the server has no tool {name}{meant}", hint=hint)


def _is_tool(name: str) -> bool:
    return name != ANYTHING and not name.startswith((RESOURCE, PROMPT))


def _offered(contract: Mapping[str, Any]) -> Iterator[tuple[Target, str]]:
    """Yields all that a server offers, as rules name it and as people are told."""
    for tool in contract.get("tools", ()):
        yield Target(str(tool["name"]), is_tool=True), str(tool["name"])
    for prompt in contract.get("prompts", ()):
        yield Target(f"{PROMPT}{prompt['name']}", is_tool=False), f"the prompt {prompt['name']}"
    for key, of in (("resources", "uri"), ("resourceTemplates", "uriTemplate")):
        for resource in contract.get(key, ()):
            yield Target(f"{RESOURCE}{resource[of]}", is_tool=False), f"the resource {resource[of]}"
