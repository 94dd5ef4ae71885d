"""Tests what a project is to be, before anything is asked of AWS."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from platform_cli.config.project import LambdaSettings, Scaling
from platform_cli.errors import ConfigError
from platform_cli.targets.aws_lambda.artifacts import Artifacts
from platform_cli.targets.aws_lambda.desired import DesiredState, check_variables_fit
from platform_cli.targets.aws_lambda.pins import Pin


def test_names_of_secrets_fit_into_a_functions_environment() -> None:
    def pinned(count: int) -> Pin:
        return Pin("a" * 100, "v" * 36, tuple(f"SECRET_{number:03}" for number in range(count)))

    check_variables_fit((), pinned(270))
    with pytest.raises(ConfigError, match="room for 4096 bytes"):
        check_variables_fit((), pinned(320))


def test_metrics_of_cloudwatch_are_a_variable_and_make_a_release() -> None:
    def desired(settings: LambdaSettings) -> DesiredState:
        file = SimpleNamespace(sha256="0" * 64)
        made = SimpleNamespace(function=file, packages=file, runtime=file, python="3.12", architecture="arm64")
        artifacts = cast("Artifacts", made)
        return DesiredState("shop", True, "/", artifacts, settings, Scaling(), False, None, (), None, True)

    without, with_them = desired(LambdaSettings()), desired(LambdaSettings(metrics=True))
    assert without.identity != with_them.identity
    more = with_them.variables("v1", None).items() - without.variables("v1", None).items()
    assert more == {("HOMEPORT_METRICS", "1")}
