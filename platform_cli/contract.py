"""Compares two contracts, and names the changes that a server's clients would notice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api.difference import ToolsDifference


@dataclass(frozen=True, slots=True)
class Difference:
    """Holds the names of the tools that two contracts do not have in common, or describe differently.

    `required` holds `tool.parameter` for each parameter that is required now and was optional, or missing, before.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    required: tuple[str, ...]
    described: tuple[str, ...]

    @property
    def is_breaking(self) -> bool:
        """Tells whether a call that worked before may fail now."""
        return bool(self.removed or self.required)

    def data(self) -> ToolsDifference:
        """Returns the difference as it is written as JSON."""
        return {
            "added": list(self.added),
            "removed": list(self.removed),
            "required": list(self.required),
            "described": list(self.described),
            "breaking": self.is_breaking,
            "lines": self.lines(),
        }

    def lines(self) -> list[str]:
        """Returns one line of text for each change, the breaking ones first."""
        return [
            *(f"- {name} (breaking: removed)" for name in self.removed),
            *(f"! {name} (breaking: is required now)" for name in self.required),
            *(f"+ {name}" for name in self.added),
            *(f"~ {name} (description)" for name in self.described),
        ]


def compare(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> Difference:
    """Returns what changed from contract `old` to contract `new`; None stands for a server without a contract."""
    before, after = _tools(old), _tools(new)
    both = [name for name in after if name in before]
    return Difference(
        added=tuple(name for name in after if name not in before),
        removed=tuple(name for name in before if name not in after),
        required=tuple(
            f"{name}.{parameter}"
            for name in both
            for parameter in _required(after[name])
            if parameter not in _required(before[name])
        ),
        described=tuple(name for name in both if _description(before[name]) != _description(after[name])),
    )


def _tools(contract: Mapping[str, Any] | None) -> dict[str, Mapping[str, Any]]:
    return {str(tool["name"]): tool for tool in (contract or {}).get("tools", ())}


def _required(tool: Mapping[str, Any]) -> list[str]:
    required: list[str] = tool.get("inputSchema", {}).get("required", [])
    return required


def _description(tool: Mapping[str, Any]) -> str:
    return str(tool.get("description") or "").strip()
