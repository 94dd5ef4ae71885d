"""Tests that a package of an index gets the generation of the SDKs that its code is for, and is installed once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from zipfile import ZipFile

import pytest

from platform_cli.config.sources import read_package_source
from platform_cli.home import Home
from platform_cli.pipeline.build import Installed, install
from platform_cli.pipeline.stages import Stages

OLD_CODE = "from mcp.server.fastmcp import FastMCP\n\n\ndef main() -> None: ...\n"
SCRIPT = "[console_scripts]\ntiny = tiny.server:main\n"


def wheel(index: Path, name: str, version: str, files: Mapping[str, str], *needs: str, scripts: str = "") -> None:
    """Writes a wheel into the folder `index`."""
    info = f"{name}-{version}.dist-info"
    required = "".join(f"Requires-Dist: {need}\n" for need in needs)
    with ZipFile(index / f"{name}-{version}-py3-none-any.whl", "w") as written:
        for path, text in files.items():
            written.writestr(path, text)
        written.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{required}")
        written.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        written.writestr(f"{info}/entry_points.txt", scripts)
        written.writestr(f"{info}/RECORD", "".join(f"{path},,\n" for path in files))


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Makes an index that has two generations of an SDK."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name, version in {"mcp": "1.9", "uvicorn": "0.40"}.items():
        wheel(folder, name, version, {})
    wheel(folder, "mcp", "2.1", {})
    config = tmp_path / "uv.toml"
    config.write_text(f'no-index = true\nfind-links = ["{folder}"]\n')
    monkeypatch.setenv("UV_CONFIG_FILE", str(config))
    return folder


def installed(home: Path, package: str) -> Installed:
    project = read_package_source(f"pypi:{package}", (), Home(home))
    return install(project, Home(home), Stages(lambda _: None, lambda _: None), lambda _: None)


def layers_with_sdk(home: Path) -> list[str]:
    return sorted(path.name for path in (home / "layers").glob("*/mcp-*.dist-info"))


def test_only_the_generation_that_the_code_is_for_is_installed(index: Path, tmp_path: Path) -> None:
    wheel(index, "tiny", "1", {"tiny/server.py": OLD_CODE}, "mcp", scripts=SCRIPT)
    home = tmp_path / "home"
    first = installed(home, "tiny")
    assert (first.layer.path / "mcp-1.9.dist-info").exists()
    assert (first.layer.path / "tiny" / "server.py").exists()
    assert layers_with_sdk(home) == ["mcp-1.9.dist-info"]
    assert installed(home, "tiny").layer == first.layer


def test_code_for_the_newest_generation_gets_it(index: Path, tmp_path: Path) -> None:
    wheel(index, "tiny", "1", {"tiny/server.py": "def main() -> None: ...\n"}, "mcp", scripts=SCRIPT)
    assert (installed(tmp_path / "home", "tiny").layer.path / "mcp-2.1.dist-info").exists()


def test_the_code_may_be_in_a_package_that_the_named_one_needs(index: Path, tmp_path: Path) -> None:
    wheel(index, "renamed", "1", {}, "tiny", scripts=SCRIPT.replace("tiny =", "renamed ="))
    wheel(index, "tiny", "1", {"tiny/server.py": OLD_CODE}, "mcp")
    assert (installed(tmp_path / "home", "renamed").layer.path / "mcp-1.9.dist-info").exists()


def test_the_script_may_be_of_a_package_that_the_named_one_needs(index: Path, tmp_path: Path) -> None:
    wheel(index, "forwarding", "1", {}, "tiny")
    wheel(index, "tiny", "1", {"tiny/server.py": OLD_CODE}, "mcp", scripts=SCRIPT)
    home = tmp_path / "home"
    assert (installed(home, "forwarding:tiny").layer.path / "mcp-1.9.dist-info").exists()
