"""Tests a plan as it is carried out: in its order, one deploy at a time, and again from where one has failed."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from platform_cli.bearer import hash_of
from platform_cli.config.project import Scaling
from platform_cli.errors import BusyError, InputError
from platform_cli.origin import Origin
from platform_cli.pipeline.archive import Entry, write_archive
from platform_cli.targets.aws_lambda import publish
from platform_cli.targets.aws_lambda.client import AWS
from platform_cli.targets.aws_lambda.desired import DesiredState
from platform_cli.targets.aws_lambda.executor import Executor
from platform_cli.targets.aws_lambda.live import Live, read_live
from platform_cli.targets.aws_lambda.lock import PREFIX
from platform_cli.targets.aws_lambda.names import log_group
from platform_cli.targets.aws_lambda.planner import LambdaPlan, Name, make_plan
from platform_cli.targets.aws_lambda.secrets import pin_of
from platform_cli.targets.aws_lambda.secrets_manager import ProjectSecrets
from platform_cli.targets.aws_lambda.target import LambdaTarget
from tests.aws.control_plane import ControlPlane

from .hand_made import deploy, hand_made


class FailedError(Exception):
    """Is what a step raises that a test lets fail."""


class Watched(Executor):
    """Keeps the steps that it `has_done`, each with whether the project's lock was held."""

    def __init__(self, aws: AWS, plan: LambdaPlan, fails: str = "", origin: Callable[[], Origin] = Origin) -> None:
        self.has_done: list[tuple[Name, bool]] = []
        self.kept: list[tuple[str, str]] = []
        self._fails, self._watched = fails, (aws, plan.project)
        super().__init__(aws, plan, origin, keep=lambda url, token: self.kept.append((url, token)))

    def do(self, name: Name) -> None:
        self.has_done.append((name, is_locked(*self._watched)))
        if name == self._fails:
            raise FailedError
        super().do(name)


def is_locked(aws: AWS, project: str) -> bool:
    groups = aws.logs.describe_log_groups(logGroupNamePrefix=log_group(project))["logGroups"]
    if not groups:
        return False
    held = aws.logs.describe_log_streams(logGroupName=log_group(project), logStreamNamePrefix=PREFIX)
    return bool(held["logStreams"])


def with_new_code(folder: Path, desired: DesiredState) -> DesiredState:
    code = write_archive(folder / "changed.zip", {"a": Entry(os.urandom(16))})
    return replace(desired, artifacts=replace(desired.artifacts, function=code))


def published(plane: ControlPlane) -> list[str]:
    """Returns the layers whose publication was asked for."""
    return [call for call in plane.calls if call.startswith("POST ") and "/layers/" in call]


def serving(live: Live) -> tuple[str | None, str | None]:
    return live.leads_to, live.url


def test_the_steps_are_done_in_their_order_and_all_but_the_first_with_the_lock(
    unasked: ControlPlane, tmp_path: Path
) -> None:
    aws, name = AWS(None), "ordered"
    secrets = ProjectSecrets(aws, name)
    secrets.set({"WORD": "hidden"})
    now = secrets.current()
    assert now is not None
    wanted = replace(hand_made(tmp_path, name), scaling=Scaling(min=1, max=2), secrets=pin_of(now, ("WORD",)))
    executor = Watched(aws, make_plan(aws, wanted))
    executor.run()
    assert executor.has_done == [
        ("role", False), ("logs", False), ("mailbox", True), ("layers", True), ("secrets", True), ("function", True),
        ("version", True), ("url", True), ("reserved", True), ("provisioned", True),
    ]  # fmt: skip
    assert not is_locked(aws, name)
    again = make_plan(aws, wanted)
    unasked.calls.clear()
    assert again.steps == ()
    Watched(aws, again).run()
    assert {call.rpartition(" ")[2] for call in unasked.calls} == {"CreateLogStream", "DeleteLogStream"}
    LambdaTarget(aws).destroy(name)


def test_a_change_of_the_code_publishes_no_layer_and_one_of_the_packages_one(
    unasked: ControlPlane, tmp_path: Path
) -> None:
    aws, name = AWS(None), "layered"
    first = hand_made(tmp_path, name)
    unasked.calls.clear()
    deploy(aws, first)
    assert len(published(unasked)) == 2
    unasked.calls.clear()
    second = with_new_code(tmp_path, first)
    deploy(aws, second)
    assert published(unasked) == []
    packages = write_archive(tmp_path / "more.zip", {"a": Entry(b"more")})
    deploy(aws, replace(second, artifacts=replace(second.artifacts, packages=packages)))
    assert len(published(unasked)) == 1
    assert packages.sha256[:16] in published(unasked)[0]
    LambdaTarget(aws).destroy(name)


@pytest.mark.parametrize("step", ["layers", "version", "reserved"])
def test_a_step_that_fails_leaves_the_old_release_and_the_next_deploy_does_the_rest(
    unasked: ControlPlane, tmp_path: Path, step: Name
) -> None:
    aws, name = AWS(None), f"failing-{step}"
    deploy(aws, hand_made(tmp_path, name))
    before = read_live(aws, name)
    wanted = replace(hand_made(tmp_path, name), scaling=Scaling(min=1, max=2))
    failing = Watched(aws, make_plan(aws, wanted), fails=step)
    with pytest.raises(FailedError):
        failing.run()
    assert failing.has_done[-1][0] == step, "nothing was done behind it"
    assert not is_locked(aws, name)
    assert (serving(read_live(aws, name)) == serving(before)) is (step != "reserved")
    unasked.calls.clear()
    deploy(aws, wanted)
    assert len(published(unasked)) == (2 if step == "layers" else 0), "what is there is not uploaded again"
    after = read_live(aws, name)
    assert after.active is not None
    assert (after.active.release, after.leftover, after.url) == (2, (), before.url)
    assert (after.reserved, after.kept_ready) == (2, 1)
    assert make_plan(aws, wanted).steps == ()
    LambdaTarget(aws).destroy(name)


def test_a_version_that_does_not_answer_is_deleted_and_what_it_was_made_of_goes_with_the_next(
    unasked: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws, name = AWS(None), "silent"
    deploy(aws, hand_made(tmp_path, name))
    before = read_live(aws, name)

    def refuse(*_: object, **__: object) -> None:
        raise InputError("it does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(publish, "shake_hands", refuse)
        with pytest.raises(InputError, match="does not answer"):
            deploy(aws, hand_made(tmp_path, name))
    failed = read_live(aws, name)
    assert (serving(failed), failed.versions) == (serving(before), before.versions)
    left = {arn.split(":")[6] for arn in failed.abandoned_layers}
    assert len(left) == 2
    deploy(aws, hand_made(tmp_path, name))
    for layer in left:
        assert aws.functions.list_layer_versions(LayerName=layer)["LayerVersions"] == []
    LambdaTarget(aws).destroy(name)


def test_a_plan_that_another_deploy_has_overtaken_changes_nothing(unasked: ControlPlane, tmp_path: Path) -> None:
    aws, name = AWS(None), "overtaken"
    first = hand_made(tmp_path, name)
    deploy(aws, first)
    late = Watched(aws, make_plan(aws, with_new_code(tmp_path, first)))
    deploy(aws, hand_made(tmp_path, name))
    unasked.calls.clear()
    with pytest.raises(BusyError, match="was faster"):
        late.run()
    assert late.has_done == []
    assert [call.rpartition(" ")[2] for call in unasked.calls] == ["CreateLogStream", "DeleteLogStream"]
    LambdaTarget(aws).destroy(name)


def test_a_release_is_recorded_before_it_serves_and_its_token_is_handed_out_once(
    unasked: ControlPlane, tmp_path: Path
) -> None:
    aws, name = AWS(None), "recorded"
    seen: list[Live] = []

    def origin() -> Origin:
        seen.append(read_live(aws, name))
        return Origin(author="ada")

    first = hand_made(tmp_path, name)
    made = Watched(aws, make_plan(aws, first), origin=origin)
    made.run()
    live = read_live(aws, name)
    assert live.active is not None
    assert [(url, hash_of(token)) for url, token in made.kept] == [(live.url, live.active.token_hash)]
    assert made.token == made.kept[0][1]
    changed = Watched(aws, make_plan(aws, with_new_code(tmp_path, first)), origin=origin)
    changed.run()
    assert [(len(one.versions), one.leads_to) for one in seen] == [(1, None), (2, live.leads_to)]
    after = read_live(aws, name)
    assert after.active is not None
    assert (changed.kept, changed.token, after.active.token_hash) == ([], None, live.active.token_hash)
    assert [one["origin"]["author"] for one in LambdaTarget(aws).versions(name) if one["origin"]] == ["ada", "ada"]
    LambdaTarget(aws).destroy(name)


def test_an_open_project_has_one_secret_in_all_releases_and_a_closed_one_has_none(
    unasked: ControlPlane, tmp_path: Path
) -> None:
    aws, name = AWS(None), "open-state"

    def secret_after(auth: str) -> str | None:
        deploy(aws, replace(hand_made(tmp_path, name), auth=auth))
        active = read_live(aws, name).active
        assert active is not None
        return active.state_secret

    first = secret_after("none")
    assert len(first or "") == 64
    assert secret_after("none") == first
    assert secret_after("token") is None
    assert secret_after("none") not in (None, first)
    LambdaTarget(aws).destroy(name)
