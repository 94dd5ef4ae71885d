"""Tests that a push to main deploys: real pushes, deliveries as GitHub sends them, and what GitHub is told."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from platform_cli.errors import NotFoundError
from tests.e2e.probing import call, control_plane, wait_for
from tests.github.conftest import log_in
from tests.github.fake import FakeGitHub, commit, delivery_headers, git, post
from tests.support import ROOT, CommandFailedError, Platform

NAME = "hello-world"
NEW_TOOL = """
TOOLS["{name}"] = schema()
"""


@pytest.fixture
def linked(platform: Platform, github: FakeGitHub, repository: Path, webhook_url: str) -> Iterator[str]:
    """Links the repository, and yields the project's URL, its first release live."""
    link = platform.run("link-repo", github.repository_url, "--previews", "--webhook-url", webhook_url)
    assert (link["project"], link["branch"], link["watched"]) == (NAME, "main", "webhook")
    wait_until_live(platform, git(repository, "rev-parse", "HEAD"))
    yield platform.run("status", NAME)["url"]
    unlink(platform)


def unlink(platform: Platform) -> None:
    platform.run("unlink-repo", NAME)
    with contextlib.suppress(CommandFailedError):
        platform.run("destroy", NAME)


def add_tool(repository: Path, name: str) -> str:
    with (repository / "server.py").open("a") as file:
        file.write(NEW_TOOL.format(name=name))
    return commit(repository, f"a tool called {name}")


def deployments(platform: Platform, name: str = NAME) -> list[dict[str, Any]]:
    with contextlib.suppress(NotFoundError):
        return list(map(dict, platform.api.deployments(name)))
    return []


def result_of(platform: Platform, sha: str, name: str = NAME) -> dict[str, Any] | None:
    for one in deployments(platform, name):
        if one["source"] == sha and one["result"] != "overtaken":
            return one if one["result"] in ("live", "failed") else None
    return None


def wait_until_live(platform: Platform, sha: str, name: str = NAME) -> dict[str, Any]:
    found: dict[str, Any] = wait_for(partial(result_of, platform, sha, name))
    assert found["result"] == "live", found
    return found


def tools(platform: Platform, name: str = NAME) -> list[str]:
    return [tool["name"] for tool in platform.run("tools", name)["tools"]]


def test_a_push_is_live_with_its_result_on_the_commit(
    platform: Platform, github: FakeGitHub, repository: Path, linked: str
) -> None:
    (hook,) = github.requests("POST", "/hooks")[-1:]
    assert (hook.body["events"], hook.body["config"]["content_type"]) == (["push", "pull_request"], "json")
    assert len(bytes.fromhex(hook.body["config"]["secret"])) == 32

    sha = add_tool(repository, "fresh")
    assert github.deliver("push", github.push(repository)) == (202, {"deploying": [NAME]})
    done = wait_until_live(platform, sha)
    assert "fresh" in tools(platform)
    assert platform.run("status", NAME)["url"] == linked
    assert (done["who"], done["message"], done["source"]) == ("Mona", "a tool called fresh", sha)
    wait_for(lambda: [state for state, _ in github.statuses(sha)] == ["pending", "success"])
    assert github.requests("POST", f"/statuses/{sha}")[-1].body["target_url"] == f"{linked}/mcp"
    wait_for(lambda: github.requests("POST", "/deployments/[0-9]+/statuses")[-1].body["state"] == "success")
    told = github.requests("POST", "/deployments/[0-9]+/statuses")[-1].body
    assert told["environment_url"] == f"{linked}/mcp"
    assert github.requests("POST", "/deployments")[-1].body["ref"] == sha
    origin = platform.run("versions", NAME)["versions"][0]["origin"]
    assert (origin["sha"], origin["author"], origin["message"]) == (sha, "Mona", "a tool called fresh")
    assert "inspect" in platform.run("logs", NAME, "--build", "--release", done["release"])["log"]
    assert platform.run("diff", NAME)["added"] == ["fresh"]
    assert "homeport_" not in str(github.asked)
    with pytest.raises(CommandFailedError, match=f"unlink-repo {NAME}"):
        platform.run("destroy", NAME)


def test_a_broken_commit_leaves_the_old_release_serving(
    platform: Platform, github: FakeGitHub, repository: Path, linked: str
) -> None:
    release = platform.run("status", NAME)["release"]
    with (repository / "server.py").open("a") as file:
        file.write("\nraise ValueError('not today')\n")
    sha = commit(repository, "a mistake")
    github.deliver("push", github.push(repository))
    found = wait_for(partial(result_of, platform, sha))
    assert (found["result"], "not today" in found["error"]) == ("failed", True)
    wait_for(lambda: [state for state, _ in github.statuses(sha)] == ["pending", "failure"])
    _, description = github.statuses(sha)[-1]
    assert "not today" in description
    assert description.endswith(f"(homeport logs {NAME} --build)")
    assert "not today" in platform.run("logs", NAME, "--build")["log"]
    assert platform.run("status", NAME)["release"] == release
    assert call(linked, "add", a=2, b=3) == "5"


def test_a_pull_request_has_a_preview_until_it_is_closed(
    platform: Platform, github: FakeGitHub, repository: Path, linked: str
) -> None:
    preview = f"{NAME}-pr-7"
    comments = len(github.requests("POST", "/issues/7/comments"))
    platform.run("set-secret", "GREETING", "aloha", "--project", NAME)
    config = '[github]\nblock_breaking = true\n[environment]\nGREETING = "${secrets.GREETING}"\n'
    (repository / "fastmcp.toml").write_text(config)
    with (repository / "server.py").open("a") as file:
        file.write(NEW_TOOL.format(name="brave"))
    sha = propose(repository)
    assert github.deliver("pull_request", github.pull_request("opened", sha))[1] == {"deploying": [preview]}
    wait_until_live(platform, sha, preview)
    wait_for(lambda: len(github.requests("POST", "/issues/7/comments")) == comments + 1)
    assert "brave" in tools(platform, preview)
    assert call(platform.run("status", preview)["url"], "whoami").endswith(" aloha")
    assert "brave" not in tools(platform)

    with (repository / "server.py").open("a") as file:
        file.write('del TOOLS["add"]\n')
    sha = propose(repository)
    github.deliver("pull_request", github.pull_request("synchronize", sha))
    wait_until_live(platform, sha, preview)
    wait_for(lambda: github.statuses(sha)[-1:] == [("failure", "breaking change of the tools: add")])
    wait_for(lambda: "- add (breaking: removed)\n+ brave" in last_comment(github))

    github.deliver("pull_request", github.pull_request("closed", sha))
    wait_for(lambda: preview not in [one["project"] for one in platform.api.projects()])
    wait_for(lambda: "has ended" in last_comment(github))
    assert len(github.requests("POST", "/issues/7/comments")) == comments + 1, "one comment, updated"
    assert call(linked, "add", a=2, b=3) == "5"


def propose(repository: Path) -> str:
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "-m", "a proposal")
    git(repository, "push", "--quiet", "--force", "origin", "HEAD:refs/pull/7/head")
    return git(repository, "rev-parse", "HEAD")


def last_comment(github: FakeGitHub) -> str:
    written = [one for one in github.asked if one.path.partition("/issues/")[2].find("comments") >= 0]
    return str(written[-1].body["body"])


@pytest.mark.whole
def test_a_hundred_pushes_end_with_the_newest_deployed_once(
    platform: Platform, github: FakeGitHub, repository: Path, linked: str
) -> None:
    bodies = []
    for number in range(100):
        (repository / "number.txt").write_text(f"{number}\n")
        git(repository, "add", "--all")
        git(repository, "commit", "--quiet", "-m", f"number {number}")
        bodies.append(json.dumps(github.push(repository)).encode())
    newest = commit(repository, "the last")
    bodies.append(json.dumps(github.push(repository)).encode())
    headers = [delivery_headers("push", signature) for signature in github.sign(bodies)]
    # The last one comes in the middle, as it may.
    order = [*range(50), 100, *range(50, 100)]
    assert {post(github.webhook, bodies[n], headers[n])[0] for n in order} == {202}
    wait_until_live(platform, newest)
    assert post(github.webhook, bodies[100], headers[100]) == (202, {"deploying": []}), "it was delivered before"
    wait_for(lambda: all(one["result"] not in ("waiting", "running") for one in deployments(platform)))
    serving = [v["origin"]["sha"] for v in platform.run("versions", NAME)["versions"]]
    assert serving[0] == newest
    assert len(serving) == len(set(serving)) == 2


@pytest.mark.parametrize("when", ["under way", pytest.param("accepted", marks=pytest.mark.whole)])
def test_what_was_accepted_survives_a_kill(
    platform: Platform, github: FakeGitHub, repository: Path, linked: str, when: str
) -> None:
    with (repository / "server.py").open("a") as file:
        # Long enough to be killed while it is loaded.
        file.write("import time\ntime.sleep(1)\n")
    sha = add_tool(repository, "survivor")
    payload = github.push(repository)
    body = json.dumps(payload).encode()
    headers = delivery_headers("push", github.sign([body])[0])
    pid = control_plane(platform)
    assert post(github.webhook, body, headers)[0] == 202
    if when == "under way":
        wait_for(lambda: github.statuses(sha))
    os.kill(pid, signal.SIGKILL)
    platform.run("platform", "start")
    wait_until_live(platform, sha)
    assert "survivor" in tools(platform)
    assert post(github.webhook, body, headers) == (202, {"deploying": []})
    wait_for(lambda: github.statuses(sha)[-1:] and github.statuses(sha)[-1][0] == "success")
    assert [v["origin"]["sha"] for v in platform.run("versions", NAME)["versions"]].count(sha) == 1


def test_polling_needs_no_webhook(platform: Platform, github: FakeGitHub, repository: Path) -> None:
    hooks = len(github.requests("POST", "/hooks"))
    assert platform.run("link-repo", github.repository_url, "--poll")["watched"] == "polling"
    try:
        wait_until_live(platform, git(repository, "rev-parse", "HEAD"))
        sha = add_tool(repository, "polled")
        wait_until_live(platform, sha)
        assert "polled" in tools(platform)
        wait_for(lambda: [state for state, _ in github.statuses(sha)] == ["pending", "success"])
        assert len(github.requests("POST", "/hooks")) == hooks
    finally:
        unlink(platform)


@pytest.mark.parametrize("answer", ["y", "n"])
def test_polling_is_offered_where_somebody_sits(
    platform: Platform, github: FakeGitHub, repository: Path, answer: str
) -> None:
    theirs, ours = pty.openpty()
    command = [sys.executable, "-m", "platform_cli", "link-repo", github.repository_url, "--json"]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=platform.environment,
        stdin=ours,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        os.write(theirs, f"{answer}\n".encode())
        stdout, stderr = process.communicate(timeout=60)
    finally:
        os.close(theirs)
        os.close(ours)
    assert "Look for new commits from here instead?" in stderr
    if answer == "y":
        assert json.loads(stdout)["watched"] == "polling"
        wait_until_live(platform, git(repository, "rev-parse", "HEAD"))
        unlink(platform)
    else:
        assert (process.returncode, "--poll" in json.loads(stdout)["error"]["hint"]) == (2, True)


def test_a_repository_with_several_servers(
    platform: Platform, github: FakeGitHub, repository: Path, webhook_url: str
) -> None:
    for name in ("one", "two"):
        (repository / name).mkdir()
        for file in ("server.py", "requirements.txt"):
            (repository / name / file).write_text((repository / file).read_text())
    sha = commit(repository, "two servers")
    names = [f"{NAME}-{name}" for name in ("one", "two")]
    try:
        for name in ("one", "two"):
            platform.run("link-repo", github.repository_url, "--path", name, "--webhook-url", webhook_url)
        for project in names:
            wait_until_live(platform, sha, project)
        (repository / "two" / "more.txt").write_text("more")
        sha = commit(repository, "only two")
        pushed = github.push(repository, before="1" * 40, created=False)
        assert github.deliver("push", pushed) == (202, {"deploying": [names[1]]})
        wait_until_live(platform, sha, names[1])
        refused = platform.run("repos")["repos"]
        assert [(link["project"], link["path"]) for link in refused] == [(names[0], "one"), (names[1], "two")]
    finally:
        for project in names:
            platform.run("unlink-repo", project)
            platform.run("destroy", project)


def test_what_is_no_push_of_ours_changes_nothing(
    platform: Platform, github: FakeGitHub, repository: Path, linked: str
) -> None:
    before = deployments(platform)
    body = json.dumps(github.push(repository, after="f" * 40)).encode()
    headers = delivery_headers("push", github.sign([body])[0])
    for change in (
        {"X-Hub-Signature-256": "sha256=" + "0" * 64},
        {"X-Hub-Signature-256": ""},
        {"X-GitHub-Hook-ID": "1"},
        {"X-GitHub-Hook-ID": "x"},
    ):
        assert post(github.webhook, body, headers | change)[0] == 401, change
    assert post(github.webhook, b"{" + body, headers)[0] == 401
    assert post(github.webhook, b"", headers | {"Content-Length": str(25 * 1024**2 + 1)})[0] == 413
    assert github.deliver("push", [1, 2])[0] == 400
    another = github.push(repository, after="a" * 40)
    another["repository"]["id"] += 1
    for event, payload in (
        ("star", {"action": "created"}),
        # What is there already would set off nothing anyway.
        ("push", github.push(repository, ref="refs/tags/v1", after="a" * 40)),
        ("push", github.push(repository, ref="refs/heads/other", after="a" * 40)),
        ("push", another),
        ("push", github.push(repository, deleted=True, after="0" * 40)),
        ("pull_request", github.pull_request("labeled", "a" * 40)),
    ):
        assert github.deliver(event, payload) == (202, {"deploying": []}), event
    fork = github.pull_request("opened", "a" * 40)
    fork["pull_request"]["head"]["repo"]["id"] += 1
    assert github.deliver("pull_request", fork)[1] == {"deploying": []}
    assert deployments(platform) == before


def test_a_renamed_repository_is_followed(
    platform: Platform, github: FakeGitHub, repository: Path, linked: str
) -> None:
    old, new = github.name, "Codertocat/Hello-Again"
    moved = {"Location": f"{github.url}/api/repos/{new}"}
    try:
        github.name = new
        github.override = lambda _method, path: (301, moved, b"") if path == f"/repos/{old}" else None
        # The delivery still has the old name: the rename is found by asking.
        payload = github.push(repository)
        origin = git(repository, "remote", "get-url", "origin")
        git(repository, "remote", "set-url", "origin", origin.replace(old, new))
        payload["repository"]["full_name"] = old
        payload["after"] = sha = add_tool(repository, "renamed")
        github.deliver("push", payload)
        wait_until_live(platform, sha)
        assert platform.run("repos")["repos"][0]["repository"] == github.repository_url
        wait_for(lambda: github.statuses(sha)[-1:] and github.statuses(sha)[-1][0] == "success")
    finally:
        github.override, github.name = lambda _method, _path: None, old
        github.deliver("push", github.push(repository))


@pytest.mark.whole
def test_a_revoked_token_is_shown_and_replaced(
    platform: Platform, github: FakeGitHub, repository: Path, linked: str
) -> None:
    old = github.token
    try:
        github.token = "ghp_another0token"
        origin = git(repository, "remote", "get-url", "origin")
        git(repository, "remote", "set-url", "origin", origin.replace(old, github.token))
        sha = add_tool(repository, "later")
        github.deliver("push", github.push(repository))
        wait_for(lambda: "token" in (platform.api.links()[0]["error"] or ""))
        assert "`homeport login`, then link again" in platform.run("repos")["repos"][0]["error"]
        assert github.statuses(sha) == []
        log_in(platform, github.token)
        platform.run("link-repo", github.repository_url, "--previews", "--webhook-url", github.webhook)
        wait_until_live(platform, sha)
        assert platform.run("repos")["repos"][0]["error"] is None
        wait_for(lambda: [state for state, _ in github.statuses(sha)][-1:] == ["success"])
    finally:
        platform.run("unlink-repo", NAME)
        github.token = old
        log_in(platform, old)
        platform.run("link-repo", github.repository_url, "--previews", "--webhook-url", github.webhook)


def test_github_is_asked_no_more_than_it_allows(
    platform: Platform, github: FakeGitHub, repository: Path, linked: str
) -> None:
    limited: list[str] = []

    def limit(method: str, path: str) -> Any:
        if method == "POST" and "/statuses/" in path and len(limited) < 2:
            limited.append(path)
            headers = {"Retry-After": "0"} if limited[1:] else {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1"}
            return 403, headers, b'{"message": "API rate limit exceeded"}'
        return None

    github.override = limit
    try:
        sha = add_tool(repository, "patient")
        github.deliver("push", github.push(repository))
        wait_until_live(platform, sha)
        wait_for(lambda: [state for state, _ in github.statuses(sha)][-1:] == ["success"])
        assert len(limited) == 2
    finally:
        github.override = lambda _method, _path: None


def test_what_is_not_deployed_says_why(platform: Platform, github: FakeGitHub, repository: Path, linked: str) -> None:
    (repository / "model.bin").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    sha = commit(repository, "a model in LFS")
    github.deliver("push", github.push(repository))
    assert "Git LFS" in wait_for(partial(result_of, platform, sha))["error"]
    (repository / "model.bin").unlink()
    (repository / "fastmcp.toml").symlink_to("/etc/passwd")
    sha = commit(repository, "a link that leads out")
    github.deliver("push", github.push(repository))
    error = wait_for(partial(result_of, platform, sha))["error"]
    assert ("symlink" in error, "root:" in error) == (True, False)
    (repository / "fastmcp.toml").unlink()
    head = git(repository, "rev-parse", "HEAD")
    git(repository, "update-index", "--add", "--cacheinfo", f"160000,{head},vendored")
    git(repository, "commit", "--quiet", "-m", "a submodule")
    git(repository, "push", "--quiet", "origin", "HEAD:main")
    sha = git(repository, "rev-parse", "HEAD")
    github.deliver("push", github.push(repository))
    assert "vendored is a submodule" in wait_for(partial(result_of, platform, sha))["error"]
    assert call(linked, "add", a=2, b=3) == "5"
