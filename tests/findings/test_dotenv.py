from __future__ import annotations

from pathlib import Path

import pytest

from platform_cli.config.project import Entrypoint, Project
from platform_cli.findings.dotenv import find_dotenv, names_in_dotenv

from .conftest import Make

HIDDEN = "5ecret"


def test_it_stays_behind_and_its_names_are_told(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    project = make({"server.py": "", ".env": f"KEY={HIDDEN}\nexport OTHER='{HIDDEN}'\n"}, environment={"OTHER": "x"})
    monkeypatch.chdir(project.folder)
    (finding,) = find_dotenv(project)
    assert (finding.kind, finding.text) == ("dotenv", ".env stays behind: KEY not set for the server")
    assert "--env-file .env" in finding.hint
    assert "set-secret --env-file .env" in finding.hint
    assert HIDDEN not in str(finding)
    assert names_in_dotenv(project) == {"KEY", "OTHER"}


def test_nothing_is_said_where_the_server_has_all_of_it(make: Make) -> None:
    assert list(find_dotenv(make({"server.py": "", ".env": "KEY=1"}, environment={"KEY": "${secrets.KEY}"}))) == []
    assert list(find_dotenv(make({"server.py": ""}, include=(".env",)))) == []


def test_one_that_cannot_be_read_still_stays_behind(make: Make) -> None:
    (finding,) = find_dotenv(make({"server.py": "", ".env": 'KEY="never ends\n'}))
    assert "stays behind" in finding.text
    assert "not set" not in finding.text


def test_beside_the_server_and_in_the_project_folder(tmp_path: Path) -> None:
    for name in ("app/server.py", "app/.env", ".env"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("KEY = 1\n")
    project = Project(folder=tmp_path, entrypoint=Entrypoint("app/server.py"))
    assert [Path(finding.text.split()[0]).parts[-2:] for finding in find_dotenv(project)] == [
        ("app", ".env"),
        (tmp_path.name, ".env"),
    ]
