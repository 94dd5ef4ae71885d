"""Tests what a project is to be, before anything is asked of AWS."""

from __future__ import annotations

import pytest

from platform_cli.errors import ConfigError
from platform_cli.targets.aws_lambda.desired import check_variables_fit
from platform_cli.targets.aws_lambda.pins import Pin


def test_names_of_secrets_fit_into_a_functions_environment() -> None:
    def pinned(count: int) -> Pin:
        return Pin("a" * 100, "v" * 36, tuple(f"SECRET_{number:03}" for number in range(count)))

    check_variables_fit((), pinned(270))
    with pytest.raises(ConfigError, match="room for 4096 bytes"):
        check_variables_fit((), pinned(320))
