"""Tests what is looked for at intervals: what exceeds a limit or has failed is told, and what is well is not."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from platform_cli.alerts.model import KINDS, Alert, Event, Limits
from platform_cli.api.error_group import ErrorGroup
from platform_cli.controlplane import alert_checks
from platform_cli.controlplane.alert_checks import AlertChecks
from platform_cli.controlplane.alerts import Alerts
from platform_cli.controlplane.certificates import Certificates
from platform_cli.controlplane.edge import Edge
from platform_cli.controlplane.store import ReleaseRow
from platform_cli.controlplane.stores import Stores, open_stores
from platform_cli.errors import PlatformError, RevokedTokenError
from platform_cli.github.repository import GitHub, Repository
from platform_cli.home import Home
from platform_cli.pushes.deployments import DeploymentRequest
from platform_cli.pushes.links import Link
from platform_cli.supervisor.supervisor import Supervisor
from platform_cli.telemetry.error_event import ErrorEvent
from platform_cli.telemetry.operation import Operation

ALERT = Alert("0a1b2c3d", "webhook", "shown", None, KINDS, False, Limits(0.1, 500.0, 3600.0))


class Looking:
    """Is a platform with the project `shop`, whose service has a state that the test gives."""

    def __init__(self, stores: Stores) -> None:
        self.stores = stores
        self.service = SimpleNamespace(state="running", last_error=None)
        edge = Edge(stores.home, stores.settings)
        self.edge = edge
        self.alerts = Alerts(stores, edge)
        supervisor = cast("Supervisor", SimpleNamespace(services={"shop": self.service}))
        self.checks = AlertChecks(self.alerts, stores, supervisor, edge)

    def calls(self, count: int, *, kind: str = "ok", ms: float = 10.0) -> None:
        for _ in range(count):
            self.stores.telemetry.record("shop", 1, Operation("tools/call", "add", "desk/1", kind, ms))

    def found(self) -> list[Event]:
        async def look() -> None:
            await self.checks.look()

        asyncio.run(look())
        return [waiting.event for waiting in self.stores.alerts.due(ALERT)]


@pytest.fixture
def looking(tmp_path: Path) -> Iterator[Looking]:
    stores = open_stores(Home(tmp_path))
    stores.store.create_project("shop", 18999, "key", "/src/shop")
    stores.alerts.add(ALERT, "https://example.com/hook", None)
    yield Looking(stores)
    stores.close()


def kinds(events: list[Event]) -> list[str]:
    return sorted(event.kind for event in events)


def test_a_platform_that_is_well_tells_nothing(looking: Looking) -> None:
    looking.calls(100)
    assert looking.found() == []


def test_failures_of_the_server_count_and_those_of_its_callers_do_not(looking: Looking) -> None:
    looking.calls(18)
    for kind in ("arguments", "unknown", "refused", "limited", "abandoned"):
        looking.calls(50, kind=kind)
    assert looking.found() == []
    looking.calls(2, kind="exception")
    (event,) = looking.found()
    assert (event.kind, event.project, event.title) == ("error-rate", "shop", "10% of 20 calls in 5 min failed")


def test_too_few_calls_say_nothing(looking: Looking) -> None:
    looking.calls(19, kind="exception")
    assert looking.found() == []


def test_latency(looking: Looking) -> None:
    looking.calls(90)
    looking.calls(10, ms=2000.0)
    (event,) = looking.found()
    assert event.kind == "latency"
    assert "500 ms" in event.text


def raised(looking: Looking, release: int) -> None:
    said = ErrorEvent("exception", "KeyError", "no such user: hunter2", "tools/call", "add", None, ())
    looking.stores.telemetry.record_error("shop", release, said)


def test_new_errors_and_those_that_come_back(looking: Looking) -> None:
    raised(looking, 1)
    raised(looking, 1)
    (event,) = looking.found()
    assert (event.kind, event.title, event.release) == ("error", "KeyError in add", "v1")
    assert "hunter2" not in event.text
    raised(looking, 1)
    looking.found()
    (waiting,) = looking.stores.alerts.due(ALERT)
    assert waiting.count == 1, "a group is new once"
    asyncio.run(looking.stores.telemetry.change_errors("shop", int(event.group), "resolved", 1))
    raised(looking, 1)
    assert kinds(looking.found()) == ["error"], "a release of before does not bring it back"
    raised(looking, 2)
    back = looking.found()[-1]
    assert (back.kind, back.title, back.release) == ("regression", "KeyError in add is back", "v2")


@pytest.mark.parametrize("how", ["starts", "calls"])
def test_crash_loop(looking: Looking, how: str) -> None:
    if how == "starts":
        looking.service.state = "failing"
        looking.service.last_error = "exit 3\nit printed: hunter2"
    else:
        looking.calls(3, kind="crash")
    (event,) = looking.found()
    assert event.kind == "crash-loop"
    assert "hunter2" not in event.text


def test_failed_deploys(looking: Looking) -> None:
    store = looking.stores.store
    store.add_release(ReleaseRow("shop", 1, "0" * 32, time.time() - 900, "it was before the platform's start"))
    assert looking.found() == []
    # It took a minute to fail.
    store.add_release(ReleaseRow("shop", 2, "0" * 32, time.time() - 60, "did not start\nit printed: hunter2"))
    (event,) = looking.found()
    assert (event.kind, event.release, event.text) == ("deploy", "v2", "did not start")
    looking.found()
    assert [waiting.count for waiting in looking.stores.alerts.due(ALERT)] == [1], "it is told once"


def test_failed_deployments_of_commits(looking: Looking) -> None:
    deployments = looking.stores.deployments

    def fails(sha: str, error: str) -> None:
        deployments.add(DeploymentRequest("shop", "shop", sha))
        begun = deployments.begin("shop")
        assert begun is not None
        deployments.end(begun, "failed", error=error)

    fails("a" * 40, "before there was an alert to look for")
    looking.checks._since = time.time()
    assert looking.found() == []
    fails("b" * 40, "it does not build")
    (event,) = looking.found()
    assert (event.kind, event.release, event.text) == ("deploy", None, "it does not build")
    # What became a release is told as that, once.
    looking.stores.store.add_release(ReleaseRow("shop", 1, "0" * 32, time.time(), "did not start"))
    fails("c" * 40, "did not start")
    for _ in range(2):
        looking.found()
        assert [waiting.count for waiting in looking.stores.alerts.due(ALERT)] == [2]


def test_broken_link(looking: Looking) -> None:
    links = looking.stores.links
    there = Repository(GitHub("https://github.com", "https://api.github.com"), "me/shop")
    repository = links.add_repository(there, 7, "token")
    links.add(Link("shop", repository, "main", "", False))
    assert looking.found() == []
    links.set_error(repository, RevokedTokenError("GitHub does not know the token"))
    (event,) = looking.found()
    assert (event.kind, event.project) == ("link", "shop")


def test_disk(looking: Looking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=alert_checks.DISK_FREE - 1))
    assert kinds(looking.found()) == ["disk"]


def test_silence_of_a_project_that_was_called_before(looking: Looking) -> None:
    assert looking.found() == [], "it was silent always"
    looking.calls(1)
    assert looking.found() == []
    asyncio.run(looking.stores.telemetry.flush())
    alert = Alert("ffffffff", "webhook", "shown", "shop", ("silent",), False, Limits(silent_s=0.001))
    looking.stores.alerts.add(alert, "https://example.com", None)
    time.sleep(0.01)  # the silence itself
    looking.found()
    assert [waiting.event.kind for waiting in looking.stores.alerts.due(alert)] == ["silent"]


def test_what_caddy_says(looking: Looking) -> None:
    looking.stores.settings.set("domain", "mcp.example.com")
    edge = Edge(looking.stores.home, looking.stores.settings)
    edge.error = "public names: no certificate"
    looking.checks._certificates = Certificates(edge)
    looking.checks._certificates._looked_at = time.monotonic()
    (event,) = looking.found()
    assert (event.kind, event.text) == ("certificate", "public names: no certificate")


def test_other_projects_and_kinds_are_not_told(looking: Looking) -> None:
    other = Alert("ffffffff", "webhook", "shown", "other", KINDS, False, Limits())
    one = Alert("eeeeeeee", "webhook", "shown", "shop", ("disk",), False, Limits())
    for alert in (other, one):
        looking.stores.alerts.add(alert, "https://example.com", None)
    looking.alerts.happened(Event("error", "shop", "KeyError", group="e1", release="v3"))
    assert [len(looking.stores.alerts.due(alert)) for alert in (ALERT, other, one)] == [1, 0, 0]


def test_errors_that_cannot_be_read_now_are_told_the_next_time(
    looking: Looking, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: float) -> list[ErrorGroup]:
        raise PlatformError("metrics and errors cannot be read")

    raised(looking, 1)
    with monkeypatch.context() as broken:
        broken.setattr(looking.stores.telemetry, "appeared_errors", fails)
        assert looking.found() == []
    assert kinds(looking.found()) == ["error"]
