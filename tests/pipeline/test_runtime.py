"""Tests the runtime's copies."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from platform_cli.pipeline.runtime import store_runtime


def test_a_copy_runs_by_itself(tmp_path: Path) -> None:
    name = store_runtime(tmp_path)
    assert store_runtime(tmp_path) == name
    assert [path.name for path in tmp_path.iterdir()] == [name]
    code = "import sys; sys.path.append(sys.argv[1]); import homeport_runtime as r; print(r.__file__)"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, tmp_path / name], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(str(tmp_path / name))


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(OSError, match="No space"):
        store_runtime(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_another_builder_may_be_faster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = shutil.copyfile
    elsewhere = store_runtime(tmp_path / "elsewhere")

    def slow(source: Path, target: Path) -> None:
        copy(source, target)
        if not (tmp_path / "runtimes" / elsewhere).exists():
            shutil.copytree(tmp_path / "elsewhere" / elsewhere, tmp_path / "runtimes" / elsewhere, copy_function=copy)

    monkeypatch.setattr(shutil, "copyfile", slow)
    assert store_runtime(tmp_path / "runtimes") == elsewhere
    assert [path.name for path in (tmp_path / "runtimes").iterdir()] == [elsewhere]
