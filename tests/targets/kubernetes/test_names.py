from __future__ import annotations

import re
from pathlib import Path

import pytest

from platform_cli.config.project import Project
from platform_cli.errors import ConfigError, InputError
from platform_cli.targets.kubernetes.candidate import repository_of
from platform_cli.targets.kubernetes.names import check_name_fits


@pytest.mark.parametrize("name", ["notes", "n", "notes-2", "n" * 63])
def test_names_of_services(name: str) -> None:
    assert check_name_fits(name) == name


@pytest.mark.parametrize("name", ["2notes", "9" * 63])
def test_a_name_that_no_service_can_have_comes_with_one_that_it_can(name: str) -> None:
    with pytest.raises(InputError, match="no name for a Service") as raised:
        check_name_fits(name)
    proposal = re.fullmatch("--name (.*)", raised.value.hint or "")
    assert proposal
    assert check_name_fits(proposal[1]) == proposal[1]


@pytest.mark.parametrize(
    ("source", "way"),
    [("pypi:mcp-server-time", '"uvx mcp-server-time"'), ("npm:@scope/server", '"npx -y @scope/server"'), ("", "")],
)
def test_a_package_without_an_image_is_told_where_to_name_one(tmp_path: Path, source: str, way: str) -> None:
    with pytest.raises(ConfigError, match="nothing says where the image is pushed") as raised:
        repository_of(Project(tmp_path, None, source=source))
    assert way in str(raised.value.hint)
    assert ("command = " in str(raised.value.hint)) == bool(way)
