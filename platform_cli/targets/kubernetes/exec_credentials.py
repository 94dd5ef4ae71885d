"""Runs the plugins that kubeconfig files name for a login, such as those of EKS, GKE and AKS.

https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import ClusterError, ConfigError

GROUP = "client.authentication.k8s.io"
VERSIONS = (f"{GROUP}/v1", f"{GROUP}/v1beta1")


@dataclass(frozen=True, slots=True)
class Credentials:
    """Holds what a plugin has answered: a `token`, or a client's `certificate` and `key` in PEM, or all of them."""

    token: str | None = field(repr=False)
    certificate: bytes | None = field(repr=False)
    key: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class ExecPlugin:
    """Is a program that answers with credentials; `hint` says how to install it."""

    version: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    hint: str
    is_interactive: bool
    wants_cluster: bool

    @classmethod
    def read(cls, data: Mapping[str, Any], folder: Path) -> ExecPlugin:
        """Returns the plugin of a kubeconfig in `folder`.

        Raises ConfigError for one that speaks no version of the protocol that is known here, or has an environment
        without names.
        """
        version, command = data.get("apiVersion"), data.get("command")
        if version not in VERSIONS or not command:
            raise ConfigError(
                f"the kubeconfig's plugin for the login speaks {version}", hint=f"{' and '.join(VERSIONS)} are known"
            )
        program = str(folder / command) if "/" in command else command
        return cls(
            version=version,
            command=(program, *(data.get("args") or ())),
            environment=_environment(data.get("env")),
            hint=str(data.get("installHint") or "").strip(),
            # It is None where standard input is closed.
            is_interactive=data.get("interactiveMode") != "Never" and sys.stdin is not None and sys.stdin.isatty(),
            wants_cluster=data.get("provideClusterInfo") is True,
        )

    def run(self, cluster: Mapping[str, Any]) -> Credentials:
        """Returns new credentials; what the plugin says on stderr, the person sees.

        Raises ClusterError if it has none.
        """
        spec = {"interactive": self.is_interactive, **({"cluster": cluster} if self.wants_cluster else {})}
        told = {"apiVersion": self.version, "kind": "ExecCredential", "spec": spec}
        environment = {**os.environ, **self.environment, "KUBERNETES_EXEC_INFO": json.dumps(told)}
        try:
            done = subprocess.run(
                self.command,
                env=environment,
                stdin=None if self.is_interactive else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                check=False,
            )
        except OSError as error:
            raise ClusterError(
                f"{self.command[0]}, which the kubeconfig names for the login, cannot be run: {error.strerror}",
                hint=self.hint or None,
            ) from None
        if done.returncode != 0:
            raise ClusterError(
                f"{self.command[0]}, which the kubeconfig names for the login, has failed: exit code {done.returncode}",
                hint="log in with it as for kubectl",
            )
        return self._read(done.stdout)

    def _read(self, answer: bytes) -> Credentials:
        try:
            status = json.loads(answer)["status"]
            certificate, key = status.get("clientCertificateData"), status.get("clientKeyData")
            return Credentials(
                status.get("token"), certificate.encode() if certificate else None, key.encode() if key else None
            )
        except (ValueError, LookupError, TypeError, AttributeError):
            # The answer is not shown, since it may hold the token.
            raise ClusterError(
                f"{self.command[0]}, which the kubeconfig names for the login, answered with no credentials"
            ) from None


def _environment(entries: object) -> dict[str, str]:
    """Returns the variables of a plugin, each of which has a `name` and a `value`. Raises ConfigError."""
    pairs = entries if isinstance(entries, list) else [] if entries is None else [entries]
    found = {}
    for each in pairs:
        name, value = (each.get("name"), each.get("value", "")) if isinstance(each, dict) else (None, None)
        if not isinstance(name, str) or not name or not isinstance(value, str):
            raise ConfigError(
                "the kubeconfig's plugin for the login has a variable under env without a name, or without a text",
                hint="each is written as name: ... and value: ..., with quotes around a number",
            )
        found[name] = value
    return found
