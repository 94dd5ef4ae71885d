"""Tests the steps from what is on AWS to what a project is to be: each change has its own, no change has none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from platform_cli.config.project import Scaling
from platform_cli.errors import ConfigError, InputError
from platform_cli.targets.aws_lambda import planner
from platform_cli.targets.aws_lambda.client import AWS
from platform_cli.targets.aws_lambda.desired import DesiredState
from platform_cli.targets.aws_lambda.live import Live, Mailbox, read_live
from platform_cli.targets.aws_lambda.pins import Pin
from platform_cli.targets.aws_lambda.planner import LambdaPlan, make_plan
from platform_cli.targets.aws_lambda.publish import KEPT_RELEASES
from platform_cli.targets.aws_lambda.target import LambdaTarget
from platform_cli.targets.aws_lambda.versions import STACK
from tests.aws.control_plane import ControlPlane

from .conftest import in_this_process
from .hand_made import deploy, hand_made

NAME = "planned"
RELEASE = ["layers", "function", "version"]
OTHER = "0" * 64
SECRET = Pin("arn:aws:secretsmanager:eu-central-1:123456789012:secret:homeport/planned", "version", ("KEY", "WORD"))


@dataclass(frozen=True)
class Settled:
    """Is a project whose first release is live, as nobody has changed it."""

    aws: AWS
    desired: DesiredState
    live: Live

    def settings(self, **changes: Any) -> DesiredState:
        return replace(self.desired, settings=replace(self.desired.settings, **changes))

    def artifacts(self, name: str) -> DesiredState:
        archives = self.desired.artifacts
        changed = replace(getattr(archives, name), sha256=OTHER)
        return replace(self.desired, artifacts=replace(archives, **{name: changed}))

    def releases(self, count: int) -> Live:
        """Returns what there is after so many releases, of which the first serves."""
        first = self.live.versions[0]
        versions = [replace(first, number=str(number), release=number) for number in range(2, count + 1)]
        return replace(self.live, versions=(first, *versions), newest=count)


@pytest.fixture(scope="module")
def settled(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settled]:
    with in_this_process(plane):
        aws, desired = AWS(None), hand_made(tmp_path_factory.mktemp("planned"), NAME)
        assert [step.name for step in make_plan(aws, desired).steps] == [
            "role", "logs", "mailbox", *RELEASE, "url", "reserved",
        ], "nothing is there"  # fmt: skip
        deploy(aws, desired)
        yield Settled(aws, desired, read_live(aws, NAME))
        LambdaTarget(aws).destroy(NAME)


@pytest.fixture
def plan(settled: Settled, monkeypatch: pytest.MonkeyPatch) -> Callable[[DesiredState, Live], LambdaPlan]:
    """Plans with what a test says that there is."""

    def make(desired: DesiredState, live: Live) -> LambdaPlan:
        monkeypatch.setattr(planner, "read_live", lambda *_: live)
        return make_plan(settled.aws, desired)

    return make


Plan = Callable[[DesiredState, Live], LambdaPlan]


def names(plan: LambdaPlan) -> list[str]:
    return [step.name for step in plan.steps]


def test_what_is_as_it_should_be_takes_no_step(settled: Settled) -> None:
    plan = make_plan(settled.aws, settled.desired)
    assert (plan.steps, plan.notes, plan.limit) == ((), (), settled.live.reserved)


WANTED: dict[str, tuple[Callable[[Settled], DesiredState], list[str]]] = {
    "the code": (lambda now: now.artifacts("function"), RELEASE),
    "the packages": (lambda now: now.artifacts("packages"), RELEASE),
    "the runtime": (lambda now: now.artifacts("runtime"), RELEASE),
    "memory": (lambda now: now.settings(memory_mb=2048), RELEASE),
    "a name of its own": (lambda now: replace(now.settings(front="own"), domains=("tools.example.com",)), RELEASE),
    "a distribution": (lambda now: replace(now.desired, domains=("tools.example.com",)), [*RELEASE, "certificate"]),
    "secrets": (lambda now: replace(now.desired, secrets=SECRET), ["role", "layers", "secrets", *RELEASE[1:]]),
    "open to everyone": (lambda now: replace(now.desired, auth="none"), RELEASE),
    "a token, which it has": (lambda now: replace(now.desired, auth="token"), []),
    "days of logs": (lambda now: now.settings(log_days=7), ["logs"]),
    "a boundary": (lambda now: now.settings(boundary="arn:aws:iam::123456789012:policy/bound"), ["role"]),
    "a role of the user's own": (lambda now: now.settings(role="arn:aws:iam::123456789012:role/own"), RELEASE),
    "instances ready": (lambda now: replace(now.desired, scaling=Scaling(min=2)), ["provisioned"]),
    "fewer instances": (lambda now: replace(now.desired, scaling=Scaling(max=3)), ["reserved"]),
    "both": (lambda now: replace(now.desired, scaling=Scaling(min=2, max=3)), ["reserved", "provisioned"]),
    "another folder by name": (lambda now: replace(now.desired, folder="/there"), []),
}


@pytest.mark.parametrize("change", WANTED)
def test_what_is_wanted_anew_takes_its_steps(settled: Settled, plan: Plan, change: str) -> None:
    want, steps = WANTED[change]
    assert names(plan(want(settled), settled.live)) == steps


THREE_READY = {"RequestedProvisionedConcurrentExecutions": 3, "Status": "READY"}
FOUND: dict[str, tuple[Callable[[Settled], Live], list[str]]] = {
    "no log group": (lambda now: replace(now.live, has_group=False), ["logs"]),
    "no mailbox": (lambda now: replace(now.live, mailbox=Mailbox.ABSENT), ["mailbox"]),
    "a mailbox that keeps everything": (lambda now: replace(now.live, mailbox=Mailbox.UNFINISHED), ["mailbox"]),
    "a policy of yesterday": (lambda now: replace(now.live, policy={"Statement": []}), ["role"]),
    "a role of an early version": (lambda now: replace(now.live, role=None), []),
    "no URL": (lambda now: replace(now.live, url=None), [*RELEASE, "url"]),
    "a version made by hand": (lambda now: replace(now.live, active=None, leads_to="7"), RELEASE),
    "no limit": (lambda now: replace(now.live, reserved=None), ["reserved"]),
    "instances ready": (lambda now: replace(now.live, provisioned=THREE_READY), ["provisioned"]),
    "as many releases as are kept": (lambda now: now.releases(KEPT_RELEASES), []),
}


@pytest.mark.parametrize("state", FOUND)
def test_what_is_missing_takes_its_steps(settled: Settled, plan: Plan, state: str) -> None:
    find, steps = FOUND[state]
    assert names(plan(settled.desired, find(settled))) == steps


def test_a_new_release_makes_room_and_gets_its_own_role(settled: Settled, plan: Plan) -> None:
    full = plan(settled.artifacts("function"), settled.releases(KEPT_RELEASES))
    assert names(full) == [*RELEASE, "prune"]
    assert full.steps[2].detail.startswith(f"live to release v{KEPT_RELEASES + 1},")
    almost = plan(settled.artifacts("function"), settled.releases(KEPT_RELEASES - 1))
    assert "prune" not in names(almost)
    early = plan(settled.artifacts("function"), replace(settled.live, role=None))
    assert names(early) == ["role", *RELEASE]


def test_at_no_moment_are_more_instances_ready_than_there_may_be(settled: Settled, plan: Plan) -> None:
    live = replace(settled.live, reserved=3, provisioned=THREE_READY)
    assert names(plan(replace(settled.desired, scaling=Scaling(min=1, max=2)), live)) == ["provisioned", "reserved"]
    assert names(plan(replace(settled.desired, scaling=Scaling(min=5, max=5)), live)) == ["reserved", "provisioned"]
    same = replace(settled.desired, scaling=Scaling(min=3, max=3))
    assert names(plan(same, live)) == []
    failed = replace(live, provisioned={**THREE_READY, "Status": "FAILED"})
    assert names(plan(same, failed)) == ["provisioned"], "AWS is asked again"


def test_the_plan_says_what_it_does_in_a_persons_words(settled: Settled, plan: Plan) -> None:
    open_to_all = replace(settled.artifacts("function"), auth="none", secrets=SECRET)
    said = [f"{step.action} {step.detail}" for step in plan(open_to_all, replace(settled.live, url=None)).steps]
    assert "pin the release to the secrets KEY, WORD as they are now" in said
    assert "switch live to release v2, after it has answered" in said
    assert "create its URL, open to everyone" in said
    assert any(one.startswith("update function homeport-planned (") for one in said)


def settings(free: int) -> Callable[[], dict[str, Any]]:
    limit = {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": free}
    return lambda: {"AccountLimit": limit}


def test_what_nobody_chose_and_costs_money_is_said(
    settled: Settled, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlimited = replace(settled.live, reserved=None)
    for free, limit, note in ((1000, 50, "at most 50"), (120, 20, "at most 20"), (100, None, "nothing bounds")):
        monkeypatch.setattr(settled.aws.functions, "get_account_settings", settings(free))
        made = plan(settled.desired, unlimited)
        assert made.limit == limit
        assert note in made.notes[0]
    assert "reserved" not in names(made), "there is nothing to do"
    assert plan(replace(settled.desired, scaling=Scaling(max=3)), settled.live).notes == (), "somebody chose it"


def test_more_instances_than_the_account_has_are_refused(
    settled: Settled, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settled.aws.functions, "get_account_settings", settings(130))
    live = replace(settled.live, reserved=5)
    assert plan(replace(settled.desired, scaling=Scaling(max=35)), live).limit == 35, "its own five count"
    with pytest.raises(ConfigError, match="the account has 35 to reserve"):
        plan(replace(settled.desired, scaling=Scaling(max=36)), live)


def test_what_is_not_the_projects_own_stops_the_plan(settled: Settled, plan: Plan) -> None:
    desired, live = settled.desired, settled.live
    with pytest.raises(InputError, match="theirs"):
        plan(desired, replace(live, foreign=("theirs",)))
    assert live.active is not None
    with pytest.raises(InputError, match="belongs to a CloudFormation stack"):
        plan(desired, replace(live, active=replace(live.active, reason=STACK)))
    with pytest.raises(InputError, match="was deployed from /here") as caught:
        plan(replace(desired, folder="/there", named=False), live)
    assert f"--name {NAME}" in (caught.value.hint or "")


def test_looking_changes_nothing(settled: Settled, plane: ControlPlane) -> None:
    plane.calls.clear()
    make_plan(settled.aws, settled.artifacts("packages"))
    make_plan(settled.aws, replace(settled.desired, project="not-there"))
    assert plane.calls == []
