"""Tests secrets of a project on Lambda, from the command line to the server that reads them."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from platform_cli.errors import NotFoundError, ReleaseError
from platform_cli.targets.aws_lambda import publish
from platform_cli.targets.aws_lambda.client import AWS
from platform_cli.targets.aws_lambda.secrets_manager import ProjectSecrets
from platform_cli.targets.aws_lambda.target import LambdaTarget
from tests.aws.control_plane import ControlPlane
from tests.aws.mortal import Mortal
from tests.aws.moto_server import REGION
from tests.command_line import Command
from tests.support import ROOT, CommandFailedError, Platform

from .conftest import copy_project

pytestmark = pytest.mark.whole

VALUE = "hunter2-first-value"
HEADERS = {"Accept": "application/json, text/event-stream"}
CONFIG = """
[environment]
GREETING = "x ${secrets.WORD}"
"""
# It tells its secret to everyone who looks, and fails on Lambda alone, so that a deploy's own look at it passes.
PICKY = """
TOOLS["whoami"]["description"] = os.environ["GREETING"]
print("connecting with", os.environ["GREETING"])
if "wrong" in os.environ["GREETING"] and "AWS_LAMBDA_RUNTIME_API" in os.environ:
    raise ValueError("refused: " + os.environ["GREETING"])
"""


@dataclass
class Kept:
    """Is a project whose server tells its WORD, a secret, to whoever has `token`."""

    name: str
    folder: Path
    token: str
    plane: ControlPlane
    target: LambdaTarget

    def set(self, value: str) -> str:
        """Sets the secret, and returns the release that has it."""
        return self.target.set_secrets(self.name, {"WORD": value})["release"] or ""

    def ask(self, token: str) -> httpx.Response:
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "whoami", "arguments": {}}}
        headers = {**HEADERS, "Authorization": f"Bearer {token}"}
        return httpx.post(f"{self.plane.url(f'homeport-{self.name}')}/mcp", json=call, headers=headers, timeout=60)

    @property
    def word(self) -> str:
        """Returns the word that the server that is live has."""
        data = next(line for line in self.ask(self.token).text.splitlines() if line.startswith("data:"))
        text: str = json.loads(data[5:])["result"]["content"][0]["text"]
        return text.partition(" x ")[2]

    @property
    def used(self) -> dict[str, list[list[str]]]:
        """Returns the releases of each version, by secret."""
        listed = self.target.secrets(self.name)
        return {one["name"]: [version["releases"] for version in one["versions"]] for one in listed}

    @property
    def releases(self) -> list[str]:
        """Returns the releases, oldest first."""
        return [one["release"] for one in self.target.versions(self.name)[::-1]]

    def check_nothing_is_left_over(self) -> None:
        functions = self.plane.moto.client("lambda")
        versions = functions.list_versions_by_function(FunctionName=f"homeport-{self.name}")["Versions"]
        described = self.plane.moto.client("secretsmanager").describe_secret(SecretId=f"homeport/{self.name}")
        labels = {label for labels in described["VersionIdsToStages"].values() for label in labels}
        described_as = [one["Description"].split()[0] for one in versions if one["Version"] != "$LATEST"]
        assert sorted(described_as) == sorted(self.releases)
        tags = functions.list_tags(
            Resource=functions.get_function(FunctionName=f"homeport-{self.name}")["Configuration"]["FunctionArn"]
        )
        assert {tag for tag in tags["Tags"] if tag.startswith("homeport:v")} == {f"homeport:{r}" for r in self.releases}
        assert {label for label in labels if label[1:].isdigit()} == set(self.releases)


@pytest.fixture(scope="module")
def kept(laptop: Platform, plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    name, folder = "keeps", copy_project(tmp_path_factory.mktemp("project"), CONFIG)
    with (folder / "server.py").open("a") as file:
        file.write(PICKY)
    laptop.run("set-secret", "WORD", VALUE, "--project", name)
    # The role's policy is not known everywhere at once.
    plane.refusals = 1
    deployed = laptop.run("deploy", str(folder), "--name", name)
    assert (deployed["release"], plane.refusals) == ("v1", 0)
    with pytest.MonkeyPatch.context() as patch:
        for key, value in plane.moto.environment.items():
            patch.setenv(key, value)
        yield Kept(name, folder, deployed["token"], plane, LambdaTarget(AWS(None)))


def test_a_new_value_reaches_what_runs_and_a_rollback_brings_the_old_one_back(laptop: Platform, kept: Kept) -> None:
    project = ("--project", kept.name)
    kept.set(VALUE)
    before = kept.releases[-1]
    assert kept.word == VALUE
    kept.plane.calls.clear()
    again = laptop.run("set-secret", "WORD", "another value", *project)
    assert (again["changed"], again["release"]) == (["WORD"], kept.releases[-1])
    assert not [call for call in kept.plane.calls if "/layers" in call]
    assert kept.word == "another value"
    assert kept.target.versions(kept.name)[0]["reason"] == "secret WORD"
    # What the release does not need is no reason for another one.
    assert laptop.run("set-secret", "OTHER", "of no release", *project)["release"] is None
    assert laptop.run("deploy", str(kept.folder), "--name", kept.name)["changed"] is False
    assert laptop.run("unset-secret", "WORD", *project)["in_use"] == again["release"]
    assert (kept.used["OTHER"], kept.used["WORD"][-1]) == ([[]], [again["release"]])
    assert laptop.run("rollback", kept.name, before)["release"] == before
    assert kept.word == VALUE


def test_its_role_may_read_that_secret_alone(kept: Kept) -> None:
    arn = kept.plane.moto.client("secretsmanager").describe_secret(SecretId=f"homeport/{kept.name}")["ARN"]
    role = kept.plane.moto.client("iam").get_role_policy(
        RoleName=f"homeport-{kept.name}.{REGION}", PolicyName="homeport"
    )
    secret = {"Effect": "Allow", "Action": ["secretsmanager:GetSecretValue"], "Resource": arn}
    assert role["PolicyDocument"]["Statement"][2:] == [secret]


def test_a_value_that_the_server_does_not_start_with(kept: Kept) -> None:
    release = kept.set("a value before")
    for _ in range(2):
        # The second time it is stored already, and is still not what serves.
        with pytest.raises(ReleaseError) as caught:
            kept.set("wrong-value")
        message = caught.value.message
        assert message.startswith(f"WORD is stored, but {release} of {kept.name} keeps serving without it")
        assert "refused: x [secret WORD]" in message
        assert "wrong-value" not in message
    assert kept.word == "a value before"
    assert kept.used["WORD"][-2:] == [[release], []]
    kept.set("a value behind")
    assert kept.word == "a value behind"
    kept.check_nothing_is_left_over()


def test_a_deploy_brings_what_is_stored_and_does_not_serve_yet(laptop: Platform, kept: Kept) -> None:
    ProjectSecrets(AWS(None), kept.name).set({"WORD": "stored alone"})
    assert laptop.run("deploy", str(kept.folder), "--name", kept.name)["changed"] is True
    assert kept.word == "stored alone"


def test_the_values_are_in_nothing_that_is_written_or_printed(laptop: Platform, kept: Kept) -> None:
    name, plane = kept.name, kept.plane

    def printed(*command: str) -> str:
        done = Command(command, cwd=ROOT, env=laptop.environment, stdin="hunter2-piped-value").wait(300)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    said = printed("set-secret", "WORD", "-", "--project", name)
    (kept.folder / "note.txt").write_text("another release")
    plan = printed("deploy", str(kept.folder), "--name", name, "--dry-run")
    assert "the release to the secret WORD as it is now" in plan
    said += plan + printed("deploy", str(kept.folder), "--name", name, "--json")
    said += printed("list-secrets", "--project", name) + printed("versions", name) + printed("status", name, "--json")
    assert kept.word == "hunter2-piped-value"
    functions, function = plane.moto.client("lambda"), f"homeport-{name}"
    for version in functions.list_versions_by_function(FunctionName=function)["Versions"]:
        said += json.dumps(version, default=str)
        with zipfile.ZipFile(io.BytesIO(plane.code(function, version["Version"]))) as code:
            assert "discovery.json" not in code.namelist()
            said += "".join(code.read(entry).decode(errors="replace") for entry in code.namelist())
    said += json.dumps(functions.get_alias(FunctionName=function, Name="live"), default=str)
    said += json.dumps(
        plane.moto.client("iam").get_role_policy(RoleName=f"{function}.{REGION}", PolicyName="homeport"), default=str
    )
    logs = "".join(path.read_text() for path in plane.folder.rglob("function.log"))
    assert "connecting with x [secret WORD]" in logs
    files = [file.read_bytes() for file in laptop.home.rglob("*") if file.is_file()]
    for value in (VALUE, "hunter2-piped-value"):
        assert value not in said + logs
        assert not [file for file in files if value.encode() in file]


def test_a_new_token_ends_the_old_one_in_every_release(laptop: Platform, kept: Kept) -> None:
    words = {str(kept.target.status(kept.name)["release"]): kept.word}
    words[kept.set("the value of a newer release")] = "the value of a newer release"
    (older, newer), old = words, kept.token
    kept.token = laptop.run("new-token", kept.name)["token"]
    assert kept.target.status(kept.name)["release"] == newer
    for release in (newer, older, newer):
        kept.target.rollback(kept.name, int(release[1:]))
        assert kept.ask(old).status_code == 401
        assert kept.word == words[release]
    kept.check_nothing_is_left_over()


def test_old_releases_take_their_labels_with_them(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "KEPT_RELEASES", 2)
    made = [kept.set(f"value number {number}") for number in (1, 2, 3)]
    assert kept.releases == made[1:]
    kept.check_nothing_is_left_over()
    assert kept.target.rollback(kept.name, None)["release"] == made[1]
    assert kept.word == "value number 2"


@pytest.mark.parametrize("command", ["set-secret", "new-token"])
def test_a_change_that_is_killed_at_any_moment_is_finished_by_the_next(kept: Kept, command: str) -> None:
    def change(aws: AWS) -> None:
        if command == "set-secret":
            LambdaTarget(aws).set_secrets(kept.name, {"WORD": "set at last"})
        else:
            tokens.append(LambdaTarget(aws).renew_token(kept.name)["token"])

    kept.set("set before")
    mortal, tokens, before = Mortal(), [kept.token], kept.token
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publish, "shake_hands", lambda *_arguments, **_more: None)
        for _ in mortal.deaths(change):
            """What it has done so far stays."""
    assert mortal.died > 3
    kept.token = tokens[-1]
    assert kept.ask(before).status_code == (200 if kept.token == before else 401)
    assert kept.word == ("set at last" if command == "set-secret" else "set before")
    kept.set("set behind")
    assert kept.word == "set behind"
    kept.check_nothing_is_left_over()


def test_a_secret_before_the_first_deploy_and_after_none(laptop: Platform, kept: Kept, project: Path) -> None:
    (project / "fastmcp.toml").write_text(CONFIG)
    kept.plane.calls.clear()
    with pytest.raises(CommandFailedError) as caught:
        laptop.run("deploy", str(project), "--name", "early")
    assert (caught.value.code, kept.plane.calls) == (2, [])
    assert caught.value.error["hint"] == "homeport set-secret WORD --project early --target lambda"
    assert kept.target.set_secrets("early", {"WORD": VALUE}) == {
        "project": "early",
        "changed": ["WORD"],
        "release": None,
    }
    kept.target.destroy("early")
    assert kept.target.secrets("early") == []
    with pytest.raises(NotFoundError):
        kept.target.destroy("early")
