"""Tests that requirements become exact versions, once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from platform_cli.errors import LockError
from platform_cli.pipeline import resolve as module
from platform_cli.pipeline.interpreter import find_interpreter
from platform_cli.pipeline.lock import make_lock
from platform_cli.pipeline.model import Interpreter, Requirements
from platform_cli.pipeline.uv import UvError

INTERPRETER = find_interpreter(None, Path())


def names(text: str) -> set[str]:
    return {line.partition("==")[0] for line in text.splitlines() if "==" in line}


def test_a_lock_has_exact_versions_and_hashes_and_what_the_runtime_needs(tmp_path: Path) -> None:
    requirements = Requirements("six>=1.16\n", "requirements.txt")
    lock, cached = make_lock(requirements, INTERPRETER, tmp_path)
    assert not cached
    assert names(lock.text) == {"six", "uvicorn", "click", "h11"}
    assert lock.text.count("--hash=sha256:") >= 4
    assert (lock.python, lock.platform) == (INTERPRETER.minor, INTERPRETER.platform)


def test_an_unchanged_lock_needs_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    requirements = Requirements("six\n", "requirements.txt")
    first, _ = make_lock(requirements, INTERPRETER, tmp_path)
    monkeypatch.setattr(module, "resolve_with_uv", None)
    assert make_lock(replace(requirements, origin="elsewhere"), INTERPRETER, tmp_path) == (first, True)


def test_another_python_is_another_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "resolve_with_uv", lambda *_, **__: "six==1.17.0\n")
    interpreters = [
        INTERPRETER,
        Interpreter(INTERPRETER.path, "3.66.1", INTERPRETER.platform),
        Interpreter(INTERPRETER.path, "3.66.1", "macos-arm64"),
    ]
    locks = [make_lock(Requirements("six\n", ""), interpreter, tmp_path) for interpreter in interpreters]
    assert not any(cached for _, cached in locks)
    assert len({lock.hash for lock, _ in locks}) == 3


def test_constraints_limit_and_do_not_install(tmp_path: Path) -> None:
    text = "# constraint: six<1.17\n# constraint: rich<1\nsix\n"
    lock, _ = make_lock(Requirements(text, "requirements.txt"), INTERPRETER, tmp_path)
    assert "six==1.16.0" in lock.text
    assert "rich" not in lock.text


def test_index_lines_and_local_content_stay_with_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "resolve_with_uv", lambda *_, **__: "six==1.17.0\n")
    text = "--extra-index-url https://a/simple\n# content: lib sha256:{}\n"
    one, two = (make_lock(Requirements(text.format(n), ""), INTERPRETER, tmp_path)[0] for n in (1, 2))
    assert one.text == "--extra-index-url https://a/simple\n# content: lib sha256:1\nsix==1.17.0\n"
    assert one.hash != two.hash


@pytest.mark.parametrize(
    ("requirements", "message", "hint"),
    [
        (
            Requirements("homeport-no-such-package-at-all\n", "requirements.txt"),
            "not found in the package registry",
            "spelled",
        ),
        (
            Requirements("homeport-no-such-package-at-all\n", "the imports", ("x",)),
            "not found",
            "write a requirements.txt",
        ),
        (
            Requirements("six==1.15\nsix>=1.16\n", "requirements.txt"),
            "you require six==1.15 and six>=1.16",
            "fit together",
        ),
        (Requirements("--index-url https://me:hunter2@localhost:9/simple\nsix\n", "x"), "cannot be reached", "network"),
    ],
)
def test_no_lock(
    requirements: Requirements, message: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with pytest.raises(LockError, match=message) as caught:
        make_lock(requirements, INTERPRETER, tmp_path)
    assert hint in (caught.value.hint or "")
    assert "hunter2" not in caught.value.message
    assert list(tmp_path.rglob("*.json")) == []


def test_a_lock_that_is_none_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable(*_: object, **__: object) -> str:
        raise UvError("error: Failed to parse `uv.lock`\n  cause: TOML parse error at line 3, column 17")

    monkeypatch.setattr(module, "resolve_with_uv", unreadable)
    with pytest.raises(LockError, match="line 3") as caught:
        make_lock(Requirements("six\n", "uv.lock"), INTERPRETER, tmp_path)
    assert "`uv lock`" in (caught.value.hint or "")


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> str:
        raise UvError("error: Failed to write\n  cause: No space left on device (os error 28)")

    monkeypatch.setattr(module, "resolve_with_uv", full)
    with pytest.raises(LockError, match="disk is full"):
        make_lock(Requirements("six\n", ""), INTERPRETER, tmp_path)
