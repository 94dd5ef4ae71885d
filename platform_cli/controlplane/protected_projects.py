"""Connects the authorization server with the projects of this platform and with resources elsewhere: which of them
people sign in to, and what workers are told.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from homeport_runtime.guard.scopes import Scopes

from ..config.hosts import is_public
from ..config.issuers import SIGN_IN_SECRET
from ..errors import InputError
from ..signin.issuers import Issuers
from ..signin.model import ProtectedProject
from ..signin.resources import Resources
from ..signin.server import AuthorizationServer
from ..supervisor.release import RunnableRelease
from ..supervisor.sockets import HOST
from ..supervisor.supervisor import Supervisor
from .edge import Edge
from .stores import Stores


class ProtectedProjects:
    """Knows the projects that people sign in to, for the authorization server `server`."""

    def __init__(self, stores: Stores, supervisor: Supervisor, edge: Edge) -> None:
        self._stores = stores
        self._supervisor = supervisor
        self._edge = edge
        self.issuers = Issuers(stores.store.db)
        self.resources = Resources(stores.store.db)
        self.server = AuthorizationServer(stores.store.db, self, self.issuer, stores.secrets.key)

    def issuer(self) -> str:
        """Returns the URL that identifies the authorization server: the platform's own, without a final slash."""
        if self._edge.domain is not None:
            return self._edge.domain.url
        return f"http://{HOST}:{self._stores.settings.get('api_port')}"

    def find(self, name: str) -> ProtectedProject | None:
        return self.find_here(name) or self.resources.find(name)

    def find_here(self, name: str) -> ProtectedProject | None:
        """Returns a project of this platform that people sign in to, None if it is none."""
        service = self._supervisor.services.get(name)
        if service is None or service.release is None or service.release.issuer is not None:
            return None
        if not self._stores.access.mode(name).signs_in:
            return None
        return self._protected(service.release, service.port)

    @property
    def is_used(self) -> bool:
        """Tells whether people sign in to anything by this platform."""
        return any(self.find_here(name) for name in self._supervisor.services) or bool(self.resources.all())

    def all(self) -> list[ProtectedProject]:
        return [*self.all_here(), *self.resources.all()]

    def all_here(self) -> list[ProtectedProject]:
        """Returns the projects of this platform that people sign in to."""
        return [found for name in sorted(self._supervisor.services) if (found := self.find_here(name)) is not None]

    def register(self, project: str, resource: ProtectedProject, login_secret: str | None) -> ProtectedProject:
        """Registers a resource elsewhere that runs `project`, for which tokens are issued from now on.

        Without `login_secret` it keeps the one that it has. Raises InputError for URLs that are taken.
        """
        self._check_elsewhere(resource)
        registered = self.resources.register(project, resource)
        if login_secret is not None:
            self._stores.secrets.set(registered.name, {SIGN_IN_SECRET: login_secret})
        return registered

    def remove(self, name: str) -> None:
        """Ends the sign-ins to a resource, and issues no more tokens for it.

        Raises NotFoundError if it is not registered.
        """
        self.resources.remove(name)
        self.server.forget(name)
        self._stores.secrets.forget(name)

    def _check_elsewhere(self, resource: ProtectedProject) -> None:
        if not resource.urls:
            raise InputError("a resource needs the URL that its callers use", hint="--url https://notes.example.com")
        here = {
            url: service.release.project
            for service in self._supervisor.services.values()
            if service.release is not None
            for url in self._protected(service.release, service.port).urls
        }
        for url in resource.urls:
            if url in here:
                raise InputError(f"{url} is the project {here[url]} of this platform itself", hint="leave issuer out")
            host, own = urlsplit(url).hostname or "", self._edge.own_names()
            if any(host == name or host.endswith(f".{name}") for name in own):
                raise InputError(f"{url} belongs to this platform", hint="register the URL that leads elsewhere")

    def login_secret(self, name: str) -> str | None:
        """Returns the present value of the secret SIGN_IN_SECRET of a project or resource, None if it is not set."""
        version = self._stores.secrets.current(name).get(SIGN_IN_SECRET)
        return self._stores.secrets.values(name, {SIGN_IN_SECRET: version})[SIGN_IN_SECRET] if version else None

    def told(self, release: RunnableRelease) -> dict[str, Any]:
        """Returns what a release's workers are told (homeport_runtime.guard.sign_in)."""
        project = self._protected(release, self._supervisor.services[release.project].port)
        told = {"urls": list(project.urls), "scopes": list(project.baseline), "has_scopes": bool(project.scopes)}
        if release.issuer is None:
            return {**told, "issuer": self.issuer(), "keys": self.server.keys.accepted(project.name)}
        return {
            **told,
            "issuer": release.issuer.url,
            "audience": list(release.issuer.audience),
            "scope_claim": release.issuer.scope_claim,
            "jwks": self.issuers.keys(release.issuer.url),
        }

    def issuer_of(self, project: str) -> str | None:
        """Returns the authorization server of its owner's own whose tokens a project takes, None without one."""
        service = self._supervisor.services.get(project)
        issuer = service.release.issuer if service is not None and service.release is not None else None
        return issuer.url if issuer is not None else None

    def users_of(self, issuer: str) -> list[str]:
        """Returns the projects whose callers' tokens `issuer` has issued."""
        return [project for project in self._supervisor.services if self.issuer_of(project) == issuer]

    def issuers_in_use(self) -> set[str]:
        return {issuer for project in self._supervisor.services if (issuer := self.issuer_of(project)) is not None}

    def _protected(self, release: RunnableRelease, port: int) -> ProtectedProject:
        own = self._edge.urls(release.project, port)
        named = [f"https://{name}" if is_public(name) else f"http://{name}:{port}" for name in release.domains]
        urls = dict.fromkeys((own["url"], *named, own["local_url"], f"http://localhost:{port}"))
        scopes = Scopes.read(release.manifest.get("scopes"))
        known = tuple(scopes.known) if scopes is not None else ()
        return ProtectedProject(
            release.project,
            tuple(urls),
            known,
            baseline=scopes.baseline if scopes is not None else (),
            implies=scopes.implies if scopes is not None else {},
            users=release.users,
            login=release.login,
        )
