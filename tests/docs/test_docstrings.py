"""Docstrings of the code begin with a whole sentence, whose subject is the module, class or function: "Returns ..."."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.support import ROOT

# A verb in the third person; a noun in the plural passes, too.
VERB = re.compile(r"[A-Z][a-z]*s\b")
Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def test_docstrings_begin_with_a_verb_in_the_third_person_and_end_their_sentence() -> None:
    files = [*ROOT.glob("platform_cli/**/*.py"), *ROOT.glob("runtime/homeport_runtime/**/*.py")]
    assert files

    wrong = [f"{file.relative_to(ROOT)}: {first}" for file in files for first in first_paragraphs(file)
             if not VERB.match(first) or not first.endswith((".", ":"))]  # fmt: skip

    assert wrong == []


def first_paragraphs(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, Documented) and not is_command(node) and (text := ast.get_docstring(node)):
            yield text.partition("\n\n")[0].replace("\n", " ")


def is_command(node: Documented) -> bool:
    """A command's docstring is its help, which tells the person what to do."""
    decorators = [] if isinstance(node, ast.Module) else node.decorator_list
    names = [one.func for one in decorators if isinstance(one, ast.Call)]
    return any(isinstance(name, ast.Attribute) and name.attr in ("command", "group") for name in names)
