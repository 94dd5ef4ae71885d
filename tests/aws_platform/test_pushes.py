"""Tests what comes of deliveries on AWS when things go wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from platform_cli.aws_platform.builder import TRIES, Builder, UntoldError
from platform_cli.aws_platform.names import QUEUE
from platform_cli.aws_platform.queue import LEAST_S, Queue
from platform_cli.aws_platform.queue_resources import MAX_RECEIVES
from platform_cli.home import Home
from tests.aws.moto_server import Moto
from tests.github.fake import Answer, FakeGitHub, commit, delivery_headers, git, post

from .in_process import NAME, InProcess, KilledError, running

pytestmark = pytest.mark.whole


@pytest.fixture(scope="module")
def linked(
    moto: Moto, github: FakeGitHub, clone: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[InProcess]:
    """Returns a platform to which the repository is linked, with its first commit live."""
    begin_anew(clone)
    with running(moto, tmp_path_factory.mktemp("home")) as here:
        here.link(github, previews=True)
        here.build()
        assert here.states() == [(git(clone, "rev-parse", "HEAD"), "live")]
        yield here
        here.unlink()
    begin_anew(clone)


def begin_anew(clone: Path) -> None:
    git(clone, "reset", "--quiet", "--hard", git(clone, "rev-list", "--max-parents=0", "HEAD"))
    git(clone, "push", "--quiet", "--force", "origin", "HEAD:main")


@pytest.fixture
def platform(linked: InProcess, github: FakeGitHub) -> Iterator[InProcess]:
    """Returns the platform with nothing to do and nothing made yet."""
    linked.forget()
    yield linked
    github.override = lambda _method, _path: None
    linked.deploys.dies = lambda: None
    linked.build()


def push(github: FakeGitHub, repository: Path, message: str) -> str:
    sha = commit(repository, message)
    assert github.deliver("push", github.push(repository)) == (202, {"deploying": [NAME]})
    return sha


@contextmanager
def queue_refusing(platform: InProcess) -> Iterator[None]:
    """Lets the queue refuse every message."""

    def refuse(**_: Any) -> None:
        raise EndpointConnectionError(endpoint_url="the queue")

    events, sending = platform.aws.queues.meta.events, "before-call.sqs.SendMessage"
    events.register_first(sending, refuse)
    try:
        yield
    finally:
        events.unregister(sending, refuse)


def signed(github: FakeGitHub, payload: object) -> tuple[bytes, dict[str, str]]:
    body = json.dumps(payload).encode()
    return body, delivery_headers("push", github.sign([body])[0])


def test_many_pushes_end_with_the_newest_deployed_once(
    platform: InProcess, github: FakeGitHub, repository: Path
) -> None:
    newest = commit(repository, "the last")
    payload = github.push(repository)
    # The last one comes in the middle, as it may; what is built is what the branch has then.
    shas = [f"{number:040x}" for number in range(6)] + [newest] + [f"{number:040x}" for number in range(6, 12)]
    bodies = [json.dumps({**payload, "after": sha}).encode() for sha in shas]
    headers = [delivery_headers("push", signature) for signature in github.sign(bodies)]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda place: post(github.webhook, bodies[place], headers[place]), range(len(shas))))
    assert {status for status, _ in answers} == {202}
    platform.build()
    assert platform.deploys.made == [(NAME, newest)]
    assert {state for _, state in platform.states()} == {"live", "overtaken"}
    assert post(github.webhook, bodies[6], headers[6])[0] == 202
    platform.build()
    assert platform.deploys.made == [(NAME, newest)], "it was delivered before"
    assert [state for state, _ in github.statuses(newest)] == ["pending", "success"]


def test_a_delivery_that_is_repeated_after_a_restart_deploys_nothing(
    platform: InProcess, github: FakeGitHub, repository: Path
) -> None:
    first = commit(repository, "first")
    body, headers = signed(github, github.push(repository))
    assert post(github.webhook, body, headers) == (202, {"deploying": [NAME]})
    platform.build()
    second = push(github, repository, "second")
    platform.build()
    platform.restart()
    with platform.serving() as url:
        again = post(f"{url}/github/webhook", body, headers)
        assert again == (202, {"deploying": []})
    platform.build()
    assert platform.deploys.made == [(NAME, first), (NAME, second)]


def test_what_the_queue_did_not_take_is_taken_when_it_is_delivered_again(
    platform: InProcess, github: FakeGitHub, repository: Path
) -> None:
    sha = commit(repository, "unlucky")
    body, headers = signed(github, github.push(repository))

    with queue_refusing(platform):
        # GitHub shows that it was not taken.
        assert post(github.webhook, body, headers)[0] == 503
    platform.build()
    assert platform.deploys.made == []
    assert post(github.webhook, body, headers)[0] == 202
    platform.build()
    assert platform.deploys.made == [(NAME, sha)]


def test_of_one_project_one_message_is_worked_on_at_a_time(platform: InProcess) -> None:
    sqs, queue = platform.aws.queues, {"QueueUrl": platform.queues[QUEUE]}
    for project in ("one", "one", "two"):
        Queue(platform.aws).wake(project)
    received = [message for _ in range(3) for message in sqs.receive_message(**queue).get("Messages", [])]
    assert [json.loads(message["Body"])["project"] for message in received] == ["one", "two"]
    for message in received:
        sqs.delete_message(**queue, ReceiptHandle=message["ReceiptHandle"])
    (last,) = sqs.receive_message(**queue)["Messages"]
    assert json.loads(last["Body"])["project"] == "one"
    sqs.delete_message(**queue, ReceiptHandle=last["ReceiptHandle"])


def test_what_is_no_push_of_ours_changes_nothing(platform: InProcess, github: FakeGitHub, repository: Path) -> None:
    before = platform.states()
    body, headers = signed(github, github.push(repository, after="f" * 40))
    wrong = {"X-Hub-Signature-256": "sha256=" + "0" * 64}, {"X-Hub-Signature-256": ""}, {"X-GitHub-Hook-ID": "1"}
    assert [post(github.webhook, body, headers | change)[0] for change in wrong] == [401, 401, 401]
    assert github.deliver("push", [1, 2])[0] == 400
    fork = github.pull_request("opened", "a" * 40)
    fork["pull_request"]["head"]["repo"]["id"] += 1
    for event, payload in (
        ("star", {"action": "created"}),
        ("push", github.push(repository, ref="refs/tags/v1", after="e" * 40)),
        ("push", github.push(repository, ref="refs/heads/other", after="e" * 40)),
        ("push", github.push(repository, deleted=True, after="0" * 40)),
        ("pull_request", github.pull_request("labeled", "a" * 40)),
        ("pull_request", fork),
    ):
        assert github.deliver(event, payload) == (202, {"deploying": []}), event
    assert (
        post(github.webhook, b"", delivery_headers("push", "x") | {"Content-Length": str(25 * 1024**2 + 1)})[0] == 413
    )
    platform.build()
    assert platform.states() == before


def test_a_force_push_and_one_of_two_thousand_commits(
    platform: InProcess, github: FakeGitHub, repository: Path
) -> None:
    many = commit(repository, "one of two thousand")
    # GitHub names the newest 2,048 at most, and then says nothing of the others.
    payload = github.push(repository, before="1" * 40)
    payload["commits"] *= 2000
    assert github.deliver("push", payload)[0] == 202
    platform.build()
    git(repository, "reset", "--quiet", "--hard", "HEAD~1")
    forced = commit(repository, "another history")
    assert github.deliver("push", github.push(repository, forced=True, before=many))[0] == 202
    platform.build()
    assert platform.deploys.made == [(NAME, many), (NAME, forced)]


def test_a_repository_that_was_transferred_is_followed(
    platform: InProcess, github: FakeGitHub, repository: Path
) -> None:
    old, new = github.name, "Another-Owner/Hello-Again"
    origin = git(repository, "remote", "get-url", "origin")

    def moved(_method: str, path: str) -> Answer | None:
        rest = path.removeprefix(f"/repos/{old}")
        return (301, {"Location": f"{github.url}/api/repos/{new}{rest}"}, b"") if rest != path else None

    try:
        github.name, github.override = new, moved
        git(repository, "remote", "set-url", "origin", origin.replace(old, new))
        sha = commit(repository, "from elsewhere")
        # This delivery still has the old name, as one that was under way has: what is asked leads on.
        payload = github.push(repository)
        payload["repository"]["full_name"] = old
        assert github.deliver("push", payload)[0] == 202
        platform.build()
        assert platform.deploys.made == [(NAME, sha)]
        assert github.statuses(sha)[-1][0] == "success"
        sha = push(github, repository, "and with the new name")
        assert platform.links[0]["repository"] == github.repository_url
        github.override = lambda _method, path: (404, {}, b"{}") if old in path else None
        platform.build()
        assert platform.deploys.made[-1] == (NAME, sha)
    finally:
        github.name, github.override = old, lambda _method, _path: None
        git(repository, "remote", "set-url", "origin", origin)
        github.deliver("push", github.push(repository))


def test_a_revoked_token_is_shown_and_replaced(platform: InProcess, github: FakeGitHub, repository: Path) -> None:
    old, origin = github.token, git(repository, "remote", "get-url", "origin")
    try:
        github.token = "ghp_another0token"
        git(repository, "remote", "set-url", "origin", origin.replace(old, github.token))
        sha = push(github, repository, "later")
        platform.build()
        (link,) = platform.links
        assert ("token" in link["error"], platform.newest().state) == (True, "failed")
        assert platform.deploys.made == []
        assert github.statuses(sha) == []
        platform.link(github, previews=True)
        platform.build()
        assert (platform.deploys.made, platform.links[0]["error"]) == ([(NAME, sha)], None)
        assert [state for state, _ in github.statuses(sha)][-1] == "success"
    finally:
        github.token = old
        git(repository, "remote", "set-url", "origin", origin)
        platform.link(github, previews=True)
        platform.build()


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        ((403, {"Retry-After": "1800"}, b'{"message": "You have exceeded a secondary rate limit"}'), 1800),
        ((403, {"Retry-After": "999999"}, b'{"message": "API rate limit exceeded"}'), 11 * 3600),
        ((502, {}, b""), LEAST_S),
    ],
)
def test_what_github_does_not_take_is_told_later(
    platform: InProcess,
    github: FakeGitHub,
    repository: Path,
    answer: Answer,
    seconds: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("platform_cli.pushes.reporter.PATIENCE_S", 0.0)
    github.override = lambda _method, path: answer if "/statuses/" in path else None
    sha = push(github, repository, f"untold for {seconds} s")
    platform.build(at_most=1)
    assert platform.deploys.made == [(NAME, sha)]
    assert (github.statuses(sha), platform.postponed) == ([], [seconds])
    assert [type(error) for error in platform.failures] == [UntoldError]
    # However often it comes, and when it is dead, too: it is not built again, and told when GitHub listens.
    platform.build(at_most=MAX_RECEIVES + 1)
    assert (platform.newest().state, platform.deploys.made) == ("live", [(NAME, sha)])
    github.override = lambda _method, _path: None
    platform.build()
    assert [state for state, _ in github.statuses(sha)] == ["success"]


def test_a_build_waits_as_long_as_github_says(platform: InProcess, github: FakeGitHub, repository: Path) -> None:
    limited = "/git/ref/"

    def limit(_method: str, path: str) -> Answer | None:
        return (403, {"Retry-After": "1800"}, b'{"message": "API rate limit exceeded"}') if limited in path else None

    github.override = limit
    sha = push(github, repository, "too soon")
    for limited in ("/git/ref/", "/tarball/"):
        platform.build(at_most=1)
        assert platform.states()[0] == (sha, "waiting"), limited
    assert platform.postponed == [1800, 1800]
    github.override = lambda _method, _path: None
    platform.build()
    assert platform.deploys.made == [(NAME, sha)]
    assert github.statuses(sha)[-1][0] == "success"


def test_a_builder_that_dies_over_a_commit_again_and_again_says_so(
    platform: InProcess, github: FakeGitHub, repository: Path
) -> None:
    def die() -> None:
        raise KilledError

    platform.deploys.dies = die
    sha = push(github, repository, "too large")
    platform.build()
    assert [type(error) for error in platform.failures] == [KilledError] * TRIES
    assert platform.newest().state == "failed"
    assert f"ended {TRIES} times without a result" in platform.deployments.log(platform.newest())
    state, description = github.statuses(sha)[-1]
    assert (state, "without a result" in description) == ("failure", True)
    platform.deploys.dies = lambda: None
    sha = push(github, repository, "smaller")
    platform.build()
    assert platform.deploys.made == [(NAME, sha)]


def test_a_message_that_fails_for_good_is_a_failure_on_its_commit(
    platform: InProcess, github: FakeGitHub, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Builder, "_work", broken)
    sha = push(github, repository, "lost otherwise")
    platform.build()
    assert [type(error) for error in platform.failures] == [OSError] * MAX_RECEIVES
    newest = platform.newest()
    assert (newest.state, "push again" in str(newest.error)) == ("failed", True)
    assert str(newest.error) in platform.deployments.log(newest)
    assert platform.links[0]["error"] == newest.error
    assert [state for state, _ in github.statuses(sha)] == ["failure"]
    assert "the builder failed too often" in github.statuses(sha)[-1][1]


def test_a_message_that_fails_for_good_takes_nothing_with_it_that_came_later(
    platform: InProcess, github: FakeGitHub, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Builder, "_work", broken)
        push(github, repository, "the first")
        platform.build(at_most=MAX_RECEIVES)
    later = commit(repository, "later")
    with queue_refusing(platform):
        assert github.deliver("push", github.push(repository))[0] == 503
    assert [state for _, state in platform.states()][:2] == ["waiting", "overtaken"]
    # It has no message of its own: the dead one sends one.
    platform.build()
    assert platform.deploys.made == [(NAME, later)]
    assert [state for _, state in platform.states()][:2] == ["live", "overtaken"]


def broken(*_: object) -> None:
    raise OSError("nothing works here")


def test_a_preview_gets_the_secrets_of_its_project_and_goes_in_time(
    platform: InProcess, github: FakeGitHub, repository: Path
) -> None:
    preview = f"{NAME}-pr-7"
    with (repository / "fastmcp.toml").open("a") as config:
        config.write('\n[domains]\nnames = ["mcp.example.com"]\n')
    git(repository, "commit", "--quiet", "-am", "a proposal")
    git(repository, "push", "--quiet", "--force", "origin", "HEAD:refs/pull/7/head")
    sha = git(repository, "rev-parse", "HEAD")
    github.deliver("pull_request", github.pull_request("opened", sha))
    platform.build()
    assert (platform.deploys.made, platform.deploys.shared) == ([(preview, sha)], [(NAME, preview)])
    assert platform.deploys.domains == (), "names of hosts lead to the project itself"
    github.deliver("pull_request", github.pull_request("closed", sha))
    platform.build()
    assert platform.deploys.made[1:] == [(preview, None)]
    items = platform.aws.tables.scan(TableName="homeport_platform")["Items"]
    of_it = {item["pk"]["S"]: "expires" in item for item in items if preview in str(item) and item["sk"]["S"] != "head"}
    assert set(of_it) >= {f"project#{preview}", "comments", f"previews#{NAME}"}
    assert all(of_it.values()), of_it
    # One that is opened again begins where it was.
    github.deliver("pull_request", github.pull_request("reopened", sha))
    platform.build()
    assert platform.deploys.made[2:] == [(preview, sha)]
    github.deliver("pull_request", github.pull_request("closed", sha))
    platform.build()


def test_what_a_build_left_is_no_other_projects(platform: InProcess, tmp_path: Path) -> None:
    """A server is loaded as who builds, and may write wherever that may."""
    home, cache = tmp_path / "home", tmp_path / "cache"
    for folder in (home, cache):
        folder.mkdir()
    builder = Builder(platform.aws, Home(home), cache)
    builder.settle("one")
    for folder in (home, cache):
        (folder / "planted").mkdir()
        (folder / "planted" / "file").touch()
    builder.settle("one")
    assert (home / "planted" / "file").exists()
    (home / "planted").chmod(0)
    builder.settle("other")
    assert [list(folder.iterdir()) for folder in (home, cache)] == [[], []]
