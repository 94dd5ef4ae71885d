"""Tests the page Try as a person uses it, whole."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import SERVERS, Platform, with_config, with_packages

from .support import login_link, seen_by

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


@pytest.mark.parametrize("project", ["modern", "legacy"])
def test_everything_is_tried_in_a_browser(platform: Platform, project: str) -> None:
    seen = seen_by("try.mjs", login_link(platform), project)
    assert seen["untouched"] == {"name": "arguments", "arguments": {}}
    assert list(seen["chosen"]["arguments"]) == ["kind"]
    assert (len(seen["refused"]), seen["focused"]) == (1, "true")
    assert '"count": null, "share": 0.25, "tags": ["a", "b"], "tree": null' in seen["arguments"]
    assert "it is 9007199254740993" in seen["large"]
    assert "it is 123456789012345678901" in seen["by_hand"]
    assert "3 steps, None" in seen["progress"]
    assert "step 3" in seen["progress"]
    assert "too large to be shown whole" in seen["much"]
    assert seen["kept"] == ""
    assert seen["ordered"] == "a large tea with 0 sugar"
    assert "Greet Mia warmly." in seen["prompt"]
    assert "item a" in seen["resource"]
    assert (seen["problems"], seen["cookies"]) == ([], [])
