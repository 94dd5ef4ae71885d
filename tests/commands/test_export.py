from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.commands.conftest import Run, error_of
from tests.runtime.conftest import python_with


def test_a_workflow_for_this_repository(run: Run, tmp_path: Path) -> None:
    arguments = ("--platform", "https://mcp.example.com", "export", "github-actions", "services/expenses", "--json")
    assert error_of(run(*arguments, cwd=tmp_path))[0] == 2
    (tmp_path / ".git").mkdir()
    assert error_of(run("export", "github-actions", "--json", cwd=tmp_path))[0] == 2
    assert error_of(run(*arguments, "--branch", '"]; x', cwd=tmp_path))[0] == 2
    path = run(*arguments, cwd=tmp_path).json["path"]
    text = (tmp_path / path).read_text()
    assert 'branches: ["main"]' in text
    assert "homeport deploy services/expenses\n" in text
    assert 'HOMEPORT_PLATFORM: "https://mcp.example.com"' in text
    assert "@BRANCH@" not in text
    assert error_of(run(*arguments, cwd=tmp_path))[0] == 2, "it is not written over"


def test_a_workflow_that_deploys_to_lambda(run: Run, tmp_path: Path) -> None:
    git = tmp_path / ".git"
    git.mkdir()
    region, role = {"AWS_REGION": "eu-central-1"}, "arn:aws:iam::123456789012:role/ci/homeport-deploy"
    arguments = ("export", "github-actions", "--target", "lambda", "--json")
    given = ("--role", role, "--repository", "you/expense-tracker")
    for wrong in (given[2:], ("--role", "homeport-deploy", *given[2:]), given[:2], (*given[:2], "--repository", "x")):
        assert error_of(run(*arguments, *wrong, cwd=tmp_path, env=region))[0] == 2, wrong
    assert error_of(run(*arguments, *given, cwd=tmp_path, env={"AWS_REGION": ""}))[0] == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == [".git"], "nothing is written"

    answer = run(*arguments, *given, cwd=tmp_path, env=region).json
    workflow = yaml.safe_load((tmp_path / answer["path"]).read_text())
    assert workflow["permissions"] == {"contents": "read", "id-token": "write"}
    assert workflow["concurrency"]["cancel-in-progress"] is False
    steps = workflow["jobs"]["deploy"]["steps"]
    actions = [step["uses"] for step in steps if "uses" in step]
    assert [re.fullmatch(r"[\w-]+/[\w-]+@v\d+", action) is not None for action in actions] == [True] * 3
    assert steps[2]["with"] == {"role-to-assume": role, "aws-region": "eu-central-1"}
    assert steps[-1]["run"] == "homeport deploy . --target lambda"
    (trust,) = answer["trust.json"]["Statement"]
    claims = trust["Condition"]["StringEquals"]
    assert claims["token.actions.githubusercontent.com:sub"] == "repo:you/expense-tracker:ref:refs/heads/main"
    passing = [one for one in answer["permissions.json"]["Statement"] if "iam:PassRole" in one["Action"]]
    assert [one["Resource"] for one in passing] == [["arn:aws:iam::123456789012:role/homeport-*"]]


@pytest.mark.parametrize("target", ["platform", "lambda"])
def test_it_is_a_workflow_by_githubs_schema(run: Run, tmp_path: Path, target: str) -> None:
    (tmp_path / ".git").mkdir()
    arguments = ("export", "github-actions", "--json")
    role = ("--role", "arn:aws:iam::123456789012:role/homeport-deploy", "--repository", "you/expense-tracker")
    if target == "platform":
        run("--platform", "https://mcp.example.com", *arguments, cwd=tmp_path)
    else:
        run(*arguments, "--target", "lambda", *role, cwd=tmp_path, env={"AWS_REGION": "eu-central-1"})
    workflow = tmp_path / ".github" / "workflows" / "homeport.yml"
    # It brings the schema along.
    command = [str(Path(python_with("check-jsonschema")).parent / "check-jsonschema"), "--builtin-schema"]
    done = subprocess.run(
        [*command, "vendor.github-workflows", str(workflow)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout
