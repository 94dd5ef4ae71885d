"""Tests where requirements come from, and what a requirements.txt may say."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement

from platform_cli.config.project import Entrypoint, Project
from platform_cli.errors import ConfigError
from platform_cli.pipeline.model import Pins
from platform_cli.pipeline.requirements import resolve_requirements
from platform_cli.pipeline.requirements_txt import PLAIN
from tests.project_files.test_imports import write

SERVER = "import httpx\nfrom fastmcp import FastMCP\n"
PYPROJECT = '[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.10"\ndependencies = ["six", "idna>=3"]\n'
OPTIONAL = PYPROJECT + '[project.optional-dependencies]\ndev = ["rich"]\n'
EMPTY = '[project]\nname = "x"\nversion = "1"\ndependencies = []\n'
DYNAMIC = """[project]
name = "x"
dynamic = ["dependencies"]
[tool.setuptools.dynamic]
dependencies = {file = ["reqs/base.txt"]}
"""
BACKEND = '[build-system]\nrequires = ["setuptools"]\n'
POETRY = '[tool.poetry.dependencies]\npython = "^3.11"\nsix = "^1.16"\n'
SOURCES = "# /// script\n# dependencies = ['lib']\n# [tool.uv.sources]\n# lib = {path = 'lib'}\n# ///\n"
INLINE = '# /// script\n# requires-python = ">=3.11"\n# dependencies = [\n#   "h11",\n# ]\n# ///\n' + SERVER


def project(folder: Path, server: str = "server.py", **changes: object) -> Project:
    values = {"folder": folder, "entrypoint": Entrypoint(server), "config_file": folder / "fastmcp.toml", **changes}
    return Project(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("files", "origin", "file", "passed_over"),
    [
        ({"requirements.txt": "", "pyproject.toml": PYPROJECT}, "pyproject.toml", "pyproject.toml", "requirements.txt"),
        ({"uv.lock": "", "pyproject.toml": PYPROJECT}, "uv.lock", "pyproject.toml", ""),
        ({"uv.lock": "", "requirements.txt": "six"}, "requirements.txt", None, "uv.lock"),
        ({"requirements.txt": "six\n", "pyproject.toml": "[tool.ruff]\n"}, "requirements.txt", None, ""),
        ({"requirements.txt": "six\n", "pyproject.toml": EMPTY}, "requirements.txt", None, "pyproject.toml"),
        ({"pyproject.toml": EMPTY, "setup.py": ""}, "setup.py", "setup.py", "pyproject.toml"),
        ({"pyproject.toml": BACKEND, "setup.py": ""}, "pyproject.toml", "pyproject.toml", ""),
        ({"pyproject.toml": DYNAMIC, "requirements.txt": ""}, "pyproject.toml", "pyproject.toml", "requirements.txt"),
        ({"pyproject.toml": POETRY, "Pipfile": ""}, "pyproject.toml", "pyproject.toml", "Pipfile"),
        ({"setup.cfg": "[options]\ninstall_requires = six", "Pipfile": ""}, "setup.cfg", "setup.cfg", "Pipfile"),
        ({"Pipfile": "[packages]\nsix = '*'", "environment.yml": ""}, "Pipfile", None, "environment.yml"),
        ({"server.py": INLINE, "requirements.txt": ""}, "the metadata in server.py", None, "requirements.txt"),
        ({"server.py": SOURCES}, "the metadata in server.py", "server.py", ""),
        ({"server.py": SERVER}, "the imports of server.py", None, ""),
    ],
)
def test_the_first_that_says_so_decides(
    files: dict[str, str], origin: str, file: str | None, passed_over: str, tmp_path: Path
) -> None:
    write(tmp_path, {"server.py": SERVER, **files})
    found = resolve_requirements(project(tmp_path))
    assert (found.origin, found.file.path if found.file else None) == (origin, file)
    assert " ".join(found.passed_over) == passed_over


def test_what_is_guessed_is_never_built(tmp_path: Path) -> None:
    write(tmp_path, {"server.py": SERVER})
    found = resolve_requirements(project(tmp_path))
    assert (found.text, found.inferred) == ("--only-binary :all:\nfastmcp\nhttpx\n", ("fastmcp", "httpx"))


def test_the_lock_of_the_workspace_is_the_members(tmp_path: Path) -> None:
    root = EMPTY + "[tool.uv.workspace]\nmembers = ['packages/*']\nexclude = ['packages/odd']\n"
    write(tmp_path, {"pyproject.toml": root, "uv.lock": "", "one/pyproject.toml": PYPROJECT, "one/server.py": ""})
    for name in ("packages/a", "packages/odd"):
        write(tmp_path, {f"{name}/server.py": "", f"{name}/pyproject.toml": PYPROJECT})
    origins = [resolve_requirements(project(tmp_path, f"{name}/server.py")).origin for name in ("packages/a", "one")]
    assert origins == ["uv.lock", "one/pyproject.toml"]
    assert resolve_requirements(project(tmp_path, "packages/odd/server.py")).origin == "packages/odd/pyproject.toml"


def test_whatever_decides_changes_the_content(tmp_path: Path) -> None:
    write(tmp_path, {"server.py": "", "a/server.py": "", "a/pyproject.toml": DYNAMIC})
    seen = set()
    for name in ("a/pyproject.toml", "pyproject.toml", "a/uv.toml", "a/reqs/base.txt", "a/requirements.txt"):
        write(tmp_path, {name: (tmp_path / name).read_text() + "\n" if (tmp_path / name).exists() else "\n"})
        found = resolve_requirements(project(tmp_path, "a/server.py"))
        seen.add(found.file.content if found.file else "")
    write(tmp_path, {"server.py": "changed"})
    assert found == resolve_requirements(project(tmp_path, "a/server.py"))
    assert len(seen) == 5


def test_extras_need_a_file_that_has_them(tmp_path: Path) -> None:
    write(tmp_path, {"server.py": "", "pyproject.toml": EMPTY})
    found = resolve_requirements(project(tmp_path, extras=("a",), groups=("b",)))
    assert found.file is not None
    assert (found.file.extras, found.file.groups) == (("a",), ("b",))
    (tmp_path / "pyproject.toml").unlink()
    with pytest.raises(ConfigError, match="extras and groups need a pyproject"):
        resolve_requirements(project(tmp_path, extras=("a",)))


def test_the_nearest_folder_above_the_server(tmp_path: Path) -> None:
    write(tmp_path, {"app/src/server.py": SERVER, "app/requirements.txt": "six", "requirements.txt": "idna"})
    assert resolve_requirements(project(tmp_path, "app/src/server.py")).origin == "app/requirements.txt"


def test_what_the_configuration_says_comes_first(tmp_path: Path) -> None:
    write(tmp_path, {"server.py": INLINE, "requirements.txt": "six", "deploy/prod.txt": "idna==3.10  # pinned\n"})
    assert resolve_requirements(project(tmp_path, requirements="deploy/prod.txt")).text == "idna==3.10\n"
    command = project(tmp_path / "empty", entrypoint=None, command=("npx", "x"))
    assert resolve_requirements(command).origin == "none"


@pytest.mark.parametrize(
    ("files", "named", "text", "file", "origin"),
    [
        ({"requirements.txt": "six"}, None, "h11>=0.14\n", None, "fastmcp.json"),
        (
            {"requirements.txt": "six"},
            "requirements.txt",
            "six\nh11>=0.14\n",
            None,
            "requirements.txt and fastmcp.json",
        ),
        ({"pyproject.toml": PYPROJECT}, None, "h11>=0.14\n", "pyproject.toml", "pyproject.toml and fastmcp.json"),
        (
            {"pyproject.toml": PYPROJECT, "uv.lock": ""},
            None,
            "h11>=0.14\n",
            "pyproject.toml",
            "uv.lock and fastmcp.json",
        ),
        ({"server.py": INLINE}, None, "h11\nh11>=0.14\n", None, "the metadata in server.py and fastmcp.json"),
    ],
)
def test_listed_dependencies_are_added_to_what_uv_run_adds_them_to(
    files: dict[str, str], named: str | None, text: str, file: str | None, origin: str, tmp_path: Path
) -> None:
    write(tmp_path, {"server.py": SERVER, **files})
    config = tmp_path / "fastmcp.json"
    found = resolve_requirements(project(tmp_path, dependencies=("h11>=0.14",), requirements=named, config_file=config))
    assert (found.text, found.origin, found.file.path if found.file else None) == (text, origin, file)


def test_a_package_of_its_own_has_nothing_of_the_project_around(tmp_path: Path) -> None:
    write(tmp_path, {"pyproject.toml": PYPROJECT})
    asked = project(tmp_path, entrypoint=None, script="tool", dependencies=("tool",))
    assert resolve_requirements(asked).file is None


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent.txt", r"fastmcp.toml: requirements = 'absent.txt' does not exist"),
        ("../outside.txt", "outside the project folder"),
        ("uv.lock", "needs a pyproject.toml beside it"),
    ],
)
def test_a_named_file_that_cannot_be_used(name: str, message: str, tmp_path: Path) -> None:
    write(tmp_path, {"p/server.py": SERVER, "outside.txt": "six", "p/uv.lock": "", "p/tool/pyproject.toml": "[tool.x]"})
    with pytest.raises(ConfigError, match=message):
        resolve_requirements(project(tmp_path / "p", requirements=name))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "six==1.17.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n",
            ["six==1.17.0 --hash=sha256:aa --hash=sha256:bb"],
        ),
        ("-r more.txt\nsix", ["rich>=13", "six"]),
        ("--requirement=more.txt", ["rich>=13"]),
        ("-c more.txt\nrich", ["# constraint: rich>=13", "rich"]),
        (
            "-i https://a/simple\n--extra-index-url=https://b/simple\nsix",
            ["--index-url https://a/simple", "--extra-index-url https://b/simple", "six"],
        ),
        ("\ufeffsix\n", ["six"]),
        ("git+https://host/repo@v1#egg=x", ["git+https://host/repo@v1#egg=x"]),
        ("x @ https://host/x-1.0-py3-none-any.whl", ["x @ https://host/x-1.0-py3-none-any.whl"]),
        (
            "uvicorn[standard]>=0.30 ; python_version >= '3.10'  # fast",
            ["uvicorn[standard]>=0.30 ; python_version >= '3.10'"],
        ),
        ("--require-hashes\n\n# six", []),
    ],
)
def test_what_a_requirements_file_may_say(text: str, expected: list[str], tmp_path: Path) -> None:
    write(tmp_path, {"server.py": "", "requirements.txt": text, "more.txt": "rich>=13", "pyproject.toml": OPTIONAL})
    assert resolve_requirements(project(tmp_path, requirements="requirements.txt")).text.splitlines() == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("six\n\nbad bad==\n", r"requirements.txt, line 3: 'bad bad=='"),
        ("six\n-r absent.txt", "line 2: absent.txt does not exist"),
        ("-r ../outside.txt", r"line 1: \.\./outside.txt is outside the project folder"),
        ("-c /etc/passwd", "outside the project folder"),
        ("-r linked.txt", "outside the project folder"),
        ("-e ../sibling", "does not exist"),
        ("./absent-1.0.whl", "does not exist"),
        ("-r requirements.txt", "includes itself"),
        ("--pre", "--pre is not supported"),
        ("./a\0b.whl", "line 1: it has a control character"),
        ("six\n-r a\0b.txt", "line 2: it has a control character"),
        (f"./{'a' * 5000}.whl", "line 1: File name too long"),
    ],
)
def test_what_it_may_not_say(text: str, message: str, tmp_path: Path) -> None:
    write(tmp_path, {"p/server.py": "", "p/requirements.txt": text, "outside.txt": "six", "p/pyproject.toml": OPTIONAL})
    (tmp_path / "p/linked.txt").symlink_to(tmp_path / "outside.txt")
    with pytest.raises(ConfigError, match=message):
        resolve_requirements(project(tmp_path / "p", requirements="requirements.txt"))


def test_the_project_itself_is_asked_for(tmp_path: Path) -> None:
    write(tmp_path, {"server.py": "", "requirements.txt": "six\n-e .[dev]\n", "pyproject.toml": OPTIONAL})
    found = resolve_requirements(project(tmp_path, requirements="requirements.txt"))
    assert found.file is not None
    assert (found.text, found.file.path, found.file.extras) == ("six\n", "pyproject.toml", ("dev",))
    (tmp_path / "pyproject.toml").unlink()
    with pytest.raises(ConfigError, match=r"requirements.txt: `\.` is required, but there is no pyproject.toml"):
        resolve_requirements(project(tmp_path))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-8-sig"])
def test_what_windows_writes(encoding: str, tmp_path: Path) -> None:
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    write(tmp_path, {"server.py": ""})
    (tmp_path / "requirements.txt").write_bytes(f"{mark}six==1.17.0\r\n".encode(encoding))
    assert resolve_requirements(project(tmp_path)).text == "six==1.17.0\n"


def test_a_pipfile(tmp_path: Path) -> None:
    text = """
[[source]]
url = "https://a/simple"
[packages]
six = "==1.17.0"
rich = "*"
uvicorn = {extras = ["standard"], version = ">=0.30", markers = "python_version > '3'"}
it = {git = "https://host/it.git", ref = "main"}
[dev-packages]
pytest = "*"
"""
    lock = '{"default": {"rich": {"version": "==14.0.0"}, "it": {"git": "https://host/it.git"}}}'
    write(tmp_path, {"server.py": "", "Pipfile": text, "Pipfile.lock": lock})
    found = resolve_requirements(project(tmp_path))
    assert found.text.splitlines() == [
        "--index-url https://a/simple", "six==1.17.0", "rich", "uvicorn[standard]>=0.30 ; python_version > '3'",
        "it @ git+https://host/it.git@main",
    ]  # fmt: skip
    assert found.pins == Pins("Pipfile.lock", ("rich==14.0.0",))


def test_the_pins_of_poetry_and_pdm(tmp_path: Path) -> None:
    lock = """
[[package]]
name = "six"
version = "1.16.0"
[[package]]
name = "numpy"
version = "1.0"
[[package]]
name = "numpy"
version = "2.0"
[[package]]
name = "mine"
version = "1"
[package.source]
type = "git"
url = "https://host/mine.git"
"""
    write(tmp_path, {"server.py": "", "pyproject.toml": POETRY, "poetry.lock": lock})
    assert resolve_requirements(project(tmp_path)).pins == Pins("poetry.lock", ("six==1.16.0",))
    write(tmp_path, {"pyproject.toml": PYPROJECT, "pdm.lock": lock})
    (tmp_path / "poetry.lock").unlink()
    assert resolve_requirements(project(tmp_path)).pins == Pins("pdm.lock", ("six==1.16.0",))


def test_a_change_to_a_local_package_changes_the_text(tmp_path: Path) -> None:
    write(tmp_path, {"server.py": "", "requirements.txt": "-e ./lib[x] ; python_version > '3'", "lib/setup.py": "one"})
    first = resolve_requirements(project(tmp_path)).text
    assert f"{tmp_path}/lib[x] ; python_version > '3'" in first
    write(tmp_path, {"lib/setup.py": "two"})
    assert resolve_requirements(project(tmp_path)).text != first


# Lists in lists, more than any parser reads.
DEEP = "[" * 10_000


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"server.py": "import os\n# /// script\n# dependencies = [\n# ///\n"},
            r"server.py, line \d: the `# /// script` block",
        ),
        ({"server.py": "# /// script\n# dependencies = 3\n# ///\n"}, "must be a list of strings"),
        ({"pyproject.toml": "[project]\nname = \n"}, "pyproject.toml, line 2"),
        ({"server.py": f"# /// script\n# dependencies = {DEEP}\n# ///\n"}, "server.py: .* too large to read"),
        ({"pyproject.toml": f"[project]\nname = {DEEP}\n"}, "pyproject.toml cannot be read"),
    ],
)
def test_malformed_metadata(files: dict[str, str], message: str, tmp_path: Path) -> None:
    write(tmp_path, {"server.py": "", **files})
    with pytest.raises(ConfigError, match=message):
        resolve_requirements(project(tmp_path))


@given(st.from_regex(PLAIN, fullmatch=True))
def test_what_is_read_without_the_library_is_a_requirement_to_it(text: str) -> None:
    Requirement(text)
