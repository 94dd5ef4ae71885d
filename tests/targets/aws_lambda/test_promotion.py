"""Tests stages on Lambda, and a release that goes from one to the next."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.surface import check_json
from tests.aws.control_plane import ControlPlane
from tests.support import CommandFailedError, Platform

from .conftest import copy_project

pytestmark = pytest.mark.whole

CONFIG = """
[project]
name = "shop"
[environment]
LEVEL = "info"
[stages.staging.environment]
LEVEL = "debug"
"""
CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}


def code(plane: ControlPlane, function: str) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(plane.code(function, "live"))) as zipped:
        return {name: zipped.read(name) for name in zipped.namelist()}


def live(plane: ControlPlane, function: str) -> dict[str, Any]:
    found: dict[str, Any] = plane.moto.client("lambda").get_function_configuration(
        FunctionName=function, Qualifier="live"
    )
    return found


def test_a_release_goes_from_staging_to_production_as_it_is(
    laptop: Platform, plane: ControlPlane, tmp_path: Path
) -> None:
    project = copy_project(tmp_path, CONFIG)
    staged = laptop.run("deploy", str(project), "--stage", "staging")
    assert (staged["project"], staged["release"]) == ("shop-staging", "v1")
    plan = laptop.run("promote", "staging", "production", str(project), "--dry-run")
    assert (plan["project"], plan["changed"]) == ("shop", True)
    check_json("promote --dry-run", plan)
    with pytest.raises(CommandFailedError):
        laptop.run("status", "shop")

    plane.uploaded = 0
    promoted = laptop.run("promote", "staging", "production", str(project))
    assert (promoted["project"], promoted["release"], promoted["from"]) == ("shop", "v1", "shop-staging v1")
    check_json("promote", promoted)
    assert plane.uploaded < 100_000, "packages and runtime are there"
    ours, theirs = live(plane, "homeport-shop"), live(plane, "homeport-shop-staging")
    assert [one["Arn"] for one in ours["Layers"]] == [one["Arn"] for one in theirs["Layers"]]
    assert ours["Role"] != theirs["Role"]
    before, after = code(plane, "homeport-shop-staging"), code(plane, "homeport-shop")
    assert {n: f for n, f in before.items() if n.startswith("app/")} == {
        n: f for n, f in after.items() if n.startswith("app/")
    }
    assert json.loads(before["manifest.json"])["environment"] == {"LEVEL": "debug"}
    assert json.loads(after["manifest.json"])["environment"] == {"LEVEL": "info"}
    assert "discovery.json" in before
    assert "discovery.json" not in after, "it was recorded with other variables"
    headers = {"Accept": "application/json, text/event-stream", "Authorization": f"Bearer {promoted['token']}"}
    answer = httpx.post(f"{plane.url('homeport-shop')}/mcp", json=CALL, headers=headers, timeout=60)
    assert "inputSchema" in answer.text
    assert laptop.run("promote", "staging", "production", str(project))["changed"] is False

    (project / "note.txt").write_text("another release")
    laptop.run("deploy", str(project), "--stage", "staging")
    assert laptop.run("status", "shop")["release"] == "v1"
    again = laptop.run("promote", "staging", "production", str(project))
    assert (again["release"], again["from"], "token" in again) == ("v2", "shop-staging v2", False)
    assert laptop.run("diff", "shop")["lines"] == []
    assert laptop.run("rollback", "shop")["release"] == "v1"
    for name in ("shop", "shop-staging"):
        laptop.run("destroy", name, "--yes")


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        (("staging", "staging"), "to itself"),
        (("stagin", "production"), "did you mean 'staging'"),
        (("staging", "production"), "serves no release"),
    ],
)
def test_what_cannot_be_promoted_is_refused(
    laptop: Platform, plane: ControlPlane, tmp_path: Path, stages: tuple[str, str], message: str
) -> None:
    project = copy_project(tmp_path, CONFIG.replace("shop", "shopless"))
    with pytest.raises(CommandFailedError) as caught:
        laptop.run("promote", *stages, str(project))
    assert message in caught.value.error["message"]
