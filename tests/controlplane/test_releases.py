"""Tests what a deploy, a rollback and their failures leave behind: in the store, in what serves, and of tokens."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from platform_cli.controlplane import releases, runnable_releases
from platform_cli.controlplane.platform import Platform
from platform_cli.errors import InputError, InspectError, NotFoundError, ReleaseError
from platform_cli.home import Home
from platform_cli.signin.model import Grant
from platform_cli.supervisor.descriptor_store import DescriptorStore
from platform_cli.supervisor.release import Container, RunnableRelease
from tests.supervisor.releases import release_of
from tests.supervisor.stand_ins import StandIns, until


@dataclass
class Made:
    """Is a platform whose workers are stand-ins. `auth` is a bundle's, by its name; nobody can connect to a
    `deaf` one.
    """

    platform: Platform
    workers: StandIns
    auth: dict[str, str] = field(default_factory=dict)
    deaf: set[str] = field(default_factory=set)

    async def deploy(self, bundle: str, container: Container | None = None) -> dict[str, Any]:
        return dict(await self.platform.releases.deploy("p", bundle, "/folder", container=container))

    @property
    def serving(self) -> str | None:
        """Returns the bundle that serves."""
        service = self.platform._supervisor.services.get("p")
        return service.release.bundle.name if service and service.release else None

    @property
    def recorded(self) -> list[tuple[int, str | None]]:
        """Returns number and error of each release, oldest first."""
        return [(row.number, row.error) for row in reversed(self.platform.stores.store.releases("p"))]


Work = Callable[[Made], Awaitable[None]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Work], None]:
    (tmp_path / "home").mkdir()

    async def whole(work: Work) -> None:
        made = Made(Platform(Home(tmp_path / "home"), DescriptorStore()), StandIns())

        def read(_home: Home, project: str, number: int, bundle: Path, _names: object = ()) -> RunnableRelease:
            (bundle / "app").mkdir(parents=True, exist_ok=True)
            release = replace(release_of(tmp_path, ()), project=project, number=number, bundle=bundle)
            return replace(release, auth=made.auth.get(bundle.name))

        def check(_port: int, _endpoints: object) -> None:
            if made.serving in made.deaf:
                raise ReleaseError("no client can connect")

        for module in (releases, runnable_releases):
            monkeypatch.setattr(module, "read_release", read)
        monkeypatch.setattr(releases, "check_handshake", check)
        monkeypatch.setattr(made.platform._supervisor, "_zygotes", made.workers)
        monkeypatch.setattr(made.platform._supervisor, "_launchers", made.workers)
        try:
            await work(made)
        finally:
            await made.platform.close()

    return lambda work: asyncio.run(whole(work))


def test_a_first_deploy_that_fails_leaves_nothing(run: Callable[[Work], None]) -> None:
    async def work(made: Made) -> None:
        made.auth["one"] = "token"
        made.workers.fails[1] = lambda: "no database"
        with pytest.raises(InspectError, match="no database"):
            await made.deploy("one")
        state = made.platform.stores
        assert (state.store.projects(), state.access.mode("p").token_hash, made.serving) == ([], None, None)
        made.workers.fails.clear()
        assert (await made.deploy("one"))["token"].startswith("homeport_")

    run(work)


def test_a_later_one_that_fails_keeps_what_serves_and_no_new_token(run: Callable[[Work], None]) -> None:
    async def work(made: Made) -> None:
        await made.deploy("one")
        made.auth["two"] = "token"
        made.workers.fails[2] = lambda: "no database"
        with pytest.raises(InspectError):
            await made.deploy("two")
        assert (made.serving, made.recorded) == ("one", [(1, None), (2, "no database")])
        assert made.platform.stores.access.mode("p").token_hash is None
        await made.deploy("three")
        assert (made.serving, made.recorded[-1]) == ("three", (3, None))

    run(work)


def test_one_that_no_client_can_connect_to_is_undone(run: Callable[[Work], None]) -> None:
    async def work(made: Made) -> None:
        await made.deploy("one")
        made.deaf = {"two"}
        with pytest.raises(ReleaseError, match="no client can connect"):
            await made.deploy("two")
        assert made.serving == "one"
        active = made.platform.stores.store.active_release("p")
        assert active is not None
        assert active.number == 1

    run(work)


def test_a_project_in_containers_stays_there(run: Callable[[Work], None]) -> None:
    first, second = Container("image:1", "none"), Container("image:2", "none")

    async def work(made: Made) -> None:
        await made.deploy("one")
        assert (await made.deploy("one", first))["changed"] is True
        assert (await made.deploy("one", first))["changed"] is False
        assert (await made.deploy("one"))["changed"] is False
        with pytest.raises(InputError, match="p runs in containers"):
            await made.deploy("two")
        assert (await made.deploy("two", second))["target"] == "container"
        await made.platform.secrets.set("p", {"UNUSED": "x"})
        await made.platform.releases.rollback("p", 2)
        assert [each.release.container for each in made.workers.all] == [None, first, second, first]
        await made.platform.releases.rollback("p", 1)
        assert made.platform.overview.status("p")["target"] == "local"

    run(work)


def test_what_already_serves_is_left_alone(run: Callable[[Work], None]) -> None:
    async def work(made: Made) -> None:
        assert (await made.deploy("one"))["changed"] is True
        assert (await made.deploy("one"))["changed"] is False
        assert (made.recorded, len(made.workers.all)) == ([(1, None)], 1)
        # The same bundle is closed now: that is a change.
        made.auth["one"] = "token"
        assert "token" in await made.deploy("one")

    run(work)


def test_a_rollback_goes_to_the_newest_one_before_that_has_served(run: Callable[[Work], None]) -> None:
    async def work(made: Made) -> None:
        releases = made.platform.releases
        made.workers.fails[2] = lambda: "no database"
        await made.deploy("one")
        with pytest.raises(InspectError):
            await made.deploy("two")
        await made.deploy("three")
        with pytest.raises(InputError, match="v2 of p never served: no database"):
            await releases.rollback("p", 2)
        assert (await releases.rollback("p", None))["changed"] is True
        assert made.serving == "one"
        assert (await releases.rollback("p", 1))["changed"] is False
        with pytest.raises(NotFoundError, match="no release before v1"):
            await releases.rollback("p", None)
        assert (await releases.rollback("p", 3))["changed"] is True
        assert (made.serving, len(made.recorded)) == ("three", 3)

    run(work)


def test_a_project_that_is_being_destroyed_is_in_no_list(run: Callable[[Work], None]) -> None:
    """It has ended before it is forgotten."""

    async def work(made: Made) -> None:
        await made.deploy("one")
        overview = made.platform.overview
        assert [status["project"] for status in overview.list_projects()] == ["p"]
        service = made.platform._supervisor.services.pop("p")
        assert overview.list_projects() == []
        with pytest.raises(NotFoundError, match="is being destroyed"):
            overview.status("p")
        with pytest.raises(NotFoundError, match="is being destroyed"):
            overview.logs("p", follow=False, since=0)
        await made.platform.publishing.publish()
        made.platform._supervisor.services["p"] = service

    run(work)


def test_an_end_of_sign_ins_that_was_killed_is_done_by_the_next(
    run: Callable[[Work], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(made: Made) -> None:
        made.auth["one"] = "oauth"
        await made.deploy("one")
        server, callers = made.platform.sign_in.server, made.platform.callers
        server.grants.grant_code(Grant("g", "p", "client", "alice", "http://p/mcp", ()), "Client", "http://x/", "c")
        before = server.keys.signing("p")
        with monkeypatch.context() as killed:
            killed.setattr(server.grants, "end", interrupted)
            with pytest.raises(KeyboardInterrupt):
                await callers.end_sign_ins("p", "alice")
        assert await callers.end_sign_ins("p", "alice") == 1
        assert before.key_id not in server.keys.accepted("p"), "no access token is worth anything any more"
        with pytest.raises(NotFoundError):
            await callers.end_sign_ins("p", "alice")

    def interrupted(_grant: str) -> None:
        raise KeyboardInterrupt

    run(work)


def test_workers_are_listened_to_on_a_full_disk(run: Callable[[Work], None]) -> None:
    async def work(made: Made) -> None:
        await made.deploy("one")
        stores = made.platform.stores
        stores.store.db.execute("PRAGMA query_only = ON")
        with pytest.raises(sqlite3.OperationalError):
            stores.client_tokens.note_use("p", ["hash"])
        (worker,) = made.workers.running
        worker.say("used", tokens=["hash"])
        worker.say("refused", grant="g")
        worker.say("load", open=7)
        service = made.platform._supervisor.services["p"]
        await until(lambda: service._crew.serving[0].open_requests == 7)
        stores.store.db.execute("PRAGMA query_only = OFF")

    run(work)
