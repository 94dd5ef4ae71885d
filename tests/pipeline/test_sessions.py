"""Tests whether the code of a server decides that it has sessions."""

from __future__ import annotations

from pathlib import Path

import pytest

from platform_cli.config.project import Entrypoint, Program, Project
from platform_cli.pipeline.code import read_code
from platform_cli.pipeline.sessions import decide_sessions, with_sessions
from tests.project_files.test_imports import write

TOOL = "from fastmcp import Context\nasync def f(x, ctx: Context):\n    {}\n"


def project(folder: Path, text: str, **fields: object) -> Project:
    write(folder, {"server.py": text})
    return Project(folder=folder, entrypoint=Entrypoint("server.py"), **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (TOOL.format('await ctx.set_state("a", 1)'), "server.py:3 uses ctx.set_state"),
        (TOOL.format('return await ctx.elicit("who?", str)'), "server.py:3 uses ctx.elicit"),
        (TOOL.format('await ctx.sample("hello")'), "server.py:3 uses ctx.sample"),
        (TOOL.format("await ctx.list_roots()"), "server.py:3 uses ctx.list_roots"),
        (TOOL.format("await ctx.session.send_tool_list_changed()"), "server.py:3 uses session.send_tool_list_changed"),
        ("async def f(c: 'Context[A, B]'):\n    await c.elicit('who?')", "server.py:2 uses c.elicit"),
        ("async def f(c: Context[A, B]):\n    await c.elicit('who?')", "server.py:2 uses c.elicit"),
        ("async def f():\n    await get_context().sample('x')", "server.py:2 uses get_context.sample"),
        ("async def f():\n    await server.request_context.session.create_message([])", "server.py:2 uses session."),
        ("@server.subscribe_resource()\nasync def f(uri): ...", "server.py:1 takes subscriptions"),
    ],
)
def test_what_the_code_needs_decides(tmp_path: Path, text: str, reason: str) -> None:
    told: list[str] = []
    given = project(tmp_path, text)
    assert with_sessions(given, read_code(given), told.append).sessions is True
    assert told[0].startswith(f"sessions: on, {reason}")
    assert "sessions = false" in told[0]


@pytest.mark.parametrize(
    "text",
    [
        TOOL.format('ctx.set_state("a", 1)'),
        TOOL.format("await ctx.info('hello')"),
        TOOL.format("await ctx.report_progress(1, 2)"),
        TOOL.format("await ctx.session.send_progress_notification(1, 2)"),
        "import random\nrandom.sample([1], 1)\nframe.sample(3)\nsession.get('https://example.com')",
        "def elicit(): ...\nelicit()",
    ],
)
def test_what_needs_none_has_none(tmp_path: Path, text: str) -> None:
    given = project(tmp_path, text)
    assert with_sessions(given, read_code(given), pytest.fail).sessions is False


def test_what_somebody_said_wins(tmp_path: Path) -> None:
    text = TOOL.format("await ctx.elicit('who?')")
    for said in (True, False):
        given = project(tmp_path, text, sessions=said)
        assert with_sessions(given, read_code(given), pytest.fail).sessions is said
    run, made = "mcp.run(stateless_http=True)", "FastMCP('x', stateless_http=True)"
    stateless = (made, run, "mcp.settings.stateless_http = True")
    for own in stateless:
        given = project(tmp_path, f"{text}\n{own}\n")
        assert decide_sessions(given, read_code(given)).on is False, own
    given = project(tmp_path, text, environment={"FASTMCP_STATELESS_HTTP": "true"})
    assert decide_sessions(given, read_code(given)).on is False
    given = project(tmp_path, f"{text}\nFastMCP('x', stateless_http=False)\n")
    assert decide_sessions(given, read_code(given)).on is True


@pytest.mark.parametrize(
    ("program", "files"),
    [
        (Program("pkg"), {"src/pkg/__init__.py": "", "src/pkg/__main__.py": "from .tools import f"}),
        (Program("pkg.cli", "main"), {"src/pkg/__init__.py": "", "src/pkg/cli.py": "from pkg.tools import f"}),
        (Program("pkg", "main"), {"src/pkg/__init__.py": "from .tools import f"}),
    ],
)
def test_the_modules_of_a_program_are_read(tmp_path: Path, program: Program, files: dict[str, str]) -> None:
    write(tmp_path, {**files, "src/pkg/tools.py": TOOL.format("await ctx.elicit('who?')")})
    given = Project(folder=tmp_path, entrypoint=None, program=program)
    assert decide_sessions(given, read_code(given)).reason == "src/pkg/tools.py:3 uses ctx.elicit"


def test_other_programs_have_no_code_to_read(tmp_path: Path) -> None:
    assert read_code(Project(folder=tmp_path, entrypoint=None, command=("node", "server.js"))) == ()
    assert read_code(Project(folder=tmp_path, entrypoint=None, program=Program("of.a.layer"))) == ()
    assert read_code(project(tmp_path, "no Python")) == ()
