"""Tests that a push to main deploys to Lambda, by the platform on AWS: real pushes, deliveries as GitHub sends them."""

from __future__ import annotations

import getpass
import json
import os
import signal
import socket
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.surface import check_json
from tests.aws.control_plane import ControlPlane
from tests.aws.function_url import DOMAIN
from tests.aws.moto_server import REGION
from tests.aws.sandbox import machine
from tests.e2e.probing import call
from tests.github.fake import FakeGitHub, commit, delivery_headers, git, post
from tests.support import CommandFailedError, Platform

from .conftest import BUILDER, WEB, Deployed, wait_for

# What comes of pushes is tested without sandboxes in test_pushes.py.
pytestmark = pytest.mark.whole

NAME = "hello-world"
PREFIX = "homeport_platform"
NEW_TOOL = """
TOOLS["{name}"] = schema()
"""


@pytest.fixture(scope="module")
def linked(platform: Deployed, github: FakeGitHub, clone: Path) -> str:
    """Links the repository, and returns its first commit, which is live."""
    link = platform.cli.run("link-repo", github.repository_url, "--previews")
    assert (link["project"], link["watched"]) == (NAME, "webhook")
    assert github.requests("POST", "/hooks")[-1].body["config"]["url"] == f"http://{DOMAIN}/github/webhook"
    sha = git(clone, "rev-parse", "HEAD")
    wait_until_live(platform, sha)
    return sha


def wait_until_live(platform: Deployed, sha: str, name: str = NAME) -> dict[str, Any]:
    # Each look is a dozen requests to the services that the platform asks.
    found: dict[str, Any] = wait_for(partial(result_of, platform, sha, name), every_s=0.5)
    assert found["result"] == "live", found["error"]
    return found


def result_of(platform: Deployed, sha: str, name: str = NAME) -> dict[str, Any] | None:
    found = platform.api.deployments(name)
    return next((dict(one) for one in found if one["source"] == sha and one["result"] in ("live", "failed")), None)


def add_tool(repository: Path, name: str) -> str:
    with (repository / "server.py").open("a") as file:
        file.write(NEW_TOOL.format(name=name))
    return commit(repository, f"a tool called {name}")


def tools(plane: ControlPlane, platform: Deployed, name: str = NAME) -> list[str]:
    listed = platform.cli.run("tools", f"{plane.url(f'homeport-{name}')}/mcp")["tools"]
    return [tool["name"] for tool in listed]


def versions(plane: ControlPlane, name: str = NAME) -> list[str]:
    found = plane.moto.client("lambda").list_versions_by_function(FunctionName=f"homeport-{name}")["Versions"]
    return [one["Version"] for one in found if one["Version"] != "$LATEST"]


def test_a_push_is_live_with_its_result_on_the_commit(
    platform: Deployed, laptop: Platform, plane: ControlPlane, github: FakeGitHub, repository: Path, linked: str
) -> None:
    sha = add_tool(repository, "fresh")
    body = json.dumps(github.push(repository)).encode()
    headers = delivery_headers("push", github.sign([body])[0])
    assert post(github.webhook, body, headers) == (202, {"deploying": [NAME]})
    done = wait_until_live(platform, sha)
    assert (done["who"], done["message"], done["release"]) == ("Mona", "a tool called fresh", "v2")
    assert "fresh" in tools(plane, platform)
    assert call(plane.url(f"homeport-{NAME}"), "add", a=2, b=3) == "5"
    wait_for(lambda: [state for state, _ in github.statuses(sha)] == ["pending", "success"])
    target = github.requests("POST", f"/statuses/{sha}")[-1].body["target_url"]
    assert target == platform.cli.run("status", NAME)["mcp_url"]
    assert "inspect" in platform.cli.run("logs", NAME, "--build", "--release", "v2")["log"]
    assert platform.cli.run("diff", NAME)["added"] == ["fresh"]
    assert [(link["project"], link["state"]) for link in platform.cli.run("repos")["repos"]] == [(NAME, "live")]
    role = plane.moto.client("iam").get_role(RoleName=f"homeport-{NAME}.{REGION}")["Role"]
    assert role["PermissionsBoundary"]["PermissionsBoundaryArn"].endswith(f":policy/{PREFIX}_boundary.{REGION}")

    before, made = len(platform.pump.events), versions(plane)
    assert post(github.webhook, body, headers) == (202, {"deploying": []}), "it was delivered before"
    wait_for(lambda: len(platform.pump.events) > before)
    wait_for(lambda: platform.pump.is_idle)
    assert versions(plane) == made

    (repository / "by-hand.txt").write_text("by hand")
    laptop.run("deploy", str(repository), "--name", NAME, "--target", "lambda")
    for listed in (
        platform.cli.run("deployments", NAME)["deployments"],
        laptop.run("deployments", NAME, "--target", "lambda")["deployments"],
    ):
        assert [one["source"] for one in listed] == ["laptop", sha, linked]
        assert [one["who"] for one in listed] == [f"{getpass.getuser()}@{socket.gethostname()}", "Mona", "Mona"]
        assert all(one["seconds"] > 0 for one in listed)


def test_a_broken_commit_leaves_the_old_release_serving(
    platform: Deployed, plane: ControlPlane, github: FakeGitHub, repository: Path, linked: str
) -> None:
    with (repository / "server.py").open("a") as file:
        file.write("\nraise ValueError('not today')\n")
    sha = commit(repository, "a mistake")
    release = platform.cli.run("status", NAME)["release"]
    github.deliver("push", github.push(repository))
    found = wait_for(partial(result_of, platform, sha), every_s=0.5)
    assert (found["result"], "not today" in found["error"]) == ("failed", True)
    wait_for(lambda: [state for state, _ in github.statuses(sha)] == ["pending", "failure"])
    assert "not today" in github.statuses(sha)[-1][1]
    assert platform.cli.run("status", NAME)["release"] == release
    assert call(plane.url(f"homeport-{NAME}"), "add", a=2, b=3) == "5"


def test_a_builder_that_is_killed_is_finished_by_the_next(
    platform: Deployed, plane: ControlPlane, github: FakeGitHub, repository: Path, linked: str
) -> None:
    with (repository / "server.py").open("a") as file:
        # Long enough to be killed while it is loaded.
        file.write("import time\ntime.sleep(1)\n")
    sha = add_tool(repository, "survivor")
    made = versions(plane)
    failures = len(platform.pump.failures)
    github.deliver("push", github.push(repository))
    wait_for(lambda: github.statuses(sha))
    (busy,) = [one for one in plane.function(BUILDER, "$LATEST").sandboxes if one.busy]
    os.killpg(busy.process.pid, signal.SIGKILL)
    wait_until_live(platform, sha)
    assert len(platform.pump.failures) == failures + 1, "the message came again"
    assert "survivor" in tools(plane, platform)
    assert len(versions(plane)) == len(made) + 1
    wait_for(lambda: github.statuses(sha)[-1][0] == "success")


def test_a_pull_request_has_a_preview_until_it_is_closed(
    platform: Deployed, laptop: Platform, plane: ControlPlane, github: FakeGitHub, repository: Path, linked: str
) -> None:
    preview, before = f"{NAME}-pr-7", len(github.asked)
    laptop.run("set-secret", "GREETING", "aloha", "--project", NAME, "--target", "lambda")
    with (repository / "fastmcp.toml").open("a") as config:
        config.write('[environment]\nGREETING = "${secrets.GREETING}"\n')
    with (repository / "server.py").open("a") as file:
        file.write(NEW_TOOL.format(name="brave") + 'del TOOLS["add"]\n')
    git(repository, "commit", "--quiet", "--all", "-m", "a proposal")
    git(repository, "push", "--quiet", "--force", "origin", "HEAD:refs/pull/7/head")
    sha = git(repository, "rev-parse", "HEAD")
    assert github.deliver("pull_request", github.pull_request("opened", sha))[1] == {"deploying": [preview]}
    wait_until_live(platform, sha, preview)
    said = wait_for(lambda: comments_of(github, before))[-1]
    assert ("- add (breaking: removed)" in said, "+ brave" in said) == (True, True)
    made = [one for one in github.asked[before:] if one.path.endswith("/comments") and one.method == "POST"]
    assert len(made) <= 1, "one comment, which is updated"
    assert "brave" in tools(plane, platform, preview)
    assert call(plane.url(f"homeport-{preview}"), "whoami").endswith(" aloha")
    github.deliver("pull_request", github.pull_request("closed", sha))
    functions = plane.moto.client("lambda")
    wait_for(lambda: f"homeport-{preview}" not in str(functions.list_functions()))
    wait_for(lambda: "has ended" in comments_of(github, before)[-1])
    assert f"homeport/{preview}" not in str(plane.moto.client("secretsmanager").list_secrets())


def comments_of(github: FakeGitHub, since: int) -> list[str]:
    found = [one.body["body"] for one in github.asked[since:] if "/comments" in one.path and one.method != "GET"]
    return found if any("Tools, compared" in text for text in found) else []


def test_whom_it_listens_to(platform: Deployed, github: FakeGitHub, repository: Path, linked: str) -> None:
    events = len(platform.pump.events)
    body = json.dumps(github.push(repository, after="f" * 40)).encode()
    headers = delivery_headers("push", github.sign([body])[0])
    wrong = {"X-Hub-Signature-256": "sha256=" + "0" * 64}, {"X-Hub-Signature-256": ""}, {"X-GitHub-Hook-ID": "1"}
    for change in wrong:
        assert post(github.webhook, body, headers | change)[0] == 401, change
    assert github.deliver("push", [1, 2])[0] == 400
    assert github.deliver("star", {"action": "created"}) == (202, {"deploying": []})
    assert len(platform.pump.events) == events
    answers = [
        httpx.get(f"{platform.url}/v1/github/links", headers=known) for known in ({}, {"Authorization": "Bearer x"})
    ]
    assert [answer.status_code for answer in answers] == [401, 401]
    with pytest.raises(CommandFailedError, match="--target lambda"):
        platform.cli.run("destroy", NAME, "--yes")
    with pytest.raises(
        CommandFailedError, match=f"leave --poll out: GitHub reaches it at http://{DOMAIN}/github/webhook"
    ):
        platform.cli.run("link-repo", github.repository_url, "--poll")


def test_a_second_deploy_of_the_platform_changes_nothing(
    platform: Deployed, laptop: Platform, plane: ControlPlane
) -> None:
    command = ("platform", "deploy", "--target", "lambda", "--architecture", machine())
    wait_for(lambda: platform.pump.is_idle)
    plane.calls.clear()
    plan = laptop.run(*command, "--dry-run")
    check_json("platform deploy --dry-run", plan)
    assert plan["plan"] == []
    again = laptop.run(*command)
    assert (again["changed"], "token" in again) == (False, False)
    assert [one for one in plane.calls if "ReceiveMessage" not in one] == []


def test_a_new_token_ends_the_old_one(platform: Deployed, laptop: Platform, linked: str) -> None:
    command = ("platform", "deploy", "--target", "lambda", "--architecture", machine())
    answer = laptop.run(*command, "--new-token")
    assert (answer["changed"], answer["token"] == platform.token) == (True, False)
    tokens = {"old": platform.token, "new": answer["token"]}
    answers = {
        name: httpx.get(f"{platform.url}/v1/github/links", headers={"Authorization": f"Bearer {token}"}, timeout=60)
        for name, token in tokens.items()
    }
    assert {name: answer.status_code for name, answer in answers.items()} == {"old": 401, "new": 200}
    assert platform.cli.run("repos")["repos"][0]["project"] == NAME, "this machine keeps the new one"


def test_nobody_finds_the_secrets(platform: Deployed, plane: ControlPlane, github: FakeGitHub, linked: str) -> None:
    """They are neither in the table, in the functions' configuration, in what the functions printed, nor in
    messages.
    """
    hidden = [github.token, github.secret, platform.token]
    items = plane.moto.client("dynamodb").scan(TableName=PREFIX)["Items"]
    functions = plane.moto.client("lambda")
    configured = [functions.get_function_configuration(FunctionName=name) for name in (WEB, BUILDER)]
    printed = [plane.function(name, "$LATEST").log.read_text() for name in (WEB, BUILDER)]
    seen = str([items, configured, printed, platform.pump.events])
    assert [value for value in hidden if value in seen] == []


def test_its_end_leaves_nothing_but_the_projects(
    platform: Deployed, laptop: Platform, plane: ControlPlane, github: FakeGitHub, linked: str
) -> None:
    hooks = len(github.requests("DELETE", "/hooks/[0-9]+"))
    platform.cli.run("unlink-repo", NAME)
    assert len(github.requests("DELETE", "/hooks/[0-9]+")) == hooks + 1
    platform.cli.run("link-repo", github.repository_url)
    wait_for(lambda: platform.pump.is_idle)
    platform.pump.stop()
    hooks += 1
    gone = laptop.run("platform", "destroy", "--target", "lambda", "--yes")
    check_json("platform destroy", gone)
    assert gone["webhooks_left"] == []
    assert len(github.requests("DELETE", "/hooks/[0-9]+")) == hooks + 1
    client = plane.moto.client
    left = [
        client("lambda").list_functions()["Functions"],
        client("lambda").list_layers()["Layers"],
        plane.mappings,
        client("iam").list_roles()["Roles"],
        client("iam").list_policies(Scope="Local")["Policies"],
        client("logs").describe_log_groups()["logGroups"],
        client("sqs").list_queues().get("QueueUrls", []),
        client("dynamodb").list_tables()["TableNames"],
        client("secretsmanager").list_secrets()["SecretList"],
    ]
    assert PREFIX not in str(left)
    assert f"homeport-{NAME}" in str(left)
    with pytest.raises(CommandFailedError) as caught:
        laptop.run("platform", "destroy", "--target", "lambda", "--yes")
    assert caught.value.code == 4
