"""Tests a deploy as a person makes it, to moto, whose functions the emulator runs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.aws.control_plane import ControlPlane
from tests.aws.moto_server import REGION
from tests.support import ROOT, CommandFailedError, Platform

pytestmark = pytest.mark.whole

CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
HEADERS = {"Accept": "application/json, text/event-stream"}


def test_a_project_from_its_first_deploy_to_its_end(laptop: Platform, plane: ControlPlane, project: Path) -> None:
    assert [step["action"] for step in laptop.run("deploy", str(project), "--name", "whole", "--dry-run")["plan"]] == [
        "create", "keep", "create", "upload", "create", "switch", "create", "limit",
    ]  # fmt: skip
    first = laptop.run("deploy", str(project), "--name", "whole")
    assert (first["release"], first["target"], first["auth"]) == ("v1", "lambda", "token")
    token = first["token"]
    url = plane.url("homeport-whole")
    assert httpx.post(f"{url}/mcp", json=CALL, headers=HEADERS).status_code == 401
    listed = httpx.post(f"{url}/mcp", json=CALL, headers={**HEADERS, "Authorization": f"Bearer {token}"}, timeout=60)
    assert (listed.status_code, "inputSchema" in listed.text) == (200, True)

    again = laptop.run("deploy", str(project), "--name", "whole")
    assert (again["changed"], again["release"], "token" in again) == (False, "v1", False)

    (project / "note.txt").write_text("another release")
    plane.calls.clear()
    second = laptop.run("deploy", str(project), "--name", "whole")
    assert (second["release"], "token" in second) == ("v2", False)
    assert not [call for call in plane.calls if "/layers/" in call], "a change of the code uploads the function alone"
    url = plane.url("homeport-whole")
    with_token = {**HEADERS, "Authorization": f"Bearer {token}"}
    assert httpx.post(f"{url}/mcp", json=CALL, headers=with_token, timeout=60).status_code == 200

    assert [one["release"] for one in laptop.run("versions", "whole")["versions"]] == ["v2", "v1"]
    assert laptop.run("rollback", "whole")["release"] == "v1"
    assert "whole" in [one["project"] for one in laptop.run("list")["projects"]]
    tables = plane.moto.client("dynamodb")
    table = tables.describe_table(TableName="homeport-whole")["Table"]
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert tables.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"] == [
        {"Key": "homeport:project", "Value": "whole"}
    ]
    removal = tables.describe_time_to_live(TableName="homeport-whole")["TimeToLiveDescription"]
    assert removal == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}
    laptop.run("destroy", "whole", "--yes")
    assert "homeport-whole" not in tables.list_tables()["TableNames"]
    with pytest.raises(CommandFailedError) as caught:
        laptop.run("status", "whole")
    assert caught.value.code == 4


def test_a_session_over_sse_may_meet_another_instance_with_each_message(
    laptop: Platform, plane: ControlPlane, project: Path
) -> None:
    token = laptop.run("deploy", str(project), "--name", "apart")["token"]
    url = plane.url("homeport-apart")
    with_token = {"Authorization": f"Bearer {token}"}
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    with httpx.stream("GET", f"{url}/sse", headers=with_token, timeout=60) as stream:
        said = (line.removeprefix("data:").strip() for line in stream.iter_lines() if line.startswith("data:"))
        endpoint = url + next(said)
        message = {"jsonrpc": "2.0", "id": 7, "method": "initialize", "params": hello}
        assert httpx.post(endpoint, json=message, headers=with_token, timeout=60).status_code == 202
        assert json.loads(next(said))["id"] == 7
    assert len(plane.function("homeport-apart", "live").sandboxes) > 1


@pytest.mark.parametrize("auth", ["token", pytest.param("none", marks=pytest.mark.whole)])
def test_a_version_that_does_not_answer_never_gets_traffic(
    laptop: Platform, plane: ControlPlane, project: Path, auth: str
) -> None:
    """This holds whoever may call: where everyone may, an answer that was recorded needs no server."""
    with (project / "fastmcp.toml").open("a") as config:
        config.write(f'[auth]\nmode = "{auth}"\n')
    name = f"steady-{auth}"
    laptop.run("deploy", str(project), "--name", name)
    server, requirements = project / "server.py", project / "requirements.txt"
    good, needed = server.read_text(), requirements.read_text()
    server.write_text(
        f'import os\nif "AWS_LAMBDA_RUNTIME_API" in os.environ:\n    raise SystemExit("not here")\n{good}'
    )
    requirements.write_text(f"{needed}\niniconfig\n")
    with pytest.raises(CommandFailedError) as caught:
        laptop.run("deploy", str(project), "--name", name)
    assert caught.value.error["category"] == "release"
    assert laptop.run("status", name)["release"] == "v1"
    functions = plane.moto.client("lambda")
    versions = functions.list_versions_by_function(FunctionName=f"homeport-{name}")["Versions"]
    assert [one["Version"] for one in versions] == ["$LATEST", "1"], "the version that failed is gone"

    failed = versions[0]["Layers"][0]["Arn"].split(":")[6]
    server.write_text(f"{good}\n# again\n")
    requirements.write_text(needed)
    laptop.run("deploy", str(project), "--name", name)
    assert functions.list_layer_versions(LayerName=failed)["LayerVersions"] == [], "and so is its layer"


def test_the_role_may_write_its_own_logs_and_use_its_own_mailbox(
    laptop: Platform, plane: ControlPlane, project: Path
) -> None:
    laptop.run("deploy", str(project), "--name", "least")
    iam = plane.moto.client("iam")
    document = iam.get_role_policy(RoleName=f"homeport-least.{REGION}", PolicyName="homeport")["PolicyDocument"]
    allowed = {
        action: statement["Resource"].partition(":123456789012:")[2]
        for statement in document["Statement"]
        for action in statement["Action"]
    }
    logs, table = "log-group:/aws/lambda/homeport-least:log-stream:*", "table/homeport-least"
    assert allowed == {
        "logs:CreateLogStream": logs,
        "logs:PutLogEvents": logs,
        "dynamodb:BatchWriteItem": table,
        "dynamodb:PutItem": table,
        "dynamodb:Query": table,
        "dynamodb:UpdateItem": table,
    }
    assert iam.list_attached_role_policies(RoleName=f"homeport-least.{REGION}")["AttachedPolicies"] == []


def test_the_token_is_written_nowhere_but_where_commands_keep_it(
    laptop: Platform, plane: ControlPlane, project: Path
) -> None:
    token = laptop.run("deploy", str(project), "--name", "quiet")["token"]
    configuration = plane.moto.client("lambda").get_function_configuration(FunctionName="homeport-quiet")
    assert token not in json.dumps(configuration, default=str)
    holding = [file for file in laptop.home.rglob("*") if file.is_file() and token.encode() in file.read_bytes()]
    assert len(holding) == 1
    assert holding[0].stat().st_mode & 0o077 == 0


def test_of_two_deploys_at_once_one_wins_and_the_other_says_so(
    laptop: Platform, plane: ControlPlane, project: Path
) -> None:
    command = [sys.executable, "-m", "platform_cli", "deploy", str(project), "--name", "busy", "--json"]
    plane.calls.clear()
    plane.handshakes.clear()
    first = subprocess.Popen(command, env=laptop.environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 120
        while not any("/invocations" in call for call in plane.calls):
            assert first.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        with pytest.raises(CommandFailedError) as caught:
            laptop.run("deploy", str(project), "--name", "busy")
    finally:
        plane.handshakes.set()
        stdout, _stderr = first.communicate(timeout=120)
    assert (caught.value.code, caught.value.error["category"]) == (3, "busy")
    assert (first.returncode, json.loads(stdout)["release"]) == (0, "v1")
    assert [one["release"] for one in laptop.run("versions", "busy")["versions"]] == ["v1"]


def test_a_name_nobody_chose_does_not_take_over_another_folders_project(
    laptop: Platform, project: Path, tmp_path: Path
) -> None:
    (tmp_path / "one").mkdir()
    here = project.rename(tmp_path / "one" / "homonym")
    laptop.run("deploy", str(here))
    elsewhere = Path(shutil.copytree(here, tmp_path / "homonym"))
    name = laptop.run("deploy", str(here), "--dry-run")["project"]
    with pytest.raises(CommandFailedError) as caught:
        laptop.run("deploy", str(elsewhere))
    assert (caught.value.code, f"deployed from {here}" in caught.value.error["message"]) == (2, True)
    (elsewhere / "note.txt").write_text("moved")
    assert laptop.run("deploy", str(elsewhere), "--name", name)["release"] == "v2"
    laptop.run("destroy", name, "--yes")
