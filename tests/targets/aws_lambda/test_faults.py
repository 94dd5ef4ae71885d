"""Tests commands of which an action on AWS is denied, throttled, slow or answered by a proxy, or which are killed.

In this process, and with handshakes that nobody is asked for, as in test_killed.py, which has deploys and destroys.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from platform_cli.aws_platform.package import Package
from platform_cli.aws_platform.provisioning import provision
from platform_cli.aws_platform.removal import is_there, remove_platform
from platform_cli.config.project import LambdaSettings, Network, Scaling, Statement
from platform_cli.config.toml import read_toml
from platform_cli.errors import HomeportError, NotFoundError
from platform_cli.pipeline.archive import Entry, write_archive
from platform_cli.targets.aws_lambda import certificates, distributions
from platform_cli.targets.aws_lambda.candidate import LambdaCandidate
from platform_cli.targets.aws_lambda.client import AWS, aws_errors
from platform_cli.targets.aws_lambda.desired import DesiredState, function_policy
from platform_cli.targets.aws_lambda.live import read_live
from platform_cli.targets.aws_lambda.planner import make_plan
from platform_cli.targets.aws_lambda.promotion import promoted
from platform_cli.targets.aws_lambda.secrets import pin_of
from platform_cli.targets.aws_lambda.secrets_manager import ProjectSecrets
from platform_cli.targets.aws_lambda.target import LambdaTarget
from tests.aws.control_plane import ACCOUNT, ControlPlane
from tests.aws.faults import FAULTS, Faulty
from tests.aws.mortal import READS, Mortal

from .hand_made import deploy, hand_made
from .test_fronts import issue

NAME, STAGED = "faulty", "faulty-staging"
DOMAIN = "faulty.example.com"
MANIFEST: dict[str, Any] = {"environment": {}, "contract": None, "origins": [], "domains": []}


@dataclass
class World:
    """Holds what commands find on AWS, and what the last one was to make: a release, its number or a secret's value."""

    aws: AWS
    folder: Path
    settings: LambdaSettings
    made: DesiredState = field(init=False)
    wanted: int = 0
    counted: int = 0

    def release(self, name: str = NAME, **changes: Any) -> DesiredState:
        """Returns another release each time, which a token protects."""
        plain = hand_made(self.folder, name)
        self.counted += 1
        entries = {"manifest.json": Entry(json.dumps({**MANIFEST, "number": self.counted}).encode())}
        function = write_archive(self.folder / f"{name}-{self.counted}.zip", entries)
        return replace(plain, artifacts=replace(plain.artifacts, function=function), **changes)

    def is_live(self) -> bool:
        return read_live(self.aws, NAME).active is not None

    def has_made(self) -> bool:
        return make_plan(self.aws, self.made).steps == ()

    def package(self) -> Package:
        artifacts = hand_made(self.folder, "platform").artifacts
        return Package(
            packages=artifacts.packages,
            code=artifacts.runtime,
            function=artifacts.function,
            python=artifacts.python,
            architecture=artifacts.architecture,
        )


class Command:
    """Is a command: `before` brings AWS to where `run` begins, which may be run again and has then done what `holds`
    looks at.
    """

    def before(self, world: World) -> None:
        if not world.is_live():
            deploy(world.aws, world.release())

    def run(self, world: World, aws: AWS) -> None:
        raise NotImplementedError

    def holds(self, world: World) -> bool:
        return world.has_made()


class FirstDeploy(Command):
    def before(self, world: World) -> None:
        if read_live(world.aws, NAME).function:
            LambdaTarget(world.aws).destroy(NAME)
        ProjectSecrets(world.aws, NAME).set({"WORD": "hidden"})
        now = ProjectSecrets(world.aws, NAME).current()
        assert now is not None
        world.made = world.release(scaling=Scaling(min=1, max=2), secrets=pin_of(now, ("WORD",)))

    def run(self, world: World, aws: AWS) -> None:
        deploy(aws, world.made)


class Redeploy(FirstDeploy):
    def before(self, world: World) -> None:
        super(FirstDeploy, self).before(world)
        world.made = world.release()


class Settings(Redeploy):
    """Asks for permissions, policies, a boundary, a network and tags."""

    def before(self, world: World) -> None:
        super(FirstDeploy, self).before(world)
        deploy(world.aws, world.release(settings=LambdaSettings(policies=())))
        world.made = world.release(settings=world.settings)


class Domains(Redeploy):
    def run(self, world: World, aws: AWS) -> None:
        world.made = replace(world.made, domains=(DOMAIN,), auth="none")
        for _ in range(2):
            deploy(aws, world.made)
            issue()


class NoDomains(Domains):
    def before(self, world: World) -> None:
        super().before(world)
        super().run(world, world.aws)
        world.made = replace(world.made, domains=())

    def run(self, world: World, aws: AWS) -> None:
        deploy(aws, world.made)


class Promote(Command):
    def before(self, world: World) -> None:
        deploy(world.aws, world.release(STAGED))

    def run(self, world: World, aws: AWS) -> None:
        (world.folder / "fastmcp.toml").write_text('[deployment]\nentrypoint = "server.py"\n')
        project = read_toml(world.folder / "fastmcp.toml")
        with promoted(aws, STAGED, NAME, project) as promotion:
            assert isinstance(promotion.candidate, LambdaCandidate)
            deploy(aws, promotion.candidate.desired)

    def holds(self, world: World) -> bool:
        ours, theirs = read_live(world.aws, NAME).active, read_live(world.aws, STAGED).active
        return ours is not None and theirs is not None and ours.layers == theirs.layers


class Rollback(Command):
    def before(self, world: World) -> None:
        super().before(world)
        live = read_live(world.aws, NAME)
        if len(live.releases) < 2:
            deploy(world.aws, world.release())
            live = read_live(world.aws, NAME)
        world.wanted = next(one.release for one in live.releases if one != live.active)

    def run(self, world: World, aws: AWS) -> None:
        LambdaTarget(aws).rollback(NAME, world.wanted)

    def holds(self, world: World) -> bool:
        active = read_live(world.aws, NAME).active
        return active is not None and active.release == world.wanted


class SetSecret(Command):
    def before(self, world: World) -> None:
        super().before(world)
        world.counted += 1

    def run(self, world: World, aws: AWS) -> None:
        LambdaTarget(aws).set_secrets(NAME, {"WORD": f"hidden-{world.counted}"})

    def holds(self, world: World) -> bool:
        now = ProjectSecrets(world.aws, NAME).current()
        return now is not None and now.values["WORD"] == f"hidden-{world.counted}"


class NewToken(Command):
    def run(self, world: World, aws: AWS) -> None:
        world.wanted += 1
        token = LambdaTarget(aws).renew_token(NAME)["token"]
        assert token

    def holds(self, world: World) -> bool:
        return world.is_live()


class Destroy(Command):
    def run(self, world: World, aws: AWS) -> None:
        try:
            LambdaTarget(aws).destroy(NAME)
        except NotFoundError:
            """It was destroyed, but for the end of the command."""

    def holds(self, world: World) -> bool:
        return read_live(world.aws, NAME).function is None


class PlatformDeploy(Command):
    def before(self, world: World) -> None:
        if is_there(world.aws):
            remove_platform(world.aws)
        self._package = world.package()

    def run(self, world: World, aws: AWS) -> None:
        provisioning = provision(aws, self._package, new_token=False)
        provisioning.apply(provisioning.steps())

    def holds(self, world: World) -> bool:
        return provision(world.aws, self._package, new_token=False).steps() == []


class PlatformDestroy(PlatformDeploy):
    def before(self, world: World) -> None:
        super().before(world)
        super().run(world, world.aws)

    def run(self, world: World, aws: AWS) -> None:
        remove_platform(aws)

    def holds(self, world: World) -> bool:
        return not is_there(world.aws)


COMMANDS: dict[str, Callable[[], Command]] = {
    "deploy": FirstDeploy,
    "redeploy": Redeploy,
    "settings": Settings,
    "domains": Domains,
    "no-domains": NoDomains,
    "promote": Promote,
    "rollback": Rollback,
    "set-secret": SetSecret,
    "new-token": NewToken,
    "destroy": Destroy,
    "platform-deploy": PlatformDeploy,
    "platform-destroy": PlatformDestroy,
}
# boto3 repeats the action, which only changes what happens if the action changes something.
REPEATED = ("throttled", "slow")
# test_killed.py, test_fronts.py and test_secrets.py kill the others.
KILLED = ("settings", "promote", "rollback", "platform-deploy", "platform-destroy")


@pytest.fixture
def world(unasked: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(distributions, "WAITER", {"Delay": 0, "MaxAttempts": 20})
    monkeypatch.setattr(certificates, "RECORDS_S", 1)
    # Between two attempts.
    monkeypatch.setattr("time.sleep", lambda _: None)
    aws = AWS(None)
    yield World(aws, tmp_path, settings(unasked))
    for name in (NAME, STAGED):
        if read_live(aws, name).function:
            LambdaTarget(aws).destroy(name)
    remove_platform(aws)


def settings(plane: ControlPlane) -> LambdaSettings:
    """Returns settings whose policies and network exist."""
    iam, ec2 = plane.moto.client("iam"), plane.moto.client("ec2")
    document = json.dumps(function_policy(AWS(None), NAME, []))
    known = {one["PolicyName"] for one in iam.list_policies(Scope="Local")["Policies"]}
    for name in {"faulty-reports", "faulty-limits"} - known:
        iam.create_policy(PolicyName=name, PolicyDocument=document)
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="faulty", Description="-", VpcId=vpc)["GroupId"]
    return LambdaSettings(
        permissions=(Statement(("s3:GetObject",), ("arn:aws:s3:::reports/*",)),),
        policies=(f"arn:aws:iam::{ACCOUNT}:policy/faulty-reports",),
        boundary=f"arn:aws:iam::{ACCOUNT}:policy/faulty-limits",
        vpc=Network((subnet,), (group,)),
        tags={"team": "payments"},
    )


# The actions that each command asks for and none before it, once they are known.
ACTIONS: dict[str, list[str]] = {}


def actions_of(name: str, world: World) -> list[str]:
    for each, make in COMMANDS.items():
        if name in ACTIONS:
            break
        if each not in ACTIONS:
            command, faulty = make(), Faulty()
            command.before(world)
            command.run(world, faulty.aws)
            known = {action for own in ACTIONS.values() for action in own}
            ACTIONS[each] = [action for action in faulty.actions if action not in known]
    return ACTIONS[name]


@pytest.mark.whole
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", COMMANDS)
def test_whatever_action_fails_the_command_says_so_and_the_next_one_ends_it(
    world: World, name: str, fault: str
) -> None:
    command, faulty = COMMANDS[name](), Faulty()
    for action in actions_of(name, world):
        if fault in REPEATED and action.partition(":")[2].startswith(READS):
            continue
        command.before(world)
        with faulty.failing(action, FAULTS[fault]):
            try:
                with aws_errors():
                    command.run(world, faulty.aws)
            except HomeportError as error:
                assert fault in ("denied", "html"), f"{action}: {error}"
                said = action.partition(":")[2] if fault == "denied" else "no answer of AWS's"
                assert said in error.message, f"{action}: {error}"
                assert error.hint, action
        command.run(world, world.aws)
        assert command.holds(world), action


@pytest.mark.whole
@pytest.mark.parametrize("name", KILLED)
def test_a_command_that_is_killed_behind_any_change_is_finished_by_the_next(world: World, name: str) -> None:
    command, mortal = COMMANDS[name](), Mortal()
    command.before(world)
    for _ in mortal.deaths(lambda aws: command.run(world, aws)):
        command.run(world, world.aws)
        assert command.holds(world)
        command.before(world)
    assert command.holds(world)
    assert mortal.died
