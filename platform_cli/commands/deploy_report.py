"""Reports on a deploy: in one JSON object, or in lines for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..findings.confinement import find_unconfined
from ..findings.exposure import find_exposure
from ..findings.model import Finding
from ..findings.offers import find_failed_lists, offer_lines
from ..findings.open_errors import find_open_errors
from ..findings.replacement import find_replacement
from ..pipeline.stages import Stages
from ..target_table import target_argument
from ..targets.base import Applied
from .output import visible
from .plans import timed
from .sign_in import sign_in_line
from .token import token_line

if TYPE_CHECKING:
    from ..api.deploy_report import DeployReport, ShownEndpoint
    from ..api.status import Status


@dataclass(frozen=True, slots=True)
class Report:
    """Holds what a deploy reports.

    `where` is the target's word for its place, `contract` is None for an app without MCP, and `found` are the findings
    in its source. `sign_in_link` lets the person's browser sign in, once: it is for a terminal alone, since other
    output is kept, and read by others.
    """

    where: str
    applied: Applied
    contract: Mapping[str, Any] | None
    found: Sequence[Finding] = ()
    sign_in_link: str | None = None

    @property
    def status(self) -> Status:
        return self.applied.status

    @property
    def findings(self) -> tuple[Finding, ...]:
        return (
            *find_failed_lists(self.contract),
            *self.found,
            *find_replacement(self.status),
            *find_open_errors(self.status),
            *find_exposure(self.status, self.contract),
            *find_unconfined(self.status),
        )

    def data(self, stages: Stages) -> DeployReport:
        status = self.status
        report: DeployReport = {
            "ok": True,
            "project": status["project"],
            "release": status["release"],
            "target": status["target"],
            "url": status["url"],
            "mcp_url": status["mcp_url"],
            "sse_url": status["sse_url"],
            "auth": status["auth"],
            "changed": self.applied.changed,
            "findings": [{"kind": one.kind, "text": one.text, "hint": one.hint} for one in self.findings],
            "stages": timed(stages),
        }
        if self.applied.token:
            report["token"] = self.applied.token
        if endpoints := (self.contract or {}).get("endpoints"):
            report["endpoints"] = _with_urls(endpoints, status["url"])
        return report

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
        if self.sign_in_link:
            lines.append(sign_in_line(self.sign_in_link))
        for finding in self.findings:
            lines += [f"note:  {finding.text}", f"  try: {finding.hint}"]
        argument = target_argument(status["target"])
        lines.append(f"next:  homeport connect {status['project']}{argument} --client claude-code")
        return "\n".join(map(visible, lines))


def _with_urls(endpoints: Sequence[Mapping[str, Any]], url: str) -> list[ShownEndpoint]:
    return [
        {"path": each["path"], "name": each["name"], "tools": each["tools"], "url": f"{url}{each['path']}"}
        for each in endpoints
    ]
