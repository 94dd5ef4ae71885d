from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from platform_cli.aws_platform.contracts import Contracts
from platform_cli.aws_platform.deployer import LambdaDeployer
from platform_cli.aws_platform.table import Table
from platform_cli.config.load import load_project
from platform_cli.config.project import Project
from platform_cli.errors import ConfigError
from platform_cli.home import Home
from platform_cli.origin import Origin
from platform_cli.targets.aws_lambda.client import AWS
from platform_cli.targets.aws_lambda.secrets_manager import ProjectSecrets
from tests.aws.moto_server import Moto
from tests.support import SERVERS


@pytest.fixture
def aws(moto: Moto, monkeypatch: pytest.MonkeyPatch) -> Iterator[AWS]:
    for name, value in moto.environment.items():
        monkeypatch.setenv(name, value)
    yield AWS("eu-west-3")


@pytest.fixture
def deployer(aws: AWS, tmp_path: Path) -> LambdaDeployer:
    return LambdaDeployer(aws, Home(tmp_path), Contracts(Table(aws)))


def test_a_preview_gets_the_secrets_of_its_project_alone(aws: AWS, deployer: LambdaDeployer) -> None:
    for project, value in (("one", "its own"), ("two", "of another")):
        ProjectSecrets(aws, project).set({"WORD": value})
    deployer.share_secrets("one", "one-pr-7")
    deployer.share_secrets("none", "none-pr-7")
    shared, none = (ProjectSecrets(aws, name).current() for name in ("one-pr-7", "none-pr-7"))
    assert (shared and shared.values, none) == ({"WORD": "its own"}, None)


def test_a_project_of_another_region_is_refused(deployer: LambdaDeployer) -> None:
    def read(_folder: Path) -> Project:
        project = load_project(SERVERS / "mcp2_lowlevel")
        return replace(project, name="far", on_lambda=replace(project.on_lambda, region="us-east-1"))

    with pytest.raises(ConfigError, match=r"region is us-east-1, and this platform is in eu-west-3"):
        asyncio.run(deployer.deploy("far", read, lambda _: None, "somewhere", Origin))
    assert deployer.mcp_url("far") is None
