"""Tests that locks become folders of packages."""

from __future__ import annotations

import base64
import fcntl
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from platform_cli.errors import LayerError
from platform_cli.pipeline import layer as module
from platform_cli.pipeline import uv
from platform_cli.pipeline.interpreter import find_interpreter
from platform_cli.pipeline.layer import build_layer, compiled_here
from platform_cli.pipeline.lock import make_lock
from platform_cli.pipeline.model import Interpreter, Lock, Requirements
from platform_cli.pipeline.record import changed_files
from platform_cli.pipeline.uv import UvError, run_uv

INTERPRETER = find_interpreter(None, Path())


def lock(text: str) -> Lock:
    return Lock(text, "0" * 64, INTERPRETER.minor, INTERPRETER.platform)


def test_packages_are_installed_for_the_interpreter(tmp_path: Path) -> None:
    layer, cached = build_layer(lock("six==1.17.0\nidna==3.10\n"), INTERPRETER, tmp_path / "layers")
    assert not cached
    assert layer.path == tmp_path / "layers" / ("0" * 64)
    code = "import sys; sys.path.insert(0, sys.argv[1]); import idna, six; print(six.__version__, idna.__version__)"
    result = subprocess.run(
        [INTERPRETER.path, "-I", "-c", code, layer.path], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["1.17.0", "3.10"]
    assert [entry.name for entry in layer.path.parent.iterdir()] == [layer.hash]


def test_python_alone_is_built_for_another_machine_and_nothing_else(tmp_path: Path) -> None:
    there = Interpreter(INTERPRETER.path, INTERPRETER.version, "aarch64-manylinux_2_28", foreign=True)
    locked, _ = make_lock(Requirements("docopt==0.6.2\nmarkupsafe\n", "requirements.txt"), there, tmp_path)
    layer, _ = build_layer(locked, there, tmp_path / "layers")
    assert (layer.path / "docopt.py").exists()
    assert list(layer.path.glob("markupsafe/*aarch64*.so"))
    assert compiled_here(layer.path) == []
    # As a package is of which uv has no wheel, and which it has compiled.
    wheel = next(layer.path.glob("docopt-*/WHEEL"))
    wheel.write_text("Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp311-cp311-linux_x86_64\n")
    assert compiled_here(layer.path) == ["docopt"]


def test_a_finished_layer_needs_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = build_layer(lock("six==1.17.0\n"), INTERPRETER, tmp_path)
    monkeypatch.setattr(module, "run_uv", None)
    assert build_layer(lock("six==1.17.0\n"), INTERPRETER, tmp_path) == (first, True)


def test_an_index_is_asked_only_for_what_uv_does_not_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    ran: list[bool] = []

    def run(args: Sequence[str], **options: Any) -> str:
        ran.append("--offline" in args)
        return run_uv(args, **options)

    monkeypatch.setattr(module, "run_uv", run)
    monkeypatch.setattr(uv, "run_uv", run)
    build_layer(lock("six==1.17.0\n"), INTERPRETER, tmp_path / "first")
    build_layer(lock("six==1.17.0\n"), INTERPRETER, tmp_path / "second")
    assert ran == [True, False, True]


def test_builders_of_one_layer_do_not_meet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    together = threading.Barrier(3)
    install = module._install

    def at_once(*args: object) -> None:
        install(*args)  # type: ignore[arg-type]
        together.wait(60)

    monkeypatch.setattr(module, "_install", at_once)
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(lambda _: build_layer(lock("six==1.17.0\n"), INTERPRETER, tmp_path), range(3)))
    assert len({layer.path for layer, _ in results}) == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["0" * 64]
    assert (results[0][0].path / "six.py").is_file()


def test_what_a_killed_builder_left_is_removed_and_a_living_one_is_not(tmp_path: Path) -> None:
    left, busy, new = (tmp_path / f".{'0' * 64}.{name}" for name in ("left", "busy", "new"))
    for folder in (left, busy, new):
        folder.mkdir()
    for folder in (left, busy):
        os.utime(folder, (time.time() - 3600,) * 2)
    descriptor = os.open(busy, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    build_layer(lock("six==1.17.0\n"), INTERPRETER, tmp_path)
    os.close(descriptor)
    assert {entry.name for entry in tmp_path.iterdir()} == {busy.name, new.name, "0" * 64}


def test_a_package_that_cannot_be_built_is_named(tmp_path: Path) -> None:
    package = tmp_path / "brokenpkg"
    package.mkdir()
    (package / "setup.py").write_text("raise RuntimeError('needs a compiler')")
    with pytest.raises(LayerError, match=r"brokenpkg.*needs a compiler") as caught:
        build_layer(lock(f"brokenpkg @ {package.as_uri()}\n"), INTERPRETER, tmp_path / "layers")
    assert "wheel" in (caught.value.hint or "")
    assert list((tmp_path / "layers").iterdir()) == []


def test_no_wheel_for_the_platform(tmp_path: Path) -> None:
    wheel = "pywin32==310" if sys.platform != "win32" else "uvloop"
    with pytest.raises(LayerError, match=rf"Python {INTERPRETER.minor} on .*{wheel} has no wheels"):
        build_layer(lock(f"{wheel}\n"), INTERPRETER, tmp_path)


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (UvError("error: Failed\n  cause: No space left on device (os error 28)"), LayerError),
        (OSError(28, "No space left on device"), LayerError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
)
def test_nothing_stays_behind(
    failure: BaseException, expected: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, cwd: Path, **__: object) -> str:
        (cwd / "half.py").write_text("half")
        raise failure

    monkeypatch.setattr(module, "run_uv", fail)
    with pytest.raises(expected) as caught:
        build_layer(lock("six==1.17.0\n"), INTERPRETER, tmp_path)
    assert list(tmp_path.iterdir()) == []
    if isinstance(caught.value, LayerError):
        assert "disk is full" in caught.value.message


def test_one_file_of_two_packages_may_be_either_s(tmp_path: Path) -> None:
    of_one, of_other = (
        base64.urlsafe_b64encode(sha256(text).digest()).rstrip(b"=").decode() for text in (b"one", b"other")
    )
    for package, expected in (("one", of_one), ("other", of_other)):
        record = tmp_path / f"{package}-1.dist-info" / "RECORD"
        record.parent.mkdir()
        record.write_text(f"tests/__init__.py,sha256={expected},3\n")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "__init__.py").write_bytes(b"other")
    assert changed_files(tmp_path) == {}
    (tmp_path / "tests" / "__init__.py").write_bytes(b"another")
    assert changed_files(tmp_path) == {"one": ["tests/__init__.py"], "other": ["tests/__init__.py"]}
