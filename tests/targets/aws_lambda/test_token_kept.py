"""A new token is kept before AWS is asked for anything else, and shown whatever fails behind it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from platform_cli.bearer import hash_of
from platform_cli.commands.lambda_deploy import _token_shown
from platform_cli.commands.output import Output
from platform_cli.origin import Origin
from platform_cli.targets.aws_lambda.client import AWS
from platform_cli.targets.aws_lambda.executor import Executor
from platform_cli.targets.aws_lambda.live import read_live
from platform_cli.targets.aws_lambda.planner import make_plan
from platform_cli.targets.aws_lambda.target import LambdaTarget
from platform_cli.targets.aws_lambda.wanted import Wanted
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
    wanted = hand_made(tmp_path, name)
    if was_open:
        deploy(aws, replace(wanted, auth="none"))
    kept: dict[str, str] = {}
    asked: list[str] = []

    def keep(url: str, token: str) -> None:
        kept[url] = token
        asked.append(unasked.calls[-1])

    def executor(wanted: Wanted) -> Executor:
        return Executor(aws, make_plan(aws, wanted), Origin, speaks_mcp=True, keep=keep)

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    running = executor(replace(wanted, auth="token"))
    monkeypatch.setattr(
        "platform_cli.targets.aws_lambda.executor.delete_unused_layers", fail if was_open else lambda *_: None
    )
    monkeypatch.setattr("platform_cli.targets.aws_lambda.executor.limit_instances", fail)
    with pytest.raises(KeyboardInterrupt), _token_shown(running, Output(as_json=True)):
        running.run()
        fail()
    live = read_live(aws, name)
    assert live.active is not None
    assert [(url, hash_of(token)) for url, token in kept.items()] == [(live.url, live.active.token_hash)]
    assert asked[0].partition("/functions/")[2].startswith(f"homeport-{name}") or "/tags/" in asked[0]
    assert f"token: {running.token}" in capsys.readouterr().err
    LambdaTarget(aws).destroy(name)


def test_a_deploy_that_fails_before_keeps_no_token(
    unasked: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    aws = AWS(None)

    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("platform_cli.targets.aws_lambda.executor.publish", fail)
    kept: list[str] = []
    plan = make_plan(aws, hand_made(tmp_path, "untold"))
    running = Executor(aws, plan, Origin, speaks_mcp=True, keep=lambda url, _token: kept.append(url))
    with pytest.raises(KeyboardInterrupt), _token_shown(running, Output(as_json=True)):
        running.run()
    assert (kept, running.token, capsys.readouterr().err) == ([], None, "")
    LambdaTarget(aws).destroy("untold")
