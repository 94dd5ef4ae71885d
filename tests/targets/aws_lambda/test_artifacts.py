"""Tests the zips: the same from every build, for the processor that was asked for, and never more than Lambda takes."""

from __future__ import annotations

import shutil
import sys
import sysconfig
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from platform_cli.config.load import load_project
from platform_cli.errors import BuildError, LayerError
from platform_cli.home import Home
from platform_cli.pipeline.stages import Stages
from platform_cli.targets.aws_lambda import artifacts
from platform_cli.targets.aws_lambda.build import build_candidate
from platform_cli.targets.aws_lambda.desired import DesiredState
from tests.aws.sandbox import machine
from tests.support import SERVERS, with_config

# https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html, e_machine
MACHINES = {"arm64": 183, "x86_64": 62}
ON_ARM = '[deployment.lambda]\narchitecture = "arm64"\n'


def desired(folder: Path, home: Path, note: Callable[[str], None] = lambda _text: None) -> DesiredState:
    home.mkdir(mode=0o700, exist_ok=True)

    def no_aws() -> None:
        raise AssertionError("nothing of this is on AWS")

    stages = Stages(lambda _name: None, lambda _stage: None)
    return build_candidate(load_project(str(folder)), no_aws, Home(home), stages, note).desired  # type: ignore[arg-type]


def machines(archive: Path) -> Iterator[int]:
    """Returns what the compiled modules in it run on."""
    with zipfile.ZipFile(archive) as zipped:
        for name in zipped.namelist():
            if name.endswith(".so"):
                yield int.from_bytes(zipped.read(name)[18:20], "little")


@pytest.mark.whole
def test_two_builds_are_the_same_bytes_and_run_on_the_processor_that_was_chosen(tmp_path: Path) -> None:
    folder = with_config(SERVERS / "mcp2_lowlevel", ON_ARM, tmp_path)
    one, other = desired(folder, tmp_path / "one"), desired(folder, tmp_path / "other")
    for archive, again in (
        (one.artifacts.function, other.artifacts.function),
        (one.artifacts.packages, other.artifacts.packages),
        (one.artifacts.runtime, other.artifacts.runtime),
    ):
        assert archive.path.read_bytes() == again.path.read_bytes()
    assert set(machines(one.artifacts.packages.path)) == {MACHINES["arm64"]}
    (folder / "helper.py").write_text("")
    (folder / "server.py").write_text(f"import colorsys\nimport helper\n{(folder / 'server.py').read_text()}")
    more = desired(folder, tmp_path / "one").artifacts
    assert more.function.path != one.artifacts.function.path
    assert more.packages.path == one.artifacts.packages.path, "neither is of a package"
    (folder / "fastmcp.toml").write_text(ON_ARM.replace("arm64", "x86_64"))
    assert set(machines(desired(folder, tmp_path / "one").artifacts.packages.path)) == {MACHINES["x86_64"]}

    started = replace(one, settings=replace(one.settings, snap_start=True))
    assert one.configuration("", [], {})["SnapStart"] == {"ApplyOn": "None"}
    assert started.configuration("", [], {})["SnapStart"] == {"ApplyOn": "PublishedVersions"}
    assert started.identity != one.identity


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux runs what Lambda runs")
@pytest.mark.whole
def test_a_machine_like_lambda_loads_the_server_with_what_is_uploaded(tmp_path: Path) -> None:
    """It takes one layer, whose bytecode stays for the next inspection. For another processor it takes a layer of its
    own.
    """
    like_this = f'[deployment.lambda]\narchitecture = "{machine()}"\n'
    folder = with_config(SERVERS / "mcp2_lowlevel", like_this, tmp_path)
    made = desired(folder, tmp_path / "home").artifacts
    [layer] = (tmp_path / "home" / "layers").iterdir()
    assert list(layer.glob("mcp/server/__pycache__/__init__.*.pyc"))
    with zipfile.ZipFile(made.packages.path) as zipped:
        assert not [name for name in zipped.namelist() if name.endswith(".pyc")]
    other = "arm64" if machine() == "x86_64" else "x86_64"
    (folder / "fastmcp.toml").write_text(like_this.replace(machine(), other))
    desired(folder, tmp_path / "home")
    assert len(list((tmp_path / "home" / "layers").iterdir())) == 3


def test_a_package_that_was_changed_after_it_was_installed_is_not_uploaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a file of a layer is the same as one of an environment that somebody edits."""
    folder = with_config(SERVERS / "mcp2_lowlevel", ON_ARM, tmp_path)
    notes: list[str] = []
    monkeypatch.setattr(artifacts, "ENDED", {sysconfig.get_python_version(): "October 2026"})
    desired(folder, tmp_path / "home", notes.append)
    assert any("no fixes since October 2026" in note for note in notes), "whose Python's time is over is told"
    shutil.rmtree(tmp_path / "home" / "cache" / "lambda")
    for file in (tmp_path / "home" / "layers").glob("*/anyio/abc/_tasks.py"):
        content = file.read_text()
        # uv's cache may have the same file.
        file.unlink()
        file.write_text(f"{content}# mine\n")
    with pytest.raises(LayerError, match=r"anyio are not what was locked: anyio/abc/_tasks\.py$") as caught:
        desired(folder, tmp_path / "home")
    assert "uv cache clean" in (caught.value.hint or "")


@pytest.mark.whole
def test_function_and_layers_together_are_never_more_than_lambda_takes(tmp_path: Path) -> None:
    folder = with_config(SERVERS / "mcp2_lowlevel", "", tmp_path)
    with (folder / "model.bin").open("wb") as file:
        file.truncate(240 * 1024 * 1024)
    with pytest.raises(BuildError) as caught:
        desired(folder, tmp_path / "home")
    assert "Lambda takes 262; the largest packages: " in caught.value.message
    assert caught.value.message.count(" MB)") == 10
