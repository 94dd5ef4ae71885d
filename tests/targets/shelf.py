"""Is a target that is no more than a module and a line in the table: releases lie on a shelf, and serve nobody."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from platform_cli.api.status import Status
from platform_cli.config.names import default_name
from platform_cli.config.project import Project
from platform_cli.errors import InputError, NotFoundError
from platform_cli.home import open_home
from platform_cli.origin import Origin
from platform_cli.pipeline.build import build
from platform_cli.pipeline.stages import Stages
from platform_cli.targets.base import Applied, Candidate, KeepToken, Note, Removal, Step
from platform_cli.targets.inspector import ProcessInspector


@dataclass(frozen=True, slots=True)
class ShelfCandidate(Candidate):
    bundle: str


@dataclass(frozen=True, slots=True)
class ShelfPlan:
    project: str
    candidate: ShelfCandidate
    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ("a shelf serves nobody",)


class Shelf:
    name = "shelf"
    where = "on the shelf"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def opened(cls, _project: Project, _platform: str | None, _note: Note) -> Shelf:
        return cls(Path(os.environ["SHELF"]))

    def connect(self, *, changes: bool) -> None:
        """Does nothing, since a shelf is always there."""

    @contextmanager
    def deploying(self) -> Iterator[None]:
        yield

    def with_secrets(self, project: Project, _values: Mapping[str, str]) -> Project:
        return project

    def build(self, project: Project, stages: Stages, note: Note) -> ShelfCandidate:
        home = open_home()
        built = build(project, home, stages, ProcessInspector(home, {}), note)
        return ShelfCandidate(project, built.bundle.manifest, built.code, built.bundle.hash)

    def promoted(self, _source: Project, _to: Project) -> Any:
        raise InputError("nothing is promoted on a shelf")

    def plan(self, candidate: ShelfCandidate) -> ShelfPlan:
        name = candidate.project.name or default_name(candidate.contract, candidate.project)
        is_there = (self._folder / name).exists() and self._read(name)["bundle"] == candidate.bundle
        return ShelfPlan(name, candidate, () if is_there else (Step("put", f"{name} on the shelf"),))

    def apply(self, plan: ShelfPlan, stages: Stages, origin: Callable[[], Origin], keep: KeepToken) -> Applied:
        with stages.run("apply") as stage:
            stage.cached = not plan.steps
            if not plan.steps:
                return Applied(self.status(plan.project), changed=False)
            folder = self._folder / plan.project
            folder.mkdir(parents=True, exist_ok=True)
            number = len(list(folder.iterdir())) + 1
            content = {"bundle": plan.candidate.bundle, "release": f"v{number}", "author": origin().author}
            (folder / f"{number:03}.json").write_text(json.dumps(content))
        status = self.status(plan.project)
        keep(status["url"], "secret")
        return Applied(status, changed=True, token="secret", notes=("dust it now and then",))

    def ready(self, _plan: ShelfPlan, _applied: Applied, _stages: Stages) -> None:
        """Does nothing, since what lies there is ready."""

    def list_projects(self) -> list[Status]:
        return [self.status(folder.name) for folder in sorted(self._folder.iterdir())]

    def status(self, project: str) -> Status:
        release, url = self._read(project), f"https://{project}.shelf.example"
        return {
            "project": project,
            "release": release["release"],
            "bundle": release["bundle"],
            "state": "lying",
            "target": self.name,
            "image": None,
            "published": None,
            "url": url,
            "local_url": url,
            "mcp_url": f"{url}/mcp",
            "sse_url": f"{url}/sse",
            "workers": None,
            "processes": [],
            "last_error": None,
            "auth": "token",
            "confined": None,
            "user": None,
            "folder": None,
            "deployed_at": None,
            "outdated_secrets": None,
            "memory_mb": None,
            "architecture": None,
            "instances": None,
            "hand_made": [],
            "cost": None,
            "front": None,
            "open_errors": None,
        }

    def removal(self, project: str) -> Removal:
        return Removal((f"what lies in {self._folder / project}",))

    def destroy(self, project: str) -> None:
        shutil.rmtree(self._folder / project)

    def _read(self, project: str) -> dict[str, Any]:
        releases = sorted((self._folder / project).glob("*.json"))
        if not releases:
            raise NotFoundError(f"there is no project {project!r} on the shelf")
        read: dict[str, Any] = json.loads(releases[-1].read_text())
        return read
