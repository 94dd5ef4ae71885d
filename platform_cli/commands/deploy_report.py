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
from .output import visible


@dataclass(frozen=True, slots=True)
class Report:
    """`status` is the project's, with `changed`, and a `token` if one was made; `contract` is None for an app without
    MCP; `found` is what its source says.
    """

    status: Mapping[str, Any]
    contract: Mapping[str, Any] | None
    found: Sequence[Finding] = ()

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
        status = self.status
        shown = ["project", "release", "target", "url", "mcp_url", "sse_url", "auth", "changed"]
        endpoints = (self.contract or {}).get("endpoints")
        return {
            "ok": True,
            **{key: status[key] for key in shown},
            **({"token": status["token"]} if "token" in status else {}),
            **({"endpoints": _with_urls(endpoints, status["url"])} if endpoints else {}),
            "findings": [asdict(finding) for finding in self.findings],
            "stages": [asdict(stage) for stage in stages.done],
        }

    def text(self) -> str:
        status = self.status
        state = "is live" if status["changed"] else "is live already: no changes"
        on_lambda = status["target"] == "lambda"
        lines = [
            "",
            f"{status['project']} {status['release']} {state}{' on Lambda' if on_lambda else ''}",
            "",
            f"  {status['mcp_url']}",
            "",
            *offer_lines(self.contract, status["url"]),
        ]
        if "token" in status:
            lines.append(f"token: {status['token']}  (shown once; connect, tools and call know it on this machine)")
        for finding in self.findings:
            lines += [f"note:  {finding.text}", f"  try: {finding.hint}"]
        options = " --target lambda" if on_lambda else ""
        lines.append(f"next:  homeport connect {status['project']}{options} --client claude-code")
        return "\n".join(map(visible, lines))


def _with_urls(endpoints: Sequence[Mapping[str, Any]], url: str) -> list[dict[str, Any]]:
    return [{**endpoint, "url": f"{url}{endpoint['path']}"} for endpoint in endpoints]
