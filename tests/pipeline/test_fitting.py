"""Tests that requirements which want another Python get one of this machine's."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

import pytest

from platform_cli.errors import InputError, InspectError
from platform_cli.pipeline import resolve as module
from platform_cli.pipeline.fitting import fitting_lock, newer_for_syntax, remember_python
from platform_cli.pipeline.interpreter import find_interpreter
from platform_cli.pipeline.lock import OtherPythonError, make_lock
from platform_cli.pipeline.model import Interpreter, Layer, Lock, Requirements, Resolved
from platform_cli.pipeline.uv import UvError, resolve_with_uv

OWN = find_interpreter(None, Path())
OTHER = Interpreter(OWN.path, "4.1.7", OWN.platform)
METADATA = "Metadata-Version: 2.1\nName: newer\nVersion: 1\nRequires-Python: <5,>=4\n"


@pytest.fixture
def newer(tmp_path: Path) -> Requirements:
    """Makes a package that no Python of today can run, in a folder that is its index."""
    with ZipFile(tmp_path / "newer-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("newer-1.dist-info/METADATA", METADATA)
        wheel.writestr("newer-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("newer-1.dist-info/RECORD", "")
    return Requirements(f"--no-index\n--find-links {tmp_path}\nnewer\n", "pypi:newer")


def test_what_a_package_wants_is_read_from_uv(newer: Requirements, tmp_path: Path) -> None:
    with pytest.raises(OtherPythonError, match="pypi:newer cannot be resolved") as caught:
        make_lock(newer, OWN, tmp_path)
    assert caught.value.python == ">=4,<5"
    assert "python_version" in str(caught.value.hint)


def test_another_python_serves_and_is_remembered(
    newer: Requirements, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    notes: list[str] = []
    monkeypatch.setattr(
        module, "resolve_with_uv", lambda args, **more: "newer==1\n" if asked else resolve_with_uv(args, **more)
    )

    def find(python: str) -> Interpreter:
        asked.append(python)
        return OTHER

    def locked() -> tuple[Interpreter, Lock, bool]:
        return fitting_lock(newer, OWN, find, tmp_path, notes.append)

    interpreter, lock, cached = locked()
    assert (interpreter, lock.python, cached) == (OTHER, "4.1", False)
    assert notes == ["Python 4.1.7 serves, since pypi:newer wants >=4,<5"]
    monkeypatch.setattr(module, "resolve_with_uv", None)
    assert locked() == (OTHER, lock, True)
    assert asked == [">=4,<5"] * 2


def test_what_a_second_package_wants_is_heard_too(
    newer: Requirements, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newest = Interpreter(OWN.path, "4.2.1", OWN.platform)

    def resolve(requirements: Requirements, interpreter: Interpreter, *_: object) -> Resolved:
        if interpreter == newest:
            return Resolved("newer==1\n", {}, ())
        wanted = ">=4.2" if interpreter == OTHER else ">=4,<5"
        raise UvError(f"the current Python version ({interpreter.version}) does not satisfy Python{wanted}")

    def find(python: str) -> Interpreter:
        return {">=4,<5": OTHER, ">=4,<5,>=4.2": newest}[python]

    monkeypatch.setattr(module, "resolve", resolve)
    interpreter, lock, _ = fitting_lock(newer, OWN, find, tmp_path, print)
    assert (interpreter, lock.python) == (newest, "4.2")


def test_a_python_that_did_not_fit_is_not_tried_again(newer: Requirements, tmp_path: Path) -> None:
    with pytest.raises(OtherPythonError, match="pypi:newer cannot be resolved"):
        fitting_lock(newer, OWN, lambda _: OWN, tmp_path, print)


def test_where_there_is_no_other_python_it_is_asked_again(newer: Requirements, tmp_path: Path) -> None:
    def find(python: str) -> Interpreter:
        raise InputError(f"no {python}")

    for _ in range(2):
        with pytest.raises(InputError, match="no >=4,<5"):
            fitting_lock(newer, OWN, find, tmp_path, print)
    assert not list(tmp_path.glob("locks/*"))


@pytest.mark.parametrize(
    ("code", "layer", "expected"),
    [("x = 1", "ab", ">=4.2"), ("x = = 1", "ab", None), ("x = 1", "cd", None)],
    ids=["newer parses it", "none parses it", "not in the layer"],
)
def test_what_only_a_newer_python_can_parse(tmp_path: Path, code: str, layer: str, expected: str | None) -> None:
    module_file = tmp_path / "ab" / "server.py"
    module_file.parent.mkdir()
    module_file.write_text(code)
    error = InspectError(f'x raised SyntaxError: no before it served\n  File "{module_file}", line 1\nSyntaxError: no')
    asked: list[str] = []

    def find(python: str) -> Interpreter:
        asked.append(python)
        return OWN

    assert newer_for_syntax(error, Layer(tmp_path / layer, layer), tmp_path / "project", OTHER, find) == expected
    assert newer_for_syntax(InspectError("x raised KeyError"), Layer(tmp_path, "ab"), tmp_path, OTHER, find) is None
    assert asked in ([], [">=4.2"])


def test_a_module_of_the_project_may_want_a_newer_python_too(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("x = 1")

    def wanted(file: str) -> str | None:
        error = InspectError(f'x raised SyntaxError\n  File "{file}", line 1\n    x\nSyntaxError: no')
        return newer_for_syntax(error, Layer(tmp_path / "ab", "ab"), tmp_path, OTHER, lambda _: OWN)

    assert wanted("/home/tmp/inspect-1/files/own.py") == ">=4.2"
    assert wanted("own.py") == ">=4.2"
    assert wanted("/home/tmp/inspect-1/files/other.py") is None
    assert wanted(__file__) is None


def test_what_is_remembered_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "resolve_with_uv", lambda *_args, **_more: "newer==1\n")
    requirements = Requirements("newer\n", "pypi:newer")
    remember_python(">=4", requirements, OWN, tmp_path)
    notes: list[str] = []
    assert fitting_lock(requirements, OWN, lambda _python: OTHER, tmp_path, notes.append)[0] == OTHER
    assert notes == ["Python 4.1.7 serves, since pypi:newer wants >=4"]
