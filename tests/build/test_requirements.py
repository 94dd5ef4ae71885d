"""Where requirements come from, and what a requirements.txt may say."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from uv import find_uv_bin

from platform_cli.build.requirements import resolve_requirements
from platform_cli.config.project import Entrypoint, Project
from platform_cli.errors import ConfigError, LockError
from tests.build.test_imports import write

SERVER = "import httpx\nfrom fastmcp import FastMCP\n"
PYPROJECT = '[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.10"\ndependencies = ["six", "idna>=3"]\n'
OPTIONAL = PYPROJECT + '[project.optional-dependencies]\ndev = ["rich"]\n'
PYTHON_ONLY = "# /// script\n# requires-python = '>=3.12'\n# ///\nimport six"
INLINE = '# /// script\n# requires-python = ">=3.11"\n# dependencies = [\n#   "h11",\n# ]\n# ///\n' + SERVER


def project(folder: Path, server: str = "server.py", **changes: object) -> Project:
    values = {"folder": folder, "entrypoint": Entrypoint(server), "config_file": folder / "fastmcp.toml", **changes}
    return Project(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("files", "origin", "text", "python"),
    [
        ({"requirements.txt": "six\n", "pyproject.toml": PYPROJECT}, "pyproject.toml", "six\nidna>=3\n", ">=3.10"),
        ({"requirements.txt": "six\n", "pyproject.toml": "[tool.ruff]\n"}, "requirements.txt", "six\n", None),
        ({"requirements.txt": "# nothing\n", "server.py": INLINE}, "requirements.txt", "", None),
        ({"server.py": INLINE, "uv.lock": ""}, "the metadata in server.py", "h11\n", ">=3.11"),
        ({"server.py": SERVER}, "the imports of server.py", "fastmcp\nhttpx\n", None),
        ({"server.py": PYTHON_ONLY}, "the imports of server.py", "six\n", ">=3.12"),
        (
            {"pyproject.toml": PYPROJECT + '[[tool.uv.index]]\nurl = "https://a/simple"\ndefault = true\n'},
            "pyproject.toml",
            "--index-url https://a/simple\nsix\nidna>=3\n",
            ">=3.10",
        ),
    ],
)
def test_the_first_that_says_so_decides(
    files: dict[str, str], origin: str, text: str, python: str | None, tmp_path: Path
) -> None:
    write(tmp_path, {"server.py": SERVER, **files})
    found = resolve_requirements(project(tmp_path))
    assert (found.origin, found.text, found.requires_python, found.locked) == (origin, text, python, False)
    assert found.inferred == (tuple(text.split()) if "imports" in origin else ())


def test_the_nearest_folder_above_the_server(tmp_path: Path) -> None:
    write(tmp_path, {"app/src/server.py": SERVER, "app/requirements.txt": "six", "requirements.txt": "idna"})
    assert resolve_requirements(project(tmp_path, "app/src/server.py")).origin == "app/requirements.txt"


def test_what_the_configuration_says_comes_first(tmp_path: Path) -> None:
    write(tmp_path, {"server.py": INLINE, "requirements.txt": "six", "deploy/prod.txt": "idna==3.10  # pinned\n"})
    assert resolve_requirements(project(tmp_path, requirements="deploy/prod.txt")).text == "idna==3.10\n"
    found = resolve_requirements(project(tmp_path, dependencies=("h11>=0.14",), config_file=tmp_path / "fastmcp.json"))
    assert (found.text, found.origin) == ("h11>=0.14\n", "fastmcp.json")
    command = project(tmp_path / "empty", entrypoint=None, command=("npx", "x"))
    assert resolve_requirements(command).origin == "none"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent.txt", r"fastmcp.toml: requirements = 'absent.txt' does not exist"),
        ("../outside.txt", "outside the project folder"),
        ("uv.lock", "needs a pyproject.toml beside it"),
        ("tool/pyproject.toml", "static `dependencies` list"),
    ],
)
def test_a_named_file_that_cannot_be_used(name: str, message: str, tmp_path: Path) -> None:
    write(tmp_path, {"p/server.py": SERVER, "outside.txt": "six", "p/uv.lock": "", "p/tool/pyproject.toml": "[tool.x]"})
    with pytest.raises(ConfigError, match=message):
        resolve_requirements(project(tmp_path / "p", requirements=name))


def test_uv_lock_is_exported_with_its_hashes(tmp_path: Path) -> None:
    write(tmp_path, {"server.py": SERVER, "pyproject.toml": PYPROJECT})
    subprocess.run([find_uv_bin(), "lock", "--quiet", "--no-python-downloads"], cwd=tmp_path, check=True)
    found = resolve_requirements(project(tmp_path))
    assert found.locked
    assert (found.origin, found.requires_python) == ("uv.lock", ">=3.10")
    assert [line.partition("==")[0] for line in found.text.splitlines()] == ["idna", "six"]
    assert found.text.count("--hash=sha256:") >= 2
    (tmp_path / "uv.lock").write_text("version = 1\nbroken")
    with pytest.raises(LockError, match=r"uv\.lock cannot be read"):
        resolve_requirements(project(tmp_path))


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
        ("-e .", ["six", "idna>=3"]),
        (".[dev]", ["six", "idna>=3", "rich"]),
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
        ("-e ../sibling", "outside the project folder"),
        ("x @ file:///etc/passwd", "outside the project folder"),
        ("./absent-1.0.whl", "does not exist"),
        ("-r requirements.txt", "includes itself"),
        ("--pre", "--pre is not supported"),
        (".[nothing]", "no extra 'nothing'"),
    ],
)
def test_what_it_may_not_say(text: str, message: str, tmp_path: Path) -> None:
    write(tmp_path, {"p/server.py": "", "p/requirements.txt": text, "outside.txt": "six", "p/pyproject.toml": OPTIONAL})
    (tmp_path / "p/linked.txt").symlink_to(tmp_path / "outside.txt")
    with pytest.raises(ConfigError, match=message):
        resolve_requirements(project(tmp_path / "p", requirements="requirements.txt"))


def test_a_change_to_a_local_package_changes_the_text(tmp_path: Path) -> None:
    write(tmp_path, {"server.py": "", "requirements.txt": "-e ./lib[x] ; python_version > '3'", "lib/setup.py": "one"})
    first = resolve_requirements(project(tmp_path)).text
    assert f"{tmp_path}/lib[x] ; python_version > '3'" in first
    write(tmp_path, {"lib/setup.py": "two"})
    assert resolve_requirements(project(tmp_path)).text != first


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"server.py": "import os\n# /// script\n# dependencies = [\n# ///\n"},
            r"server.py, line \d: the `# /// script` block",
        ),
        ({"server.py": "# /// script\n# dependencies = 3\n# ///\n"}, "must be a list of strings"),
        ({"pyproject.toml": "[project]\nname = \n"}, "pyproject.toml, line 2"),
        ({"pyproject.toml": "[project]\ndependencies = ['a b']"}, "pyproject.toml: 'a b' is not a requirement"),
    ],
)
def test_malformed_metadata(files: dict[str, str], message: str, tmp_path: Path) -> None:
    write(tmp_path, {"server.py": "", **files})
    with pytest.raises(ConfigError, match=message):
        resolve_requirements(project(tmp_path))
