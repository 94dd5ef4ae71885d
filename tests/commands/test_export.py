from __future__ import annotations

import hashlib
import json
import re
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from platform_cli import __version__
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


ROLE = "arn:aws:iam::123456789012:role/ci/homeport_deploy"


class Repositories(BaseHTTPRequestHandler):
    """Answers what GitHub's API says of every repository
    (https://docs.github.com/rest/repos/repos#get-a-repository).
    """

    def do_GET(self) -> None:
        name = self.path.removeprefix("/api/v3/repos/")
        body = json.dumps({"id": 456, "full_name": name, "owner": {"id": 123}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Prints nothing."""


@pytest.fixture
def account() -> Iterator[dict[str, str]]:
    """Returns the environment that names a region and a GitHub."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Repositories)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield {"AWS_REGION": "eu-central-1", "GITHUB_SERVER_URL": f"http://127.0.0.1:{server.server_port}"}
    server.shutdown()
    server.server_close()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Makes a repository with a wheel that needs one package."""
    (tmp_path / ".git").mkdir()
    metadata = f"Metadata-Version: 2.4\nName: homeport\nVersion: {__version__}\nRequires-Dist: iniconfig==2.1.0\n"
    with zipfile.ZipFile(tmp_path / "homeport.whl", "w") as wheel:
        wheel.writestr(f"homeport-{__version__}.dist-info/METADATA", metadata)
    return tmp_path


def test_a_workflow_that_deploys_to_lambda(run: Run, repository: Path, account: dict[str, str]) -> None:
    arguments = ("export", "github-actions", "--target", "lambda", "--json")
    role, name, wheel = ("--role", ROLE), ("--repository", "you/expense-tracker"), ("--wheel", "homeport.whl")
    projects = ("--role", "arn:aws:iam::123456789012:role/homeport-deploy")
    refused: list[tuple[str, ...]] = [
        (*name, *wheel), ("--role", "homeport_deploy", *name, *wheel), (*projects, *name, *wheel), (*role, *wheel),
        (*role, "--repository", "x", *wheel), (*role, *name), (*role, *name, "--wheel", "../homeport.whl"),
    ]  # fmt: skip
    for wrong in refused:
        assert error_of(run(*arguments, *wrong, cwd=repository, env=account))[0] == 2, wrong
    given = (*role, *name, *wheel)
    assert error_of(run(*arguments, *given, cwd=repository, env={**account, "AWS_REGION": ""}))[0] == 2
    assert sorted(path.name for path in repository.iterdir()) == [".git", "homeport.whl"], "nothing is written"

    answer = run(*arguments, *given, cwd=repository, env=account).json
    workflow = yaml.safe_load((repository / answer["path"]).read_text())
    assert workflow["permissions"] == {"contents": "read", "id-token": "write"}
    assert workflow["concurrency"]["cancel-in-progress"] is False
    steps = workflow["jobs"]["deploy"]["steps"]
    actions = [step["uses"] for step in steps if "uses" in step]
    assert [re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action) is not None for action in actions] == [True] * 3
    assert steps[2]["with"] == {"role-to-assume": ROLE, "aws-region": "eu-central-1"}
    assert steps[-1]["run"] == "homeport deploy . --target lambda"
    boundary = "arn:aws:iam::123456789012:policy/homeport_deploy_boundary.eu-central-1"
    assert steps[-1]["env"] == {"HOMEPORT_BOUNDARY": boundary}
    assert steps[-2]["run"] == "pip install --require-hashes -r .github/homeport-requirements.txt"
    locked = (repository / ".github/homeport-requirements.txt").read_text()
    digest = hashlib.sha256((repository / "homeport.whl").read_bytes()).hexdigest()
    assert locked.startswith(f"./homeport.whl --hash=sha256:{digest}\niniconfig==2.1.0 \\\n    --hash=sha256:")
    assert any(f"--policy-name {boundary.rpartition('/')[2]}" in command for command in answer["commands"])

    (trust,) = answer["trust.json"]["Statement"]
    assert trust["Condition"]["StringEquals"]["token.actions.githubusercontent.com:sub"] == [
        "repo:you/expense-tracker:ref:refs/heads/main",
        "repo:you@123/expense-tracker@456:ref:refs/heads/main",
    ]
    give = {"iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy"}
    giving = [one for one in answer["permissions.json"]["Statement"] if give & set(one["Action"])]
    assert [one["Condition"] for one in giving] == [{"StringEquals": {"iam:PermissionsBoundary": boundary}}]
    own = [one for one in answer["permissions.json"]["Statement"] if ROLE in one["Resource"]]
    assert [(one["Effect"], one["Action"], boundary in one["Resource"]) for one in own] == [("Deny", ["iam:*"], True)]
    passing = [one for one in answer["permissions.json"]["Statement"] if "iam:PassRole" in one["Action"]]
    assert [one["Resource"] for one in passing] == [["arn:aws:iam::123456789012:role/homeport-*"]]
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html: of a role's inline policies together.
    assert len(re.sub(r"\s", "", json.dumps(answer["permissions.json"]))) < 10_240


@pytest.mark.parametrize("target", ["platform", "lambda"])
def test_it_is_a_workflow_by_githubs_schema(run: Run, repository: Path, account: dict[str, str], target: str) -> None:
    arguments = ("export", "github-actions", "--json")
    role = ("--role", ROLE, "--repository", "you/expense-tracker", "--wheel", "homeport.whl")
    if target == "platform":
        run("--platform", "https://mcp.example.com", *arguments, cwd=repository)
    else:
        run(*arguments, "--target", "lambda", *role, cwd=repository, env=account)
    workflow = repository / ".github" / "workflows" / "homeport.yml"
    # It brings the schema along.
    command = [str(Path(python_with("check-jsonschema")).parent / "check-jsonschema"), "--builtin-schema"]
    done = subprocess.run(
        [*command, "vendor.github-workflows", str(workflow)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout
