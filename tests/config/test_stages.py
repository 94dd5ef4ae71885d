"""Tests `[stages.NAME]` of fastmcp.toml, and what a project is as one of its stages."""

from __future__ import annotations

from pathlib import Path

import pytest

from platform_cli.config.project import Project
from platform_cli.config.stages import in_stage
from platform_cli.config.toml import read_toml
from platform_cli.errors import ConfigError, InputError

TOML = """
[project]
name = "expenses"
[deployment]
entrypoint = "server.py"
[deployment.lambda]
memory_mb = 2048
[environment]
LEVEL = "info"
URL = "${secrets.URL}"
[scaling]
max = 8
[auth]
mode = "token"
[domains]
names = ["mcp.example.com"]
origins = ["https://app.example.com"]
[stages.staging.environment]
LEVEL = "debug"
[stages.staging.scaling]
max = 2
[stages.staging.deployment.lambda]
memory_mb = 512
[stages.open.auth]
mode = "none"
[stages.open.domains]
names = ["try.example.com"]
"""


def read(folder: Path, text: str = TOML) -> Project:
    (folder / "fastmcp.toml").write_text(text)
    return read_toml(folder / "fastmcp.toml")


def test_a_stage_is_a_project_of_its_own(tmp_path: Path) -> None:
    project = read(tmp_path)
    staging = in_stage(project, "staging")
    assert (staging.name, staging.stage) == ("expenses-staging", "staging")
    assert staging.environment == {"LEVEL": "debug", "URL": "${secrets.URL}"}
    assert (staging.scaling.max, staging.on_lambda.memory_mb, staging.auth) == (2, 512, "token")
    assert (staging.domains, staging.origins) == ((), project.origins), "names of hosts lead to one project"
    opened = in_stage(project, "open")
    assert (opened.auth, opened.domains, opened.scaling.max) == ("none", ("try.example.com",), 8)


def test_a_stage_that_is_not_there_is_refused_where_others_are(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did you mean 'staging'"):
        in_stage(read(tmp_path), "stagin")
    plain = in_stage(read(tmp_path, '[project]\nname = "plain"\n'), "staging")
    assert plain.name == "plain-staging"
    with pytest.raises(ConfigError, match="no name yet"):
        in_stage(read(tmp_path, ""), "staging")
    with pytest.raises(InputError, match="is not a DNS label"):
        in_stage(read(tmp_path, f'[project]\nname = "{"n" * 60}"\n'), "staging")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[stages.staging.deployment]\nentrypoint = 'other.py'\n", '1: a stage has no table "deployment"'),
        ("[stages.staging.project]\nname = 'other'\n", '1: a stage has no table "project"'),
        ("[stages.Staging.auth]\nmode = 'none'\n", '1: "stages.Staging" must be'),
        ("[stages.staging.scaling]\nmax = 0\n", '2: "scaling.max" must be'),
        ("[scaling]\nmax = 2\n[stages.staging.scaling]\nmin = 3\n", '4: "scaling.min" is 3, more than'),
        ("[stages.staging.auth]\nmod = 'none'\n", '2: unknown key "auth.mod"'),
        ("stages = 1\n", '1: "stages" must be tables'),
        ("[stages]\nstaging = 1\n", '2: "stages.staging" must be a table'),
    ],
)
def test_what_a_stage_cannot_say_is_refused_with_its_line(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert f"fastmcp.toml:{reason}" in caught.value.message
