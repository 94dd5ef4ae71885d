"""Tests alerts as a person has them: what goes wrong is told, signed, and nothing secret is shown."""

from __future__ import annotations

import hashlib
import hmac
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.alerts.receiver import Receiver, receiver
from tests.api.surface import check_json
from tests.e2e.probing import wait_for
from tests.support import SERVERS, SMALLEST, CommandFailedError, Platform, with_packages


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    running = Platform(with_packages(tmp_path_factory.mktemp("home")))
    running.run("deploy", str(SERVERS / SMALLEST), "--name", "shop")
    yield running
    running.stop()


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver() as there:
        yield there


def test_messages_are_signed(platform: Platform, hook: Receiver) -> None:
    made = platform.run("alerts", "add", hook.url, "--private", "--project", "shop", "--on", "deploy")
    tested = platform.run("alerts", "test", made["id"])
    check_json("alerts test", tested)
    assert tested["target"] == hook.url.partition("/hook")[0] + "/…"
    (test,) = hook.came
    assert test.said["test"] is True
    stamp = test.headers["Homeport-Time"]
    mac = hmac.new(made["key"].encode(), f"{stamp}.".encode() + test.body, hashlib.sha256).hexdigest()
    assert test.headers["Homeport-Signature"] == f"sha256={mac}"
    platform.run("alerts", "remove", made["id"])


@pytest.mark.whole
def test_a_failed_deploy_is_told(platform: Platform, hook: Receiver, tmp_path: Path) -> None:
    made = platform.run("alerts", "add", hook.url, "--private", "--project", "shop", "--on", "deploy")
    stop = platform.home / "projects" / "shop" / "files" / "stop"
    server = (SERVERS / SMALLEST / "server.py").read_text()
    (tmp_path / "requirements.txt").write_text((SERVERS / SMALLEST / "requirements.txt").read_text())
    (tmp_path / "server.py").write_text(f"import os\nif os.path.exists({str(stop)!r}):\n    os._exit(3)\n{server}")
    # It can be looked at, and then does not start where it serves.
    stop.touch()
    with pytest.raises(CommandFailedError):
        platform.run("deploy", str(tmp_path), "--name", "shop")
    deploy = wait_for(lambda: hook.came)[0].said
    assert (deploy["kind"], deploy["project"], deploy["title"]) == ("deploy", "shop", "shop: a deploy failed")
    platform.run("alerts", "remove", made["id"])


def test_targets_within_the_platforms_network_are_refused(platform: Platform, hook: Receiver) -> None:
    for url in (hook.url.replace("http:", "https:"), "https://169.254.169.254/latest", "https://localhost:2019/load"):
        with pytest.raises(CommandFailedError) as caught:
            platform.run("alerts", "add", url)
        assert caught.value.error["category"] == "input"
    assert hook.came == []
    assert platform.run("alerts", "list")["alerts"] == []


def test_another_machine_cannot_lead_alerts_into_the_platforms_network(platform: Platform, hook: Receiver) -> None:
    url = platform.run("platform", "status")["api_url"]
    token = platform.run("platform", "token", "create", "laptop")["token"]
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    for body in ({"url": hook.url, "private": True}, {"url": hook.url.replace("http:", "https:")}):
        asked = urllib.request.Request(f"{url}/v1/alerts", json.dumps(body).encode(), headers)
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(asked)
        with caught.value as answer:
            assert json.load(answer)["error"]["category"] == "input"
    assert platform.run("alerts", "list")["alerts"] == []


def test_nothing_secret_is_shown(platform: Platform, hook: Receiver) -> None:
    hook.answers = [(500, "you said /hook/s3cret-part")]
    made = platform.run("alerts", "add", hook.url, "--private")
    with pytest.raises(CommandFailedError) as caught:
        platform.run("alerts", "test", made["id"])
    (listed,) = platform.run("alerts", "list")["alerts"]
    assert listed["failure"].startswith("HTTP 500: you said")
    for shown in (
        str(listed),
        str(caught.value),
        str(made),
        (platform.home / "store.db").read_bytes().decode("latin-1"),
    ):
        assert "s3cret-part" not in shown
        assert made["key"] not in shown or shown == str(made)
    platform.run("alerts", "remove", made["id"])


@pytest.mark.parametrize(
    "url", ["https://hooks.slack.com/services/T0/B0/xyz", "smtps://me:pw@mail.example.com?to=a@b.c"]
)
def test_secret_urls_are_not_for_command_lines(platform: Platform, url: str) -> None:
    with pytest.raises(CommandFailedError, match="command line"):
        platform.run("alerts", "add", url)
