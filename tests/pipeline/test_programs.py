from __future__ import annotations

import re
from pathlib import Path

import pytest

from platform_cli.config.project import Program
from platform_cli.errors import SourceError
from platform_cli.pipeline.programs import program_of


def install(layer: Path, name: str, *scripts: str) -> None:
    folder = layer / f"{name.replace('-', '_')}-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [f"{script} = {script.replace('-', '_')}.cli:main [extra]" for script in scripts]
    (folder / "entry_points.txt").write_text("\n".join(["[console_scripts]", *lines, "[other]", "x = y:z"]))


@pytest.mark.parametrize(
    ("name", "script"),
    [("a-server", "a-server"), ("A_Server", "a-server"), ("single", "only"), ("many", "many-mcp"), ("only", "only")],
)
def test_the_script_of_a_package(tmp_path: Path, name: str, script: str) -> None:
    install(tmp_path, "a-server", "a-server", "a-tool")
    install(tmp_path, "single", "only")
    install(tmp_path, "many", "many-mcp", "many-cli")
    assert program_of(tmp_path, name) == Program(f"{script.replace('-', '_')}.cli", "main", script)


def test_several_scripts_are_named(tmp_path: Path) -> None:
    install(tmp_path, "many", "one", "two")
    with pytest.raises(SourceError, match="many has several programs, and none is called many: one, two") as caught:
        program_of(tmp_path, "many")
    assert "pypi:many:one" in (caught.value.hint or "")


def test_two_names_for_one_program(tmp_path: Path) -> None:
    install(tmp_path, "twice", "mcp-one", "mcp_one")
    assert program_of(tmp_path, "twice").module == "mcp_one.cli"


@pytest.mark.parametrize("file", ["a_module.py", "a_module/__main__.py"])
def test_a_module_without_a_script(tmp_path: Path, file: str) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).touch()
    assert program_of(tmp_path, "a-module") == Program("a_module")
    with pytest.raises(SourceError, match="no program 'other'"):
        program_of(tmp_path, "other")


@pytest.mark.parametrize(
    ("files", "hint"),
    [
        (
            ["mcp_server.py", "update.py", "data/x.md"],
            r"\(it has mcp_server, update\): homeport deploy pypi:odd:mcp_server",
        ),
        (["clock/__init__.py", "clock/__main__.py"], r"run: homeport deploy pypi:odd:clock"),
        (["clock/__init__.py"], "It is a library"),
    ],
)
def test_a_package_without_a_program_of_its_name_says_what_could_be_run(
    tmp_path: Path, files: list[str], hint: str
) -> None:
    install(tmp_path, "odd")
    (tmp_path / "odd-1.0.dist-info/RECORD").write_text("".join(f"{file},,\n" for file in files))
    for file in files:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    with pytest.raises(SourceError, match="odd installs no program") as caught:
        program_of(tmp_path, "odd")
    assert re.search(hint, caught.value.hint or "")
