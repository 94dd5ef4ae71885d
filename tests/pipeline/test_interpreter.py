"""Tests how the Python that was asked for is found."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from platform_cli.errors import InputError
from platform_cli.pipeline import pythons
from platform_cli.pipeline.interpreter import find_interpreter
from platform_cli.pipeline.uv import UvError

MINOR = ".".join(platform.python_version_tuple()[:2])


@pytest.mark.parametrize("request_", [None, MINOR, platform.python_version(), f">={MINOR}", "3", f"~={MINOR}.0"])
def test_the_running_python_needs_no_process(
    request_: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess, "Popen", None)
    found = find_interpreter(request_, tmp_path)
    assert found.version == platform.python_version()
    assert found.minor == MINOR
    assert found.path == Path(sys._base_executable).resolve()  # type: ignore[attr-defined]
    assert found.platform.split("-")[0] in ("linux", "macos")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("request_", "word"), [("3.9", "older"), ("2", "older"), ("three", "neither"), ("3.x", "neither")]
)
def test_senseless_requests(request_: str, word: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=word):
        find_interpreter(request_, tmp_path)


def test_an_absent_python_lists_those_present(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        find_interpreter("3.77", tmp_path)
    assert "python_version 3.77 is not on this machine" in caught.value.message
    assert platform.python_version() in caught.value.message
    assert "uv python install 3.77" in (caught.value.hint or "")


@pytest.fixture
def pyenv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Makes a pyenv with a Python 3.66.1 that uv does not find, as behind shims that refuse to run."""
    python = tmp_path / "pyenv/versions/3.66.1/bin/python3"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\necho \'["{python}", "3.66.1", "macosx-11.0-universal2", "arm64"]\'\n')
    python.chmod(0o755)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    return python


def test_pyenv_is_searched_and_what_was_found_is_remembered(
    pyenv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    found = find_interpreter("3.66", cache)
    assert (found.path, found.version, found.platform) == (pyenv, "3.66.1", "macos-arm64")

    def refuse(*_: object, **__: object) -> str:
        raise UvError("error: no process is needed for what is remembered")

    monkeypatch.setattr(pythons, "run_uv", refuse)
    monkeypatch.setattr(pythons, "_probe", lambda _: None)
    assert find_interpreter("3.66", cache) == found
    os.utime(pyenv, (1, 1))
    with pytest.raises(InputError, match="not on this machine"):
        find_interpreter("3.66", cache)


def test_a_damaged_cache_is_searched_again(pyenv: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = find_interpreter(">=3.60", cache)
    for file in (cache / "interpreters").iterdir():
        file.write_text("{")
    assert find_interpreter(">=3.60", cache) == first
