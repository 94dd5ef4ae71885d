"""Tests that a kubeconfig is read as kubectl reads it, and what is said of one that leads nowhere."""

from __future__ import annotations

import base64
import contextlib
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from platform_cli.errors import ClusterError, ConfigError, HomeportError
from platform_cli.targets.kubernetes.cluster import Cluster
from platform_cli.targets.kubernetes.kubeconfig import Connection, read_connection

from .stand_in import TOKEN, StandIn, stand_in

Write = Callable[..., Path]
Connect = Callable[[dict[str, Any]], Cluster]
SERVER = "https://cluster.example.com:6443"


def config(**parts: Any) -> dict[str, Any]:
    """Returns a kubeconfig with one cluster, one user and one context, in which `parts` replace others."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": SERVER, **parts.pop("cluster", {})}}],
        "users": [{"name": "u", "user": {"token": "t"} if "user" not in parts else parts.pop("user")}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", **parts.pop("context", {})}}],
        "current-context": "x",
        **parts,
    }


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes kubeconfig files, and has KUBECONFIG name them."""

    def written(*contents: Any) -> Path:
        paths = []
        for number, content in enumerate(contents):
            (folder := tmp_path / str(number)).mkdir(exist_ok=True)
            paths.append(folder / "config")
            paths[-1].write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        monkeypatch.setenv("KUBECONFIG", ":".join(map(str, [*paths, tmp_path / "missing"])))
        return tmp_path

    return written


@pytest.fixture
def cluster() -> Iterator[StandIn]:
    with stand_in() as running:
        yield running


def test_what_is_named_wins_over_what_the_context_has(write: Write) -> None:
    write(config(context={"namespace": "team"}))
    assert read_connection(None, None).namespace == "team"
    assert read_connection("x", "other").namespace == "other"
    assert read_connection(None, None).server == SERVER
    assert read_connection(None, None).login.token == "t"


def test_of_several_files_the_first_wins(write: Write) -> None:
    second = config(cluster={"server": "https://another"})
    second["contexts"].append({"name": "y", "context": {"cluster": "c"}})
    folder = write({**config(user={"tokenFile": "token"}), "current-context": None}, second)
    connection = read_connection(None, None)
    assert (connection.context, connection.server) == ("x", SERVER)
    assert connection.login.token_file == folder / "0" / "token", "relative to its file"
    assert read_connection("y", None).login.token is None


def test_certificates_are_read_from_data_or_files(write: Write, tmp_path: Path) -> None:
    user = {"client-certificate-data": base64.b64encode(b"certificate").decode(), "client-key": "key.pem"}
    folder = write(config(user=user, cluster={"certificate-authority": "ca.pem"}))
    (folder / "0" / "key.pem").write_bytes(b"key")
    (folder / "0" / "ca.pem").write_bytes(b"ca")
    connection = read_connection(None, None)
    assert (connection.login.certificate, connection.login.key, connection.ca) == (b"certificate", b"key", b"ca")
    assert "key" not in repr(connection.login).replace("key=", ""), "no secret is in a traceback"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "names no current context"),
        ("a: [", "cannot be read as a kubeconfig"),
        ("text", "is no kubeconfig"),
        ({**config(), "current-context": "z"}, "has no context 'z'"),
        (config(context={"cluster": "z"}), "has no cluster 'z'"),
        (config(context={"user": "z"}), "has no user 'z'"),
        (config(cluster={"server": ""}), "has no server's URL"),
        (config(cluster={"certificate-authority": "nowhere"}), "certificate-authority cannot be read"),
        (config(user={"auth-provider": {"name": "gcp"}}), "auth-provider"),
        (config(user={"exec": {"apiVersion": "v9", "command": "x"}}), "speaks v9"),
    ],
)
def test_a_kubeconfig_that_leads_nowhere_is_explained(write: Write, content: Any, message: str) -> None:
    write(content)
    with pytest.raises(HomeportError) as raised:
        read_connection(None, None)
    assert message in raised.value.message


def test_without_a_kubeconfig_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    with pytest.raises(ConfigError, match=r"\.kube/config does not exist") as raised:
        read_connection(None, None)
    assert "KUBECONFIG" in str(raised.value.hint)


def plugin(folder: Path, script: str) -> dict[str, Any]:
    """Makes a plugin that runs a shell script."""
    (path := folder / "plugin").write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    described = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(path), "interactiveMode": "Never"}
    return {"exec": {**described, "installHint": "install it", "env": [{"name": "SAID", "value": TOKEN}]}}


@pytest.fixture
def connect(cluster: StandIn, write: Write) -> Iterator[Connect]:
    """Connects to the stand-in as a user of a kubeconfig."""
    opened: list[Cluster] = []

    def connected(user: dict[str, Any]) -> Cluster:
        write(config(cluster={"server": cluster.address}, user=user, context={"namespace": "team"}))
        opened.append(Cluster(read_connection(None, None)))
        return opened[-1]

    yield connected
    for each in opened:
        each.close()


def test_a_plugin_logs_in_and_is_asked_again_when_its_token_is_refused(
    cluster: StandIn, connect: Connect, tmp_path: Path
) -> None:
    token = '{\\"status\\":{\\"token\\":\\"$1\\"}}'
    first = f'if [ -e {tmp_path}/asked ]; then set -- "$SAID"; else set -- old; touch {tmp_path}/asked; fi'
    opened = connect(plugin(tmp_path, f'{first}\necho "{token}"'))
    assert opened.version() == "v1.30.0"
    assert len(cluster.requests) == 2


def test_without_a_standard_input_a_plugin_is_asked_without_a_person(
    connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = plugin(tmp_path, f'echo "{{\\"status\\":{{\\"token\\":\\"{TOKEN}\\"}}}}"')
    del user["exec"]["interactiveMode"]
    monkeypatch.setattr("sys.stdin", None)
    assert connect(user).version() == "v1.30.0"


@pytest.mark.parametrize(
    ("script", "message"), [("exit 3", "exit code 3"), ("echo secret", "answered with no credentials")]
)
def test_a_plugin_that_fails_is_explained_without_its_output(
    connect: Connect, tmp_path: Path, script: str, message: str
) -> None:
    with pytest.raises(ClusterError, match=message) as raised:
        connect(plugin(tmp_path, script)).version()
    assert "secret" not in raised.value.message


def test_a_plugin_that_is_not_installed_says_how(connect: Connect, tmp_path: Path) -> None:
    user = plugin(tmp_path, "")
    user["exec"]["command"] = "no-such-plugin"
    with pytest.raises(ClusterError, match="cannot be run") as raised:
        connect(user).version()
    assert raised.value.hint == "install it"


@pytest.mark.parametrize("env", [[{"value": "x"}], [{"name": "SAID", "value": 1}], ["SAID=x"], {"SAID": "x"}])
def test_a_plugin_whose_environment_has_no_names_or_texts(connect: Connect, tmp_path: Path, env: object) -> None:
    user = plugin(tmp_path, "")
    user["exec"]["env"] = env
    with pytest.raises(ConfigError, match="a variable under env without a name"):
        connect(user)


def test_a_login_that_is_refused_and_a_cluster_that_is_gone(connect: Connect) -> None:
    with pytest.raises(ClusterError, match="Unauthorized") as raised:
        connect({"token": "wrong"}).version()
    assert "log in as for kubectl" in str(raised.value.hint)
    gone = Connection("x", "http://127.0.0.1:9", "team", read_connection(None, None).login)
    with (
        contextlib.closing(Cluster(gone)) as opened,
        pytest.raises(ClusterError, match=r"cannot be reached at http://127\.0\.0\.1:9"),
    ):
        opened.version()


def test_a_namespace_that_is_not_there_says_how_to_make_it(connect: Connect) -> None:
    opened = connect({"token": TOKEN})
    opened.namespace = "elsewhere"
    with pytest.raises(ClusterError, match="not found"):
        opened.create({"kind": "Secret", "metadata": {"name": "s"}})
