from __future__ import annotations

import pytest

from platform_cli.errors import InputError
from platform_cli.github.repository import GitHub, chosen_github, read_repository


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({}, GitHub("https://github.com", "https://api.github.com")),
        (
            {"GITHUB_SERVER_URL": "https://git.example.com/"},
            GitHub("https://git.example.com", "https://git.example.com/api/v3"),
        ),
        (
            {"GITHUB_SERVER_URL": "https://git.example.com", "GITHUB_API_URL": "https://api.example.com"},
            GitHub("https://git.example.com", "https://api.example.com"),
        ),
    ],
)
def test_the_environment_names_a_github(monkeypatch: pytest.MonkeyPatch, said: dict[str, str], found: GitHub) -> None:
    for name in ("GITHUB_SERVER_URL", "GITHUB_API_URL"):
        monkeypatch.setenv(name, said.get(name, ""))
    assert chosen_github() == found


def test_a_repository_of_another_github_is_refused() -> None:
    github = GitHub("https://git.example.com", "https://git.example.com/api/v3")
    assert read_repository("https://git.example.com/you/notes.git", github).name == "you/notes"
    with pytest.raises(InputError, match="is not the address of a repository on https://git"):
        read_repository("https://github.com/you/notes", github)
