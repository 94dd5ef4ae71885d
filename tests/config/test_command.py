from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from platform_cli.config.command import Run, as_requirement, translate
from platform_cli.config.project import Entrypoint, Program, Project

SERVER = Entrypoint("server.py")


@pytest.mark.parametrize(
    ("command", "run"),
    [
        ("python server.py --root 'a b'", Run(SERVER, ("--root", "a b"))),
        ("python3.12 -u server.py", Run(SERVER)),
        (".venv/bin/python -m pkg -v", Run(Program("pkg"), ("-v",))),
        ("uv run server.py", Run(SERVER)),
        ("uv run --frozen python server.py", Run(SERVER)),
        ("uv run -m pkg", Run(Program("pkg"))),
        ("uv run tiny-clock --utc", Run("tiny-clock", ("--utc",))),
        ("uv run --with httpx --with mcp server.py", Run(SERVER, dependencies=("httpx", "mcp"))),
        (
            "uv run --with fastmcp fastmcp run server.py:make",
            Run(Entrypoint("server.py", "make"), dependencies=("fastmcp",)),
        ),
        ("uv --directory sub run --extra pg server.py", Run(SERVER, directory="sub", extras=("pg",))),
        ("uv run --project=sub --group a -p 3.12 x", Run("x", directory="sub", groups=("a",), python_version="3.12")),
        ("uvx mcp-server-time --utc -v", Run("mcp-server-time", ("--utc", "-v"), ("mcp-server-time",))),
        ("uvx mcp-server-time@1.2", Run("mcp-server-time", (), ("mcp-server-time==1.2",))),
        ("uvx x@latest", Run("x", (), ("x",))),
        ("uvx --from 'a[b]>=1' c d", Run("c", ("d",), ("a[b]>=1",))),
        ("uvx --from . tiny-clock", Run("tiny-clock")),
        ("uv tool run x", Run("x", (), ("x",))),
        ("fastmcp run server.py --transport http --port 80 -- --root x", Run(SERVER, ("--root", "x"))),
        ("mcp run server.py:mcp -t sse", Run(Entrypoint("server.py", "mcp"))),
        ("uvicorn pkg.web:app --host 0.0.0.0 --factory", Run(Entrypoint("src/pkg/web.py", "app"))),
        ("python -m uvicorn --port 80 pkg.web:app", Run(Entrypoint("src/pkg/web.py", "app"))),
        ("python -m fastmcp run server.py", Run(SERVER)),
    ],
)  # fmt: skip
def test_what_python_runs(tmp_path: Path, command: str, run: Run) -> None:
    (tmp_path / "src/pkg").mkdir(parents=True)
    (tmp_path / "src/pkg/web.py").touch()
    assert translate(shlex.split(command), tmp_path) == run


@pytest.mark.parametrize(
    "command",
    [
        "npx -y server",
        "node dist/index.js",
        "python -c 'import x'",
        "python",
        "python -X dev server.py",
        "uv sync",
        "uv run",
        "uv run --env-file .env server.py",
        "uv run --with",
        "uvx --from git+https://example.com/x y",
        "uvx ./folder",
        "fastmcp dev server.py",
        "fastmcp run fastmcp.json",
        "fastmcp run https://example.com/mcp",
        "uvicorn other:app",
        "uvicorn --unheard-of pkg.web:app",
        "./serve",
    ],
)
def test_anything_else_stays_a_command(tmp_path: Path, command: str) -> None:
    assert translate(shlex.split(command), tmp_path) is None


def test_what_a_command_says_is_added_to_the_project(tmp_path: Path) -> None:
    project = Project(tmp_path, None, command=("x",), args=("last",), dependencies=("a",), python_version="3.11")
    run = Run(SERVER, ("first",), ("b",), directory="sub", python_version="3.12", extras=("pg",), groups=("g",))
    assert run.apply(project) == Project(
        tmp_path,
        Entrypoint("sub/server.py"),
        args=("first", "last"),
        dependencies=("a", "b"),
        python_version="3.11",
        extras=("pg",),
        groups=("g",),
    )


@pytest.mark.parametrize(
    ("package", "requirement"),
    [("x", "x"), ("x@1.2", "x==1.2"), ("x[a]@1", "x[a]==1"), ("x@latest", "x"), ("x>=1", "x>=1"), ("./x", "./x")],
)
def test_a_version_as_uvx_takes_it(package: str, requirement: str) -> None:
    assert as_requirement(package) == requirement
