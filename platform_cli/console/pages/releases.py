"""Shows how a project came to what it serves: each deploy, what it changed, and how it does; and rolls back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ...api.deployment import DeploymentEntry
from ...api.difference import ToolsDifference
from ...api.metrics import ReleaseCount
from ...api.release import Release
from ..page import Asked, Page

MONTH_S = 30 * 86400.0
MOST = 50


@dataclass(frozen=True, slots=True)
class Step:
    """Is one deploy. Of what became no release, and of one that nothing was asked of, the rest is None.

    `difference` compares with the release before, `back` what a rollback to it would change.
    """

    deployment: DeploymentEntry
    release: Release | None
    count: ReleaseCount | None
    difference: ToolsDifference | None
    back: ToolsDifference | None

    @property
    def number(self) -> int:
        return int((self.deployment["release"] or "v0")[1:])

    @property
    def commit(self) -> str | None:
        source = self.deployment["source"]
        return None if source == "laptop" else source


async def load(asked: Asked) -> Mapping[str, object]:
    releases = asked.source.releases(asked.project)
    counts = await asked.source.release_counts(asked.project, asked.now - MONTH_S)
    deployments = asked.source.deployments(asked.project)
    return {
        "steps": await _steps(asked, deployments[:MOST], releases, counts),
        "more": max(len(deployments) - MOST, 0),
        "repository": asked.source.repository(asked.project),
    }


async def _steps(
    asked: Asked,
    deployments: Sequence[DeploymentEntry],
    releases: Sequence[Release],
    counts: Mapping[str, ReleaseCount],
) -> list[Step]:
    served = {each["release"]: each for each in releases if each["state"] != "failed"}
    # Releases come with the newest first.
    before = dict(pairwise(map(_number, served.values())))
    active = next((_number(each) for each in releases if each["state"] == "active"), 0)
    shown = {_number(served[each["release"]]) for each in deployments if each["release"] in served}
    pairs = {(before[number], number) for number in shown if number in before}
    if active:
        pairs |= {(active, number) for number in shown if number != active}
    found = await asked.source.differences(asked.project, pairs)
    failed = {each["release"]: each for each in releases if each["state"] == "failed"}

    def step(deployment: DeploymentEntry) -> Step:
        name = deployment["release"]
        if name not in served:
            return Step(deployment, failed.get(name or ""), None, None, None)
        number = _number(served[name])
        difference, back = found.get((before.get(number, 0), number)), found.get((active, number))
        return Step(deployment, served[name], counts.get(name), difference, back)

    return list(map(step, deployments))


def _number(release: Release) -> int:
    return int(release["release"][1:])


PAGE = Page("releases", "/projects/{project}/releases", load, tab="Releases")
