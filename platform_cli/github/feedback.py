"""Reports a deployment to GitHub: as a commit status, as a deployment, and in one comment per pull request.

See https://docs.github.com/rest/commits/statuses, /rest/deployments, /rest/issues/comments.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..contract import Difference
from ..errors import GitHubError, NotFoundError
from .client import GitHubClient

# GitHub's limit for descriptions.
MAX_DESCRIPTION = 140
STATES: Mapping[str, tuple[str, str]] = {
    # homeport's state -> the states of GitHub's commit status and deployment.
    "running": ("pending", "in_progress"),
    "live": ("success", "success"),
    "failed": ("failure", "failure"),
    "overtaken": ("error", "inactive"),
    "gone": ("success", "inactive"),
}


@dataclass(frozen=True, slots=True)
class Report:
    """Describes one state of one deployment.

    `url` is where the server answers, `reason` why the deployment failed. `difference` compares the tools of a preview
    with those of the project; `blocked` fails the check for it.
    """

    repository: str
    project: str
    sha: str
    state: Literal["running", "live", "failed", "overtaken", "gone"]
    url: str | None
    reason: str | None = None
    release: str | None = None
    pull: int | None = None
    base: str = ""
    difference: Difference | None = None
    blocked: bool = False

    @property
    def description(self) -> str:
        match self.state:
            case "running":
                text = "homeport is building and deploying it"
            case "live" if self.blocked and self.difference:
                changes = [*self.difference.removed, *self.difference.required]
                text = f"breaking change of the tools: {', '.join(changes)}"
            case "live":
                text = f"{self.project} {self.release} is live"
            case "overtaken":
                text = "overtaken by a newer commit"
            case "gone":
                text = f"the preview {self.project} has ended"
            case _:
                where = f" (homeport logs {self.project} --build)"
                reason = (self.reason or "it failed").splitlines()[0]
                text = reason[: MAX_DESCRIPTION - len(where)] + where
        return text[:MAX_DESCRIPTION]


def set_status(client: GitHubClient, report: Report) -> None:
    state = "failure" if report.blocked else STATES[report.state][0]
    context = f"homeport/{report.base or report.project}"
    body: dict[str, Any] = {"state": state, "context": context, "description": report.description}
    if report.url and report.state == "live":
        body["target_url"] = report.url
    client.post(f"/repos/{report.repository}/statuses/{report.sha}", body)


def set_deployment(client: GitHubClient, report: Report, github_id: int | None) -> int:
    """Sets the state of GitHub's deployment, which is created if `github_id` is None, and returns its id."""
    path = f"/repos/{report.repository}/deployments"
    if github_id is None:
        wanted = {
            "ref": report.sha,
            "environment": report.project,
            "auto_merge": False,
            "required_contexts": [],
            "transient_environment": report.pull is not None,
            "production_environment": report.pull is None,
        }
        github_id = int(client.post(path, wanted)["id"])
    state: dict[str, Any] = {"state": STATES[report.state][1], "description": report.description}
    if report.url and report.state == "live":
        state["environment_url"] = report.url
    client.post(f"{path}/{github_id}/statuses", state)
    return github_id


def set_comment(client: GitHubClient, report: Report, github_id: int | None) -> int:
    """Writes the comment of the pull request, again if somebody deleted it, and returns its id."""
    body = {"body": comment(report)}
    if github_id is not None:
        with contextlib.suppress(NotFoundError):
            client.patch(f"/repos/{report.repository}/issues/comments/{github_id}", body)
            return github_id
    if report.pull is None:
        raise GitHubError("only pull requests have a comment")
    return int(client.post(f"/repos/{report.repository}/issues/{report.pull}/comments", body)["id"])


def comment(report: Report) -> str:
    """Returns the comment as Markdown, in which text of the server is a code block, so that GitHub does not interpret
    it.
    """
    short = report.sha[:7]
    match report.state:
        case "running":
            head = f"**{report.project}** is being built from {short}."
        case "failed":
            head = f"**{report.project}** could not be deployed from {short}:\n\n{_code(report.reason or '')}"
        case "overtaken":
            head = f"{short} was overtaken by a newer commit."
        case "gone":
            head = f"The preview **{report.project}** has ended."
        case _:
            head = f"**{report.project}** serves {short}: {report.url}"
    if report.state != "live" or report.difference is None:
        return head
    lines = report.difference.lines()
    if not lines:
        return f"{head}\n\nThe tools are those of {report.base}."
    verdict = "\n\nThis breaks clients, and `block_breaking` is set." if report.blocked else ""
    return f"{head}\n\nTools, compared with {report.base}:\n\n{_code(chr(10).join(lines), 'diff')}{verdict}"


def _code(text: str, language: str = "") -> str:
    """Returns a code block with a fence longer than any in the text (CommonMark, section 4.5)."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text[:60_000]}\n{fence}"
