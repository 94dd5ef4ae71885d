"""Tests that a new token is kept before AWS is asked for anything else, and shown whatever fails behind it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from platform_cli.bearer import hash_of
from platform_cli.commands.output import Output
from platform_cli.commands.plans import carry_out
from platform_cli.home import Home
from platform_cli.origin import Origin
from platform_cli.targets.aws_lambda.client import AWS
from platform_cli.targets.aws_lambda.live import read_live
from platform_cli.targets.aws_lambda.planner import make_plan
from platform_cli.targets.aws_lambda.target import LambdaTarget
from tests.aws.control_plane import ControlPlane

from .hand_made import deploy, hand_made


@pytest.mark.parametrize("was_open", [False, True])
def test_a_new_token_is_kept_and_shown_though_the_next_step_fails(
    unasked: ControlPlane,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    was_open: bool,
) -> None:
    aws, name = AWS(None), f"told-{was_open}".lower()
    desired = hand_made(tmp_path, name)
    if was_open:
        deploy(aws, replace(desired, auth="none"))
    kept: dict[str, str] = {}
    asked: list[str] = []

    def keep(url: str, token: str, _home: Home) -> None:
        kept[url] = token
        asked.append(unasked.calls[-1])

    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setenv("HOMEPORT_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("platform_cli.commands.token.keep_token", keep)
    monkeypatch.setattr(
        "platform_cli.targets.aws_lambda.executor.delete_unused_layers", fail if was_open else lambda *_: None
    )
    monkeypatch.setattr("platform_cli.targets.aws_lambda.executor.limit_instances", fail)
    plan, output = make_plan(aws, replace(desired, auth="token")), Output(as_json=True)
    with pytest.raises(KeyboardInterrupt):
        carry_out(LambdaTarget(aws), plan, Origin, output.stages(), output)
    live = read_live(aws, name)
    assert live.active is not None
    assert [(url, hash_of(token)) for url, token in kept.items()] == [(live.url, live.active.token_hash)]
    assert asked[0].partition("/functions/")[2].startswith(f"homeport-{name}") or "/tags/" in asked[0]
    assert f"token: {kept[live.url or '']}" in capsys.readouterr().err
    LambdaTarget(aws).destroy(name)


def test_a_deploy_that_fails_before_keeps_no_token(
    unasked: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    aws = AWS(None)

    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("platform_cli.targets.aws_lambda.executor.publish", fail)
    kept: list[str] = []
    monkeypatch.setattr("platform_cli.commands.token.keep_token", lambda url, *_: kept.append(url))
    plan, output = make_plan(aws, hand_made(tmp_path, "untold")), Output(as_json=True)
    with pytest.raises(KeyboardInterrupt):
        carry_out(LambdaTarget(aws), plan, Origin, output.stages(), output)
    assert (kept, capsys.readouterr().err) == ([], "")
    LambdaTarget(aws).destroy("untold")
