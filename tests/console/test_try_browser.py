"""Tests the page Try whole, in a headless Chromium."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.support import SERVERS, Platform, with_config, with_packages

from .chromium import HERE, Chromium, chromium

pytestmark = pytest.mark.whole


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    running = Platform(with_packages(tmp_path_factory.mktemp("home")))
    for name, sessions in (("modern", "false"), ("legacy", "true")):
        config = f'[auth]\nmode = "token"\n[deployment]\nsessions = {sessions}\n'
        source = with_config(SERVERS / "playground", config, tmp_path_factory.mktemp(name))
        running.run("deploy", str(source), "--name", name)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def browser(platform: Platform) -> Iterator[Chromium]:
    with chromium() as opened:
        opened.run(f"await page.goto({json.dumps(platform.run('console')['url'])})")
        opened.wait("main table")
        yield opened


@pytest.mark.parametrize("project", ["modern", "legacy"])
def test_everything_is_tried_in_a_browser(browser: Chromium, platform: Platform, project: str) -> None:
    origin = platform.run("platform", "status")["api_url"]
    browser.run(f"await page.goto({json.dumps(f'{origin}/console/projects/{project}/try')})")
    said = browser.run((HERE / "try.js").read_text())
    assert said["untouched"] == {"name": "arguments", "arguments": {}}
    assert list(said["chosen"]["arguments"]) == ["kind"]
    assert (len(said["refused"]), said["focused"]) == (1, "true")
    assert '"count": null, "share": 0.25, "tags": ["a", "b"], "tree": null' in said["arguments"]
    assert "it is 9007199254740993" in said["large"]
    assert "it is 123456789012345678901" in said["by_hand"]
    assert "3 steps, None" in said["progress"]
    assert "step 3" in said["progress"]
    assert "too large to be shown whole" in said["much"]
    assert said["kept"] == ""
    assert said["ordered"] == "a large tea with 0 sugar"
    assert "Greet Mia warmly." in said["prompt"]
    assert "item a" in said["resource"]
    seen = browser.run("return { ...seen, origins: [...new Set(seen.origins)] }")
    # What the platform refuses is an error of the network for the browser.
    problems = [each for each in seen["problems"] if "status of 409" not in each]
    assert (seen["dialogs"], problems, seen["origins"]) == ([], [], [origin])
