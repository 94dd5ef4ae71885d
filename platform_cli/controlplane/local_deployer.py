"""Makes releases on the platform of this machine, as a Deployer."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import HomeportError
from ..findings.offers import check_still_offers
from ..origin import Origin
from ..pushes.deployer import Deployed, Emit, Read, token_note
from .builds import Builds
from .platform import Platform


class LocalDeployer:
    def __init__(self, platform: Platform, builds: Builds) -> None:
        self._platform = platform
        self._builds = builds

    async def deploy(self, project: str, read: Read, emit: Emit, source: str, origin: Callable[[], Origin]) -> Deployed:
        bundle = await self._builds.build(read, emit)
        check_still_offers(bundle.manifest["contract"], self.contract(project))
        status = await self._platform.releases.deploy(project, bundle.hash, source, origin())
        return Deployed(
            release=int((status["release"] or "").removeprefix("v")),
            contract=bundle.manifest["contract"],
            changed=status["changed"],
            note=token_note(project) if "token" in status else None,
        )

    async def destroy(self, project: str) -> None:
        await self._platform.releases.destroy(project)

    def contract(self, project: str) -> Mapping[str, Any] | None:
        return self._platform.overview.contract(project)

    def mcp_url(self, project: str) -> str | None:
        with contextlib.suppress(HomeportError, KeyError):
            url: str = self._platform.overview.status(project)["mcp_url"]
            return url
        return None

    def share_secrets(self, project: str, preview: str) -> None:
        self._platform.secrets.share(project, preview)
