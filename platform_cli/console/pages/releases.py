"""Shows how a project came to what it serves: each deploy, what it changed, and how it does; and rolls back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

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
        "steps": [*_steps(asked, deployments[:MOST], releases, counts)],
        "more": max(len(deployments) - MOST, 0),
        "repository": asked.source.repository(asked.project),
    }


def _steps(
    asked: Asked,
    deployments: Sequence[DeploymentEntry],
    releases: Sequence[Release],
    counts: Mapping[str, ReleaseCount],
) -> Iterator[Step]:
    known = {each["release"]: each for each in releases}
    served = [_number(each) for each in reversed(releases) if each["state"] != "failed"]
    active = next((_number(each) for each in releases if each["state"] == "active"), None)
    for deployment in deployments:
        release = known.get(deployment["release"] or "")
        if release is None or release["state"] == "failed":
            yield Step(deployment, release, None, None, None)
            continue
        number = _number(release)
        before = served[served.index(number) - 1] if served.index(number) else None
        yield Step(
            deployment,
            release,
            counts.get(release["release"]),
            asked.source.difference(asked.project, before, number) if before is not None else None,
            asked.source.difference(asked.project, active, number) if active not in (None, number) else None,
        )


def _number(release: Release) -> int:
    return int(release["release"][1:])


PAGE = Page("releases", "/projects/{project}/releases", load, tab="Releases")
