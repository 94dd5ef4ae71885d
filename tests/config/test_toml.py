from __future__ import annotations

from pathlib import Path

import pytest

from platform_cli.config.project import Entrypoint, Program, Project, Scaling
from platform_cli.config.toml import read_toml
from platform_cli.errors import ConfigError

SEED = """
[project]
name = "expense-tracker"
description = "Personal expense tracking with MCP"
version = "1.0.0"
[deployment]
python_version = "3.11"
requirements = "requirements.txt"
[environment]
DATABASE_URL = "${secrets.DATABASE_URL}"
API_KEY = "${secrets.API_KEY}"
[features]
auto_scaling = true
cold_start_optimization = true
"""


def read(folder: Path, text: str) -> Project:
    (folder / "fastmcp.toml").write_text(text)
    (folder / "requirements.txt").touch()
    return read_toml(folder / "fastmcp.toml")


def refused(folder: Path, text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        read(folder, text)
    return caught.value


def test_the_seed_guides_file(tmp_path: Path) -> None:
    assert read(tmp_path, SEED) == Project(
        folder=tmp_path,
        entrypoint=None,
        name="expense-tracker",
        description="Personal expense tracking with MCP",
        version="1.0.0",
        python_version="3.11",
        requirements="requirements.txt",
        environment={"DATABASE_URL": "${secrets.DATABASE_URL}", "API_KEY": "${secrets.API_KEY}"},
        config_file=tmp_path / "fastmcp.toml",
    )


def test_an_empty_file_gives_the_defaults(tmp_path: Path) -> None:
    assert read(tmp_path, "") == Project(folder=tmp_path, entrypoint=None, config_file=tmp_path / "fastmcp.toml")


def test_every_other_key(tmp_path: Path) -> None:
    project = read(
        tmp_path,
        """
        deployment = { entrypoint = "src/server.py:make", target = "local", sessions = true, start_timeout_s = 90 }
        features.auto_scaling = false
        features.cold_start_optimization = false
        [scaling]
        min = 1
        max = 4
        idle_s = 2.5
        concurrency = 8
        unresponsive_s = 20
        [domains]
        names = ["MCP.example.com", "a.b.example.org"]
        origins = ["app://obsidian.md"]
        """,
    )
    assert project.origins == ("app://obsidian.md",)
    assert project.entrypoint == Entrypoint("src/server.py", "make")
    assert (project.target, project.sessions, project.start_timeout_s) == ("local", True, 90.0)
    assert (project.auto_scaling, project.cold_start_optimization) == (False, False)
    assert project.scaling == Scaling(min=1, max=4, idle_s=2.5, concurrency=8, unresponsive_s=20)
    assert project.domains == ("mcp.example.com", "a.b.example.org")


@pytest.mark.parametrize("command", ["\"npx -y 'a b'\"", '["npx", "-y", "a b"]'])
def test_a_command_is_split_as_a_shell_would(tmp_path: Path, command: str) -> None:
    assert read(tmp_path, f"[deployment]\ncommand = {command}").command == ("npx", "-y", "a b")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("server.py", (Entrypoint("server.py"), None, None)),
        ("src/a:b", (Entrypoint("src/a", "b"), None, None)),
        ("pkg.module", (None, None, "pkg.module")),
        ("my-script", (None, None, "my-script")),
        ("pkg.module:main", (None, Program("pkg.module", "main"), None)),
    ],
)
def test_an_entry_point_is_a_file_a_function_or_a_name(tmp_path: Path, text: str, expected: object) -> None:
    project = read(tmp_path, f'[deployment]\nentrypoint = "{text}"\nargs = "--root \'a b\'"')
    assert (project.entrypoint, project.program, project.script) == expected
    assert project.args == ("--root", "a b")


def test_what_is_deployed_beside_the_usual(tmp_path: Path) -> None:
    project = read(
        tmp_path,
        "[deployment]\nextras = ['pg']\ngroups = ['server']\ninclude = ['data/', './m.bin']\nreplace = 'stop-first'",
    )
    assert (project.extras, project.groups, project.include) == (("pg",), ("server",), ("data", "m.bin"))
    assert project.stop_first
    assert not read(tmp_path, "[deployment]\nreplace = 'overlap'").stop_first


@pytest.mark.parametrize("version", ["3.10", "3.11.7", ">=3.11", ">=3.11,<3.14", "~=3.12"])
def test_python_version_is_a_version_or_a_range(tmp_path: Path, version: str) -> None:
    assert read(tmp_path, f'[deployment]\npython_version = "{version}"').python_version == version


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[deployment]\nrequirments = 1", ':2: unknown key "deployment.requirments"; did you mean "requirements"?'),
        ("[project]\n\nrequirements = 1", ':3: unknown key "project.requirements"; it belongs in [deployment]'),
        ("[project]\nzzz = 1", ':2: unknown key "project.zzz"'),
        ("\nname = 'x'", ':2: unknown key "name"; it belongs in [project]'),
        ("zzz = 1", ':1: unknown key "zzz"; every key belongs in a table'),
        ("[project]\n[deploymnt]", ":2: unknown table [deploymnt]; did you mean [deployment]?"),
        ("[[zzz]]", ":1: unknown table [zzz]"),
        ("[[project]]", ':1: "project" must be a table: write [project] and its keys below'),
        ("project = 'x'", ':1: "project" must be a table: write [project] and its keys below'),
        ("[project]\nname.x = 1", ':2: "project.name" must be a DNS label'),
        ("project = {\n nam = 1 }", ':1: unknown key "project.nam"; did you mean "name"?'),
        ("[project]\nname = 'My App'", ':2: "project.name" must be a DNS label'),
        ("[project]\ndescription = 1", ':2: "project.description" must be text in quotes'),
        ('[project]\nversion = "\\u001b[2J"', ':2: "project.version" must be text in quotes'),
        ("[deployment]\nentrypoint = ''", ':2: "deployment.entrypoint" must be a server file'),
        ("[deployment]\nentrypoint = 'a.py:b-c'", ':2: "deployment.entrypoint" must be "server.py" or'),
        ("[deployment]\ncommand = ''", ':2: "deployment.command" must be a command'),
        ("[deployment]\ncommand = []", ':2: "deployment.command" must be a command'),
        ("[deployment]\ncommand = ['a', 1]", ':2: "deployment.command" must be a command'),
        ("[deployment]\ncommand = '\"a'", ':2: "deployment.command" cannot be split into words: no closing quotation'),
        ("[deployment]\ncommand = 'a'\nentrypoint = 'b.py'", ':2: give "entrypoint" or "command", not both'),
        ("[deployment]\npython_version = 3.11", ':2: "deployment.python_version" must be in quotes'),
        ("[deployment]\npython_version = '3'", ':2: "deployment.python_version" must be a version'),
        ("[deployment]\npython_version = ''", ':2: "deployment.python_version" must be a version'),
        ("[deployment]\npython_version = 'new'", ':2: "deployment.python_version" must be a version'),
        ("[deployment]\npython_version = '3.9'", ':2: "deployment.python_version" must be Python 3.10 or newer'),
        ("[deployment]\npython_version = '2.7.18'", ':2: "deployment.python_version" must be Python 3.10 or newer'),
        ("[deployment]\nrequirements = 'x.yaml'", ':2: "deployment.requirements" must name a requirements.txt'),
        ("[deployment]\nrequirements = ['x']", ':2: "deployment.requirements" must name a requirements.txt'),
        ("[deployment]\nrequirements = 'none.txt'", ":2: 'none.txt' does not exist"),
        ("[deployment]\nrequirements = '../x.txt'", ":2: '../x.txt' is outside the project folder"),
        ("[deployment]\ntarget = 'moon'", ':2: "deployment.target" must be "local", "container", "kubernetes" or'),
        ("[deployment]\nlambda = 1", ':2: "deployment.lambda" must be a table'),
        ("[deployment.lambda]\nmemory = 1", ':2: unknown key "deployment.lambda.memory"; did you mean "memory_mb"?'),
        ("[deployment.lambda]\nregion = 'Mars'", ':2: "deployment.lambda.region" must be a region of AWS'),
        ("[deployment.lambda]\nlog_days = 2", ':2: "deployment.lambda.log_days" must be 1, 3, 5, 7, 14, 30'),
        ("[deployment.lambda]\ntimeout_s = 901", ':2: "deployment.lambda.timeout_s" must be a whole number from 5'),
        # Lambda's own default is 3: nothing would be left to end an answer in.
        ("[deployment.lambda]\ntimeout_s = 3", ':2: "deployment.lambda.timeout_s" must be a whole number from 5'),
        ("\n[deployment.container]\nbase = 'Python'", ':3: "deployment.container.base" must be an image, such as'),
        (
            "[deployment.kubernetes]\nimage = 'a.b/c:1'",
            ':2: "deployment.kubernetes.image" must be an image without tag',
        ),
        ("[deployment.kubernetes]\nnamespace = 'A'", ':2: "deployment.kubernetes.namespace" must be a DNS label'),
        ("[deployment.container]\narchitecture = 'arm'", ':2: "deployment.container.architecture" must be "arm64" or'),
        ("[deployment]\nargs = 1", ':2: "deployment.args" must be'),
        ("[deployment]\nextras = 'pg'", ':2: "deployment.extras" must be a list of extras'),
        ("[deployment]\ninclude = ['../x']", ":2: \"deployment.include\" has '../x', which is not a path below"),
        ("[deployment]\nreplace = 'now'", ':2: "deployment.replace" must be "overlap" or "stop-first"'),
        ("[auth]\nmode = 'open'", ':2: "auth.mode" must be "token", "oauth" or "none"'),
        ("[scopes]", ":1: [scopes] says nothing, and so nobody could use anything"),
        (
            "[scopes]\nadd = 'a b'",
            ':2: "scopes.add" must be a scope such as "expense:read"',
        ),
        ("[scopes]\nadd = true", ':2: "scopes.add" must be a scope'),
        ("[scopes]\nadd = []", ':2: "scopes.add" must be a scope'),
        ("[scopes]\n'add_*' = 'x'", ':2: "scopes.add_*" is no rule: stars are for "*" alone'),
        ("[scopes]\nadd = 'x'\n[scopes.implies]\nx = 1", ':4: "scopes.implies.x" must be a scope'),
        ("[auth]\nmode = 'none'\n[scopes]\nadd = 'x'", ':2: "auth.mode" is "none", and [scopes] says what callers may'),
        ("[limits]\nread = 10", ':2: "limits.read" must be a rate such as "100/minute"'),
        ("[limits]\nwrite = '0/hour'", ':2: "limits.write" must be a rate'),
        ("[limits]\nwrite = '10001/hour'", ':2: "limits.write" must be a rate'),
        ("[limits]\ntimeout_s = 0", ':2: "limits.timeout_s" must be a number of seconds from 0.1'),
        ("[limits]\nburst = 1", ':2: unknown key "limits.burst"'),
        ("[limits.tools]\nadd = 1", ':2: "limits.tools.add" must be a table with rate and timeout_s'),
        ("[limits.tools]\nadd = { rate = 1 }", ':2: "limits.tools.add" has "rate", which must be a rate'),
        ("[limits.clients]\nme = '1/day'", ':2: "limits.clients.me" must be a table with read and write'),
        ("[deployment]\nsessions = 'yes'", ':2: "deployment.sessions" must be true or false'),
        ("[deployment]\nstart_timeout_s = 0", ':2: "deployment.start_timeout_s" must be a number of seconds from 1'),
        ("[deployment]\nstart_timeout_s = nan", ':2: "deployment.start_timeout_s" must be a number of seconds from 1'),
        ("[deployment]\nstart_timeout_s = true", ':2: "deployment.start_timeout_s" must be a number of seconds from 1'),
        ("[features]\nauto_scaling = 1", ':2: "features.auto_scaling" must be true or false'),
        ("[scaling]\nmin = -1", ':2: "scaling.min" must be a whole number from 0 to 64'),
        ("[scaling]\nmax = 0", ':2: "scaling.max" must be a whole number from 1 to 1000'),
        ("[scaling]\nmax = true", ':2: "scaling.max" must be a whole number from 1 to 1000'),
        ("[scaling]\nconcurrency = 1.5", ':2: "scaling.concurrency" must be a whole number from 1 to 1000'),
        ("[scaling]\nidle_s = inf", ':2: "scaling.idle_s" must be a number of seconds from 1 to 86400'),
        ("[scaling]\nmax = 2\nmin = 3", ':3: "scaling.min" is 3, more than "scaling.max", 2'),
        ("[domains]\nnames = 'a.b'", ':2: "domains.names" must be a list of host names'),
        ("[domains]\nnames = ['a.b', 1]", ':2: "domains.names" must be a list of host names'),
        ("[domains]\nnames = ['a.de', 'A.de']", ':2: "domains.names" has the same host name twice'),
        ("[environment]\nHOMEPORT_X = ''", ':2: "environment.HOMEPORT_X" is reserved'),
        ("[environment]\n'a b' = ''", ':2: "environment.a b" is not a variable name'),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    error = refused(tmp_path, text)
    assert error.message.startswith(f"fastmcp.toml{message}")
    assert error.exit_code == 2


@pytest.mark.parametrize(
    "host",
    [
        "",
        "*.a.de",
        "https://a.de",
        "a.de:80",
        "a.de/x",
        "a..de",
        "a.de.",
        "-a.de",
        "10.0.0.300",
        "a b",
        "a." * 127 + "de",
    ],
)
def test_what_is_no_host_name_is_refused(tmp_path: Path, host: str) -> None:
    message = refused(tmp_path, f'[domains]\nnames = ["{host}"]').message
    assert message.startswith('fastmcp.toml:2: "domains.names" has')


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[project]\nname = ", ":2:8: "),
        ("[project]\nname = x", ":2:8: "),
        ("[project\n", ":1:9: "),
        ("[project]\n[project]\n", ":2:"),
        ("a = 1\na = 2\n", ":2:"),
        ("a = " + "1" * 5000, ": holds a value too large"),
        ("a = " + "[" * 100_000, ":"),
    ],
)
def test_a_syntax_error_has_line_and_column(tmp_path: Path, text: str, place: str) -> None:
    assert refused(tmp_path, text).message.startswith(f"fastmcp.toml{place}")


@pytest.mark.parametrize(
    "line",
    [
        'A = "sk-hidden ${secrets."',
        "A = ['sk-hidden']",
        "A = { b = 'sk-hidden' }",
        "A = 1337.25",
        "A = sk-hidden",
        'A = "sk-hidden',
        'A = "sk-hidden\\q"',
        'HOMEPORT_A = "sk-hidden"',
        'A = "sk-hidden"\nA = "sk-hidden"',
    ],
)
def test_a_value_of_the_environment_is_never_shown(tmp_path: Path, line: str) -> None:
    error = refused(tmp_path, f"[environment]\n{line}\n")
    shown = f"{error} {error.message} {error.hint}"
    assert error.message.startswith(("fastmcp.toml:2:", "fastmcp.toml:3:"))
    assert "sk-hidden" not in shown
    assert "1337" not in shown
