from __future__ import annotations

from pathlib import Path

from tests.commands.conftest import Run, error_of


def test_a_workflow_for_this_repository(run: Run, tmp_path: Path) -> None:
    arguments = ("--platform", "https://mcp.example.com", "export", "github-actions", "services/expenses", "--json")
    assert error_of(run(*arguments, cwd=tmp_path))[0] == 2
    (tmp_path / ".git").mkdir()
    assert error_of(run("export", "github-actions", "--json", cwd=tmp_path))[0] == 2
    assert error_of(run(*arguments, "--branch", '"]; x', cwd=tmp_path))[0] == 2
    path = run(*arguments, cwd=tmp_path).json["path"]
    text = (tmp_path / path).read_text()
    assert 'branches: ["main"]' in text
    assert "homeport deploy services/expenses\n" in text
    assert 'HOMEPORT_PLATFORM: "https://mcp.example.com"' in text
    assert "@BRANCH@" not in text
    assert error_of(run(*arguments, cwd=tmp_path))[0] == 2, "it is not written over"
