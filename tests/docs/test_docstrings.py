"""Checks that docstrings begin with a whole sentence, whose subject is the module, class or function: "Returns ..."."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.support import ROOT

# A verb in the third person; a noun in the plural passes, too.
VERB = re.compile(r"[A-Z][a-z]*s\b")
Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
FOLDERS = ("platform_cli", "runtime/homeport_runtime", "tests", "tools")
# What stands for the users' own code.
NOT_OURS = ("tests/servers/", "tests/runtime/programs/")


def test_docstrings_begin_with_a_verb_in_the_third_person_and_end_their_sentence() -> None:
    files = [file.relative_to(ROOT) for folder in FOLDERS for file in ROOT.glob(f"{folder}/**/*.py")]
    ours = [file for file in files if not str(file).startswith(NOT_OURS)]
    assert len(ours) > 600

    wrong = [f"{file}: {first}" for file in ours for first in first_paragraphs(ROOT / file)
             if not VERB.match(first) or not first.endswith((".", ":"))]  # fmt: skip

    assert wrong == []


def first_paragraphs(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, Documented) and not is_exempt(node) and (text := ast.get_docstring(node)):
            yield text.partition("\n\n")[0].replace("\n", " ")


def is_exempt(node: Documented) -> bool:
    """Tells whether it is a command, whose docstring is its help, which tells the person what to do, or a test, whose
    name says what holds.
    """
    if isinstance(node, ast.Module):
        return False
    names = [one.func for one in node.decorator_list if isinstance(one, ast.Call)]
    is_command = any(isinstance(name, ast.Attribute) and name.attr in ("command", "group") for name in names)
    return is_command or node.name.startswith("test_")
