"""Reads kubeconfig files as kubectl does: which cluster is meant, and how to log in there.

https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ...errors import ClusterError, ConfigError
from .exec_credentials import ExecPlugin

# What a pod finds of its own cluster
# (https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/).
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
DEFAULT_NAMESPACE = "default"


@dataclass(frozen=True, slots=True)
class ClusterLogin:
    """Says how to log in: by one of `token`, `token_file`, `basic` and `plugin`, or by a client certificate, whose
    `certificate` and `key` are PEM; all are None if the cluster asks for nothing.
    """

    token: str | None = field(default=None, repr=False)
    token_file: Path | None = None
    basic: tuple[str, str] | None = field(default=None, repr=False)
    plugin: ExecPlugin | None = None
    certificate: bytes | None = field(default=None, repr=False)
    key: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Connection:
    """Says where a cluster is and how to reach it.

    `ca` are the certificates to trust in PEM, None for the machine's own; with `insecure` none is checked.
    `server_name` is the name in the server's certificate if that is not its host.
    """

    context: str
    server: str
    namespace: str
    login: ClusterLogin
    ca: bytes | None = None
    insecure: bool = False
    server_name: str | None = None
    proxy: str | None = None


@dataclass(frozen=True, slots=True)
class _Entry:
    """Is a cluster, a user or a context, with the folder of the file that it is in."""

    value: Mapping[str, Any]
    folder: Path

    def content(self, name: str) -> bytes | None:
        """Returns what is in `name-data`, else in the file that `name` names, None without either.

        Raises ConfigError if it cannot be read.
        """
        try:
            if data := self.value.get(f"{name}-data"):
                return base64.b64decode(data, validate=True)
            file = self.value.get(name)
            return (self.folder / file).read_bytes() if file else None
        except (OSError, binascii.Error, TypeError) as error:
            raise ConfigError(f"the kubeconfig's {name} cannot be read: {error}") from None


def read_connection(context: str | None, namespace: str | None) -> Connection:
    """Returns the connection of `context`, None for the current one; `namespace` replaces the context's own.

    Raises ConfigError if no kubeconfig says where a cluster is, or if it is no kubeconfig.
    """
    files = _files()
    found = [file for file in files if file.is_file()]
    if not found and context is None and os.environ.get("KUBERNETES_SERVICE_HOST") and SERVICE_ACCOUNT.is_dir():
        return _in_cluster(namespace)
    if not found:
        raise ConfigError(
            f"there is no kubeconfig that says where the cluster is: {', '.join(map(str, files))} does not exist",
            hint="set KUBECONFIG to its file; your cluster's own tool writes it (aws eks, gcloud, az, kubeadm)",
        )
    return _Files([(file, _parsed(file)) for file in found]).connection(context, namespace)


def _files() -> list[Path]:
    named = [Path(part) for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    return named or [Path.home() / ".kube" / "config"]


def _parsed(file: Path) -> Mapping[str, Any]:
    try:
        data = yaml.safe_load(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"{file} cannot be read as a kubeconfig: {reason}", hint="kubectl config view") from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ConfigError(f"{file} is no kubeconfig", hint="kubectl config view")
    return data


def _in_cluster(namespace: str | None) -> Connection:
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    own = SERVICE_ACCOUNT / "namespace"
    return Connection(
        context="the pod's own cluster",
        server=f"https://{f'[{host}]' if ':' in host else host}:{port}",
        namespace=namespace or (own.read_text().strip() if own.is_file() else DEFAULT_NAMESPACE),
        login=ClusterLogin(token_file=SERVICE_ACCOUNT / "token"),
        ca=(SERVICE_ACCOUNT / "ca.crt").read_bytes(),
    )


class _Files:
    """Holds the kubeconfig files in their order: of each name, and of the current context, the first file's wins."""

    def __init__(self, files: Iterable[tuple[Path, Mapping[str, Any]]]) -> None:
        self._files = list(files)

    def connection(self, context: str | None, namespace: str | None) -> Connection:
        current = next((name for _, data in self._files if (name := data.get("current-context"))), None)
        wanted = context or current
        if wanted is None:
            raise ConfigError(
                f"{self._named()} names no current context",
                hint='kubectl config use-context NAME, or context = "NAME" under [deployment.kubernetes]',
            )
        chosen = self._entry("context", wanted)
        cluster = self._entry("cluster", chosen.value.get("cluster"))
        server = cluster.value.get("server")
        if not isinstance(server, str) or not server.startswith(("https://", "http://")):
            raise ConfigError(f"{self._named()}: the cluster of context {wanted!r} has no server's URL")
        user = chosen.value.get("user")
        return Connection(
            context=wanted,
            server=server.rstrip("/"),
            namespace=namespace or chosen.value.get("namespace") or DEFAULT_NAMESPACE,
            login=self._login(self._entry("user", user)) if user else ClusterLogin(),
            ca=cluster.content("certificate-authority"),
            insecure=cluster.value.get("insecure-skip-tls-verify") is True,
            server_name=cluster.value.get("tls-server-name"),
            proxy=cluster.value.get("proxy-url"),
        )

    def _named(self) -> str:
        return ", ".join(str(file) for file, _ in self._files)

    def _entry(self, kind: str, name: object) -> _Entry:
        """Returns the first entry called `name`."""
        entries = [
            (entry, file)
            for file, data in self._files
            for entry in data.get(f"{kind}s") or ()
            if isinstance(entry, dict)
        ]
        for entry, file in entries:
            if entry.get("name") == name and isinstance(entry.get(kind), dict):
                return _Entry(entry[kind], file.parent)
        known = ", ".join(sorted({str(entry.get("name")) for entry, _ in entries}))
        raise ConfigError(
            f"{self._named()} has no {kind} {name!r}",
            hint=f"it has {known}" if known else "kubectl config view",
        )

    def _login(self, user: _Entry) -> ClusterLogin:
        value = user.value
        if "auth-provider" in value:
            raise ClusterError(
                "the kubeconfig logs in by an auth-provider, which Kubernetes has removed in 1.26",
                hint="let your cluster's own tool write it anew: it names a plugin under exec by now",
            )
        token_file = value.get("tokenFile")
        return ClusterLogin(
            token=value.get("token"),
            token_file=user.folder / token_file if token_file else None,
            basic=(value["username"], value.get("password", "")) if value.get("username") else None,
            plugin=ExecPlugin.read(value["exec"], user.folder) if value.get("exec") else None,
            certificate=user.content("client-certificate"),
            key=user.content("client-key"),
        )
