from __future__ import annotations

from pathlib import Path

import pytest

from platform_cli.config.names import check_name, default_name, is_name, slugify
from platform_cli.config.project import Project
from platform_cli.errors import InputError


@pytest.mark.parametrize("name", ["a", "0", "expense-tracker", "a" * 63, "a--b"])
def test_a_dns_label_is_a_name(name: str) -> None:
    assert check_name(name, "--name") == name


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a_b", "a.b", "a b", "a" * 64, "é", "a\n", "../x", "1²"])
def test_what_is_no_dns_label_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"^--name: .* is not a DNS label"):
        check_name(name, "--name")


def test_a_bad_name_comes_with_a_better_one() -> None:
    with pytest.raises(InputError) as caught:
        check_name("My Server!", "--name")
    assert caught.value.hint == 'for example "my-server"'


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("", "own"),
        ("pypi:mcp-server-time", "mcp-server-time"),
        ("pypi:Mcp_Server[a]==1.0", "mcp-server"),
        ("npm:@scope/server@1.2", "server"),
        ("npm:server", "server"),
        ("https://github.com/o/repo.git@v1", "repo"),
        ("git@github.com:o/repo", "repo"),
        ("file:///tmp/repo/#subdirectory=a/b", "repo-b"),
    ],
)
def test_a_source_is_called_what_it_is_elsewhere(tmp_path: Path, source: str, name: str) -> None:
    assert default_name({"name": "Own"}, Project(tmp_path, None, source=source)) == name


@pytest.mark.parametrize("contract", [None, {"name": "FastMCP-1a2b"}, {"name": "--"}, {"name": "MCP Server"}])
def test_a_project_without_a_name_is_called_as_its_folder(contract: dict[str, str] | None) -> None:
    assert default_name(contract, Project(Path("/x/My Folder"), None)) == "my-folder"
    assert default_name(contract, Project(Path("/x"), None, member="a/b")) == "b"


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("Expense Tracker", "expense-tracker"),
        ("  Café_Größe 2 ", "cafe-groe-2"),
        ("a" * 62 + "-bc", "a" * 62),
        ("--", None),
        ("日本", None),
        ("", None),
    ],
)
def test_slugify(text: str, slug: str | None) -> None:
    assert slugify(text) == slug
    assert slug is None or is_name(slug)
