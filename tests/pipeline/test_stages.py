"""Tests what is told of the stages."""

from __future__ import annotations

import pytest

from platform_cli.pipeline.stages import Stages


def test_each_stage_is_told_and_kept() -> None:
    told: list[str] = []
    stages = Stages(told.append, lambda stage: told.append(f"{stage.name} ended"))
    with stages.run("lock"):
        pass
    with stages.run("layer") as stage:
        stage.cached = True
    assert told == ["lock", "lock ended", "layer", "layer ended"]
    assert [(stage.name, stage.cached) for stage in stages.done] == [("lock", False), ("layer", True)]


def test_a_stage_that_fails_is_not_done() -> None:
    stages = Stages(lambda _name: None, lambda _stage: None)
    with pytest.raises(ZeroDivisionError), stages.run("lock"):
        raise ZeroDivisionError
    assert stages.done == []
