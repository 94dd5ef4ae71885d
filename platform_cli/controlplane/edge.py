"""Manages the platform's public side: which names lead to which project, as Caddy is told whenever that changes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..api.status import Addresses
from ..config.hosts import is_public
from ..errors import HomeportError, InputError, PlatformError
from ..home import Home, write_atomic
from ..supervisor.sockets import HOST
from . import caddy
from .caddy import Site
from .domain import Domain, read_domain
from .settings import Settings

# The seconds in which a public name has to answer after Caddy was told, which may have to get a certificate first.
CHECK_TIMEOUT_S = 60.0
CHECK_EVERY_S = 0.25


@dataclass(frozen=True, slots=True)
class Published:
    """Is a project as the edge sees it; `domains` are names of its own, from its configuration."""

    project: str
    port: int
    domains: tuple[str, ...]


class Edge:
    """Publishes the projects through Caddy, or does nothing while no domain is set.

    `error` is why Caddy does not serve what it should, None if it does.
    """

    def __init__(self, home: Home, settings: Settings) -> None:
        self._settings = settings
        self.config = home.root / "caddy" / "Caddyfile"
        self._admin = home.caddy_admin
        self._lock = asyncio.Lock()
        self._loaded = ""
        self._served = b""
        self.error: str | None = None
        stored = settings.get("domain")
        self.domain: Domain | None = read_domain(stored) if stored else None

    def set_domain(self, domain: Domain | None) -> None:
        self._settings.set("domain", str(domain) if domain else None)
        self.domain, self.error, self._loaded = domain, None, ""

    def names(self, project: str) -> tuple[str, ...]:
        """Returns the names that a project's workers answer to because of the domain."""
        return (self.domain.host(project),) if self.domain else ()

    def own_names(self) -> tuple[str, ...]:
        """Returns the names that the control plane itself answers to."""
        return (self.domain.name,) if self.domain else ()

    def urls(self, project: str, port: int) -> Addresses:
        local = f"http://{HOST}:{port}"
        url = self.domain.project_url(project) if self.domain else local
        return {"url": url, "mcp_url": f"{url}/mcp", "sse_url": f"{url}/sse", "local_url": local}

    def check_free(self, project: str, domains: Iterable[str], others: Iterable[Published]) -> None:
        """Raises InputError if a name of `project` belongs to another project or to the platform."""
        taken = {name: each.project for each in others if each.project != project for name in each.domains}
        for name in filter(is_public, domains):
            if name in taken:
                raise InputError(
                    f"[domains] {name} belongs to the project {taken[name]}",
                    hint=f"take it out of one of the two, or `homeport destroy {taken[name]}`",
                )
            if self.domain and (name == self.domain.name or name.endswith(f".{self.domain.name}")):
                raise InputError(
                    f"[domains] {name} belongs to the platform",
                    hint=f"{self.domain.host(project)} leads to this project by itself",
                )

    async def publish(self, projects: Iterable[Published]) -> None:
        """Tells Caddy what leads where, if that has changed; a failure is stored in `error`."""
        try:
            await self._load(projects)
        except (HomeportError, OSError) as error:
            self.error = f"public names: {error}"

    async def compare(self, projects: Iterable[Published]) -> None:
        """Tells Caddy again if it serves something else, because it was restarted or somebody has changed it."""
        if self.domain is None:
            return
        try:
            changed = await asyncio.to_thread(caddy.served, self.config, self._admin) != self._served
        except PlatformError as error:
            changed, self.error = True, f"public names: {error}"
        if changed:
            if self._loaded:
                print("Caddy serves something else than it was told: it is told again", file=sys.stderr, flush=True)
            self._loaded = ""
            await self.publish(projects)

    async def open(self, projects: Sequence[Published]) -> None:
        """Tells Caddy in any case, and waits until a name answers through it.

        Raises PlatformError if Caddy does not serve the names.
        """
        self._loaded = ""
        try:
            await self._load(projects)
            if self.domain is not None:
                await self._check(self.domain, projects)
        except PlatformError as error:
            self.error = f"public names: {error}"
            raise

    async def _load(self, projects: Iterable[Published]) -> None:
        if self.domain is None:
            return
        async with self._lock:
            text = caddy.render(self.domain, self._sites(self.domain, projects), self._admin)
            if text == self._loaded:
                return
            self._loaded = ""
            write_atomic(self.config, text.encode())
            self._served = await asyncio.to_thread(caddy.load, self.config, self._admin)
            self.error, self._loaded = None, text

    async def _check(self, domain: Domain, projects: Sequence[Published]) -> None:
        # A project answers; the control plane refuses callers without a token.
        host, path, expected = domain.name, "/v1/platform", 401
        if projects:
            host, path, expected = domain.host(projects[0].project), "/health", 200
        deadline = asyncio.get_running_loop().time() + CHECK_TIMEOUT_S
        while True:
            try:
                return await asyncio.to_thread(caddy.check, domain, host, path, expected)
            except PlatformError:
                if asyncio.get_running_loop().time() > deadline:
                    raise
            await asyncio.sleep(CHECK_EVERY_S)

    def _sites(self, domain: Domain, projects: Iterable[Published]) -> list[Site]:
        """Returns each name once; a name belongs to the project that had it first."""
        port = self._settings.get("api_port")
        sites = [Site((domain.name,), int(port))] if port else []
        seen = {domain.name}
        for each in projects:
            own = (domain.host(each.project), *filter(is_public, each.domains))
            names = [name for name in own if name not in seen]
            seen.update(names)
            sites.append(Site(tuple(names), each.port))
        return sites
