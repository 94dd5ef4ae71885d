"""Runs one platform for the projects of a test module, each written into a folder and deployed as a person does it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import httpx
import pytest

from tests.support import CommandFailedError, Platform

REQUIREMENTS = "mcp>=2\n"
ACCEPT = "application/json, text/event-stream"


@dataclass(frozen=True, slots=True)
class Served:
    """Is a project that is live."""

    platform: Platform
    project: str
    url: str

    def tools(self) -> list[str]:
        return sorted(tool["name"] for tool in self.platform.run("tools", self.project)["tools"])

    def call(self, tool: str, **arguments: object) -> str:
        """Returns the first text of the answer."""
        pairs = [f"{name}={value}" for name, value in arguments.items()]
        return str(self.platform.run("call", self.project, tool, *pairs)["content"][0]["text"])

    def ask(
        self, method: str, params: Mapping[str, Any] | None = None, *, path: str = "/mcp", **headers: str
    ) -> httpx.Response:
        """Sends one request of a client without a session. In a header's name `_` stands for `-`."""
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.post(f"{self.url}{path}", json=message, headers={"accept": ACCEPT, **named}, timeout=60)


def message(response: httpx.Response) -> dict[str, Any]:
    """Returns the JSON-RPC message of an answer, which may be an event stream."""
    lines = response.text.splitlines()
    data = next((line.removeprefix("data: ") for line in lines if line.startswith("data: {")), response.text)
    answer: dict[str, Any] = json.loads(data)
    return answer


# A project's files, and what follows `homeport deploy FOLDER`.
Deploy = Callable[..., Served]
Refuse = Callable[..., CommandFailedError]


def written(folder: Path, files: Mapping[str, str]) -> Path:
    """Writes the project into `folder`. Without a file that says so, it requires what a layer is ready for."""
    if not {"requirements.txt", "pyproject.toml"} & files.keys():
        files = {"requirements.txt": REQUIREMENTS, **files}
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(dedent(text))
    return folder


@pytest.fixture
def deploy(platform: Platform, tmp_path: Path) -> Iterator[Deploy]:
    """Returns `deploy(files, *arguments, path="")`, which writes the project and deploys it, or `path` in it."""
    project = f"p-{tmp_path.name.replace('_', '-')}"[:60].rstrip("-").lower()
    made = []

    def deployed(files: Mapping[str, str], *arguments: str, path: str = "") -> Served:
        folder = written(tmp_path / "project", files)
        answer = platform.run("deploy", str(folder / path), "--name", project, *arguments)
        made.append(project)
        return Served(platform, project, answer["url"])

    yield deployed
    for name in set(made):
        platform.run("destroy", name)


@pytest.fixture
def refuse(deploy: Deploy) -> Refuse:
    """Returns the same for a project that cannot be served; its result is the error."""

    def refused(files: Mapping[str, str], *arguments: str, path: str = "") -> CommandFailedError:
        with pytest.raises(CommandFailedError) as failed:
            deploy(files, *arguments, path=path)
        return failed.value

    return refused
