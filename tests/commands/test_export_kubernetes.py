from __future__ import annotations

import hashlib
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from tests.commands.conftest import Run, error_of

IMAGE = "registry.example.com/you/notes:1.0"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "server.py").write_text('from fastmcp import FastMCP\n\nmcp = FastMCP("notes")\n')
    (tmp_path / "fastmcp.toml").write_text('[environment]\nPW = "${secrets.PW}"\n')
    return tmp_path


def test_it_writes_the_objects_and_says_which_commands_follow(run: Run, folder: Path) -> None:
    answer = run("export", "kubernetes", "--image", IMAGE, "--json", cwd=folder).json
    written = (folder / "kubernetes.yaml").read_text()
    assert {each["metadata"]["name"] for each in yaml.safe_load_all(written)} == {"notes"}
    assert answer["token_hash"] == hashlib.sha256(answer["token"].encode()).hexdigest()
    assert answer["token"] not in written
    assert answer["commands"] == [
        f"kubectl create secret generic notes-token --from-literal=hash={answer['token_hash']}",
        "kubectl create secret generic notes-secrets --from-literal=PW=...",
        "kubectl apply -f kubernetes.yaml",
    ]


def test_what_is_there_keeps_its_token(run: Run, folder: Path) -> None:
    run("export", "kubernetes", "--image", IMAGE, cwd=folder)
    before = (folder / "kubernetes.yaml").read_bytes()
    assert "token" not in run("export", "kubernetes", "--image", IMAGE, "--json", cwd=folder).json
    assert (folder / "kubernetes.yaml").read_bytes() == before


def test_the_operator_has_one_object(run: Run, folder: Path) -> None:
    run("export", "kubernetes", "--image", IMAGE, "--operator", "--to", "server.yaml", cwd=folder)
    assert yaml.safe_load((folder / "server.yaml").read_text())["kind"] == "MCPServer"


def test_public_names_have_an_ingress(run: Run, folder: Path) -> None:
    with (folder / "fastmcp.toml").open("a") as config:
        config.write('[domains]\nnames = ["notes.example.com", "notes.internal"]\n')
    done = run("export", "kubernetes", "--image", IMAGE, cwd=folder)
    assert "Secret notes-tls" in done.stderr
    objects = {each["kind"]: each for each in yaml.safe_load_all((folder / "kubernetes.yaml").read_text())}
    kubernetes_validate.validate(objects["Ingress"], "1.37", strict=True)
    [rule] = objects["Ingress"]["spec"]["rules"]
    assert rule["host"] == "notes.example.com"
    [path] = rule["http"]["paths"]
    service = path["backend"]["service"]
    assert service["name"] == objects["Service"]["metadata"]["name"]
    assert service["port"]["name"] in [port["name"] for port in objects["Service"]["spec"]["ports"]]
    run("export", "kubernetes", "--image", IMAGE, "--operator", cwd=folder)
    assert len(list(yaml.safe_load_all((folder / "kubernetes.yaml").read_text()))) == 1


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--image", "Not An Image"], "must be an image"),
        (["--image", IMAGE, "--claim", "Not A Name"], "--claim"),
        (["--image", IMAGE, "--claim", "files", "--operator"], "no volume"),
        (["--image", IMAGE, "--to", "fastmcp.toml"], "homeport has not written it"),
    ],
)
def test_bad_input_writes_nothing(run: Run, folder: Path, arguments: list[str], reason: str) -> None:
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    code, _, message, _ = error_of(run("export", "kubernetes", *arguments, "--json", cwd=folder))
    assert (code, reason in message) == (2, True), message
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
