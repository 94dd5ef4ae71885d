"""Tests which resources elsewhere are known, and under which names."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace

import pytest

from platform_cli.config.issuers import Login
from platform_cli.errors import InputError, NotFoundError
from platform_cli.signin.model import ProtectedProject
from platform_cli.signin.resources import Resources, read_origin

NOTES = ProtectedProject(
    "notes",
    ("https://abc.lambda-url.eu-central-1.on.aws", "https://notes.example.com"),
    ("notes:read",),
    ("notes:read",),
    {"notes:write": ("notes:read",)},
    {"*@company.com": ("*",)},
    Login("github", "app"),
    is_elsewhere=True,
)


@pytest.fixture
def resources() -> Iterator[Resources]:
    db = sqlite3.connect(":memory:", isolation_level=None)
    yield Resources(db)
    db.close()


def test_a_resource_is_called_by_project_and_host(resources: Resources) -> None:
    registered = resources.register("notes", NOTES)
    assert registered == replace(NOTES, name="notes@abc.lambda-url.eu-central-1.on.aws")
    assert resources.find(registered.name) == registered
    assert resources.find("notes") is None, "a project here may have that name"


def test_it_keeps_its_name_when_it_gets_another_url(resources: Resources) -> None:
    name = resources.register("notes", NOTES).name
    moved = replace(NOTES, urls=("https://new.example.com", NOTES.urls[1]), scopes=())
    assert resources.register("notes", moved) == replace(moved, name=name)
    assert len(resources.all()) == 1


def test_the_same_project_elsewhere_is_another_resource(resources: Resources) -> None:
    resources.register("notes", NOTES)
    resources.register("notes", replace(NOTES, urls=("https://def.lambda-url.eu-central-1.on.aws",)))
    assert len(resources.all()) == 2


def test_a_url_of_another_project_is_not_taken_over(resources: Resources) -> None:
    name = resources.register("notes", NOTES).name
    with pytest.raises(InputError, match=name):
        resources.register("other", replace(NOTES, urls=("https://other.example.com", NOTES.urls[1])))
    resources.remove(name)
    with pytest.raises(NotFoundError):
        resources.remove(name)
    assert resources.register("other", NOTES).name.startswith("other@")


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Notes.example.com/", "https://notes.example.com"),
        ("https://notes.example.com:443", "https://notes.example.com"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_urls_are_written_in_one_way(url: str, origin: str) -> None:
    assert read_origin(url) == origin
