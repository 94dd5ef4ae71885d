"""Speaks to one repository of a registry by the OCI Distribution Specification, and says in words what went wrong.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, cast

import requests
from dxf import DXF, DXFBase
from dxf.exceptions import DXFDigestMismatchError, DXFError, DXFMountFailed, DXFUnauthorizedError

from ..addresses import is_loopback
from ..config.image_reference import DOCKER_HUB, Reference
from ..errors import NotFoundError, RegistryError
from .credentials import find_credentials, login_hint
from .model import MANIFEST_TYPE, digest_of

# Where Docker Hub's API is.
HUB_HOST = "registry-1.docker.io"
# The seconds until a registry answers: it may hash a layer before it does.
TIMEOUT_S = 300.0
CHUNK = 1024 * 1024
CERTIFICATES = Path("/etc/docker/certs.d")


class RegistryRefusedError(RegistryError):
    """Says that a registry does not take what it was sent."""


class Repository:
    """Is the repository that a reference names; only that of a registry on loopback is spoken to without TLS."""

    def __init__(self, reference: Reference) -> None:
        self.reference = reference
        host = HUB_HOST if reference.registry == DOCKER_HUB else reference.registry
        kind = _OnLoopback if is_loopback(reference.host) else DXF
        self._has_login = False
        self._api = kind(
            host,
            reference.repository,
            self._log_in,
            insecure=kind is _OnLoopback,
            tlsverify=_authority(reference.registry),
            timeout=TIMEOUT_S,
        )

    def __enter__(self) -> Self:
        self._api.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._api.__exit__(*error)  # type: ignore[no-untyped-call]

    def manifest(self, name: str) -> bytes:
        """Returns the manifest of the tag or digest `name`.

        Raises NotFoundError if there is none.
        """
        with self._explained(f"the manifest of {name}"):
            _text, answer = self._api.get_manifest_and_response(name)
        content: bytes = answer.content
        if name.startswith("sha256:") and digest_of(content) != name:
            raise self._wrong_digest(name)
        return content

    def put_manifest(self, tag: str, content: bytes) -> None:
        """Raises RegistryError, too, if the registry then has another manifest under that tag."""
        with self._accepting(), self._explained(f"the manifest of {tag}"):
            self._api.set_manifest(tag, content.decode())
            found, _answer = self._api.head_manifest_and_response(tag)
        if found not in (None, digest_of(content)):
            raise self._wrong_digest(digest_of(content))

    def put_referrer(self, content: bytes) -> bool:
        """Puts the manifest of an artifact that has a subject, and tells whether the registry lists those itself
        (https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-manifests-with-subject).
        """
        digest = digest_of(content)
        with self._explained(f"the manifest {digest}"):
            # Its own call drops the headers of the answer.
            answer: requests.Response = self._api._request(  # type: ignore[no-untyped-call]
                "put", f"manifests/{digest}", data=content, headers={"Content-Type": MANIFEST_TYPE}
            )
        return "OCI-Subject" in answer.headers

    def has(self, digest: str) -> bool:
        try:
            with self._explained(digest):
                self._api.blob_size(digest)
        except NotFoundError:
            return False
        return True

    def mount(self, digest: str, repository: str) -> bool:
        """Takes a blob over from another repository of the registry, and tells whether that was possible."""
        try:
            with self._explained(digest):
                self._api.mount_blob(repository, digest)
        except (DXFMountFailed, NotFoundError):
            return False
        return True

    def push(self, digest: str, file: Path) -> None:
        with self._accepting(), self._explained(digest):
            self._api.push_blob(str(file), check_exists=False)

    def pull(self, digest: str) -> Iterator[bytes]:
        """Yields the content of a blob.

        Raises RegistryError if it is not that of its digest, or breaks off.
        """
        with self._explained(digest):
            yield from cast("Iterable[bytes]", self._api.pull_blob(digest, chunk_size=CHUNK))

    def _log_in(self, api: DXFBase, answer: requests.Response) -> None:
        credentials = find_credentials(self.reference.registry)
        self._has_login = credentials is not None
        user, password = (credentials.username, credentials.password) if credentials else (None, None)
        api.authenticate(user, password, response=answer)

    @contextmanager
    def _accepting(self) -> Iterator[None]:
        """Turns the error of a repository that is not there into one of a push, before which it has to be made."""
        try:
            yield
        except NotFoundError as error:
            raise RegistryError(
                f"{self.reference.registry} takes nothing for {self.reference.repository}: {error.message}",
                hint="make the repository there first, as Amazon ECR wants it: "
                f"aws ecr create-repository --repository-name {self.reference.repository}",
            ) from None

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        """Turns what dxf and requests raise into errors for the person, without their texts, which have URLs with
        tokens in them.
        """
        try:
            yield
        except DXFMountFailed:
            raise
        except DXFUnauthorizedError:
            raise self._no_access() from None
        except DXFDigestMismatchError:
            raise self._wrong_digest(what) from None
        except requests.HTTPError as error:
            raise self._refused(error.response, what) from None
        except requests.exceptions.SSLError:
            raise RegistryError(
                f"{self.reference.registry} has no certificate that this machine trusts",
                hint=f"put the certificate of its authority into {_of_docker(self.reference.registry)}, as for Docker, "
                "or use the registry's real name",
            ) from None
        except requests.Timeout:
            raise self._unreachable(f"does not answer within {TIMEOUT_S:.0f} s") from None
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
            raise self._unreachable(_reason(error)) from None
        except (DXFError, requests.RequestException, KeyError, ValueError) as error:
            raise RegistryError(
                f"{self.reference.registry} answered as no registry does ({type(error).__name__}), asked for {what}",
                hint="is it a registry? Its API is below /v2/",
            ) from None

    def _no_access(self) -> RegistryError:
        registry = self.reference.registry
        wrong = "does not accept this machine's login" if self._has_login else "wants a login"
        return RegistryError(f"{registry} {wrong} for {self.reference.repository}", hint=login_hint(registry))

    def _wrong_digest(self, digest: str) -> RegistryError:
        return RegistryError(
            f"{self.reference.registry} answered with other content than that of {digest}",
            hint="run the command again; if it persists, the registry or a proxy before it is broken",
        )

    def _unreachable(self, reason: str) -> RegistryError:
        return RegistryError(
            f"{self.reference.registry} {reason}",
            hint="run the command again once it can be reached; what has arrived there is not sent again",
        )

    def _refused(self, answer: requests.Response, what: str) -> RegistryError | NotFoundError:
        said = _said(answer)
        if answer.status_code == requests.codes.not_found:
            return NotFoundError(f"{self.reference.name} does not have {what}{said}", hint="is the name right?")
        if answer.status_code == requests.codes.forbidden:
            return self._no_access()
        if answer.status_code == requests.codes.too_many_requests:
            return RegistryError(
                f"{self.reference.registry} takes no more requests for now{said}",
                hint=f"wait, or raise the limit by a login: {login_hint(self.reference.registry)}",
            )
        kind = RegistryRefusedError if answer.status_code < requests.codes.server_error else RegistryError
        return kind(
            f"{self.reference.registry} refuses {what} with HTTP {answer.status_code}{said}",
            hint="what has arrived there is not sent again, once you run the command again",
        )


class _OnLoopback(DXF):
    """Shows its password without TLS, which dxf does not, since nobody listens in on loopback."""

    def authenticate(
        self, username: str | None = None, password: str | None = None, *_arguments: Any, **_options: Any
    ) -> None:
        shown = base64.b64encode(f"{username}:{password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {shown}"} if username else {}


def _of_docker(registry: str) -> Path:
    """Returns where Docker looks for the certificate of the authority of a registry
    (https://docs.docker.com/engine/security/certificates/).
    """
    return CERTIFICATES / registry / "ca.crt"


def _authority(registry: str) -> str | bool:
    """Returns the file with the authority's certificate, True for those that this machine trusts."""
    certificate = _of_docker(registry)
    # Others than root may not be let into the folder.
    return str(certificate) if os.access(certificate, os.R_OK) else True


def _said(answer: requests.Response) -> str:
    """Returns what a registry says of its refusal
    (https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes).
    """
    try:
        first = answer.json()["errors"][0]
        return f": {first['code']}, {first.get('message') or 'without a reason'}"
    except (ValueError, LookupError, TypeError):
        return ""


def _reason(error: requests.RequestException) -> str:
    text = str(error)
    if "Connection refused" in text:
        return "refuses connections"
    if "NameResolution" in text or "Name or service" in text:
        return "is no name that leads anywhere"
    return "has broken the connection off"
