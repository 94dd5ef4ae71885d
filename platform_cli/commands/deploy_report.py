"""What a deploy says when it is done: one JSON object, or lines for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..findings.confinement import find_unconfined
from ..findings.exposure import find_exposure
from ..findings.model import Finding
from ..findings.offers import find_failed_lists, offer_lines
from ..findings.replacement import find_replacement
from ..pipeline.stages import Stages
from ..target_table import target_argument
from ..targets.base import Applied
from .output import visible
from .token import token_line


@dataclass(frozen=True, slots=True)
class Report:
    """What a deploy says: `where` is the target's word for its place, `contract` is None for an app without MCP, and
    `found` is what its source says.
    """

    where: str
    applied: Applied
    contract: Mapping[str, Any] | None
    found: Sequence[Finding] = ()

    @property
    def status(self) -> Mapping[str, Any]:
        return self.applied.status

    @property
    def findings(self) -> tuple[Finding, ...]:
        return (
            *find_failed_lists(self.contract),
            *self.found,
            *find_replacement(self.status),
            *find_exposure(self.status, self.contract),
            *find_unconfined(self.status),
        )

    def data(self, stages: Stages) -> dict[str, Any]:
        """`endpoints` is there for an app with several servers alone."""
        status, token = self.status, self.applied.token
        shown = ["project", "release", "target", "url", "mcp_url", "sse_url", "auth"]
        endpoints = (self.contract or {}).get("endpoints")
        return {
            "ok": True,
            **{key: status[key] for key in shown},
            "changed": self.applied.changed,
            **({"token": token} if token else {}),
            **({"endpoints": _with_urls(endpoints, status["url"])} if endpoints else {}),
            "findings": [asdict(finding) for finding in self.findings],
            "stages": [asdict(stage) for stage in stages.done],
        }

    def text(self) -> str:
        status, applied = self.status, self.applied
        state = "is live" if applied.changed else "is live already: no changes"
        lines = [
            "",
            f"{status['project']} {status['release']} {state} {self.where}".rstrip(),
            "",
            f"  {status['mcp_url']}",
            "",
            *offer_lines(self.contract, status["url"]),
        ]
        if applied.token:
            lines.append(token_line(applied.token))
        for finding in self.findings:
            lines += [f"note:  {finding.text}", f"  try: {finding.hint}"]
        argument = target_argument(status["target"])
        lines.append(f"next:  homeport connect {status['project']}{argument} --client claude-code")
        return "\n".join(map(visible, lines))


def _with_urls(endpoints: Sequence[Mapping[str, Any]], url: str) -> list[dict[str, Any]]:
    return [{**endpoint, "url": f"{url}{endpoint['path']}"} for endpoint in endpoints]
