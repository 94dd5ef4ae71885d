"""Tests the examples as a newcomer meets them: deployed with nothing configured, then called."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import ROOT, CommandFailedError, Platform, with_packages

pytestmark = pytest.mark.whole

EXAMPLES = ROOT / "examples"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    running = Platform(with_packages(tmp_path_factory.mktemp("home"), EXAMPLES / "expense_tracker"))
    yield running
    running.stop()


def text(answer: dict[str, Any]) -> str:
    said: str = answer["content"][0]["text"]
    return said


def test_the_expense_tracker(platform: Platform) -> None:
    deployed = platform.run("deploy", str(EXAMPLES / "expense_tracker" / "server.py"))
    assert deployed["project"] == "expense-tracker"

    def call(tool: str, *arguments: str) -> dict[str, Any]:
        return platform.run("call", deployed["mcp_url"], tool, *arguments)

    coffee = call("add_expense", "amount=4.5", "category=Food", "description=Coffee", "date=2026-01-02")
    expected = {"id": 1, "amount": 4.5, "category": "food", "description": "Coffee", "date": "2026-01-02"}
    assert coffee["structuredContent"] == expected
    call("add_expense", "amount=0.1", "category=travel", "date=2026-01-03")
    call("add_expense", "amount=0.2", "category=travel", "date=2026-01-03")
    assert call("get_summary")["structuredContent"] == {"total": 4.8, "categories": {"food": 4.5, "travel": 0.3}}
    assert [e["id"] for e in call("list_expenses")["structuredContent"]["result"]] == [3, 2, 1]
    assert call("list_expenses", "category=FOOD")["structuredContent"]["result"] == [expected]
    assert text(call("delete_expense", "expense_id=2")) == "deleted expense 2"
    with pytest.raises(CommandFailedError, match="there is no expense 2"):
        call("delete_expense", "expense_id=2")
    with pytest.raises(CommandFailedError, match="greater than 0"):
        call("add_expense", "amount=-1", "category=food")
    # A new release keeps what the old one wrote.
    again = platform.run("deploy", str(EXAMPLES / "expense_tracker"), "--env", "NEW=release")
    assert again["release"] == "v2"
    assert call("get_summary")["structuredContent"]["total"] == 4.7


def test_notes(platform: Platform) -> None:
    assert platform.run("deploy", str(EXAMPLES / "notes_lowlevel"))["project"] == "notes"
    assert text(platform.run("call", "notes", "write_note", "title=Shopping list", "text=Milk")) == (
        "kept as notes/Shopping list.txt"
    )
    assert text(platform.run("call", "notes", "read_note", "title=Shopping list")) == "Milk"
    assert text(platform.run("call", "notes", "search_notes", "text=milk")) == "Shopping list"
    assert text(platform.run("call", "notes", "search_notes", "text=tea")) == "no note has it"
    for title in ("../../etc/passwd", "", "none"):
        with pytest.raises(CommandFailedError) as failed:
            platform.run("call", "notes", "read_note", f"title={title}")
        assert failed.value.error["category"] == "tool"


def test_the_examples_leave_nothing_behind() -> None:
    kept = {"server.py", "requirements.txt", "fastmcp.toml"}
    found = {path.name for path in EXAMPLES.glob("*/*") if path.name != "__pycache__"}
    assert found <= kept
