"""What can be known about a server file without running it."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from pathlib import Path

from platform_cli.errors import SourceError

_SERVER_CLASSES = ("FastMCP", "MCPServer", "Server")


def check_source(path: Path, shown: str, *, same_python: bool) -> None:
    """Refuses an empty file, a syntax error, and a server that would start to serve as soon as it is imported.

    `same_python` says that the server will run on the Python that runs us: only then is our grammar the right one.
    """
    try:
        source = path.read_bytes()
    except OSError as error:
        raise SourceError(f"{shown}: cannot be read: {error.strerror}", hint="Look at its permissions.") from None
    if not source.strip():
        raise SourceError(f"{shown} is empty", hint='A server starts with: mcp = FastMCP("name")')
    try:
        tree = _parse(source, shown)
    except SourceError:
        if same_python:
            raise
        return
    line = _line_of_run(tree)
    if line:
        text = source.splitlines()[line - 1].decode(errors="replace").strip()
        raise SourceError(
            f"{shown}:{line}: the server is run as soon as the file is imported\n    {text}",
            hint=f'Put it under a guard:\n    if __name__ == "__main__":\n        {text}',
        )


def _parse(source: bytes, shown: str) -> ast.Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # compile() finds what the grammar alone allows, such as `return` outside a function.
            compile(source, shown, "exec", dont_inherit=True)
            return ast.parse(source)
    except SyntaxError as error:
        raise _syntax_error(error, shown) from None
    except (ValueError, RecursionError, MemoryError) as error:  # NUL bytes before 3.12; absurd nesting
        raise SourceError(f"{shown}: is not Python source: {error}", hint="Is it the right file?") from None


def _syntax_error(error: SyntaxError, shown: str) -> SourceError:
    line, column = error.lineno or 1, max(error.offset or 1, 1)
    text = (error.text or "").rstrip("\n")
    code = text.lstrip()
    caret = " " * max(column - 1 - (len(text) - len(code)), 0) + "^"
    excerpt = f"\n    {code.rstrip()}\n    {caret}" if code else ""
    hint = f"Correct {shown}, line {line}."
    return SourceError(f"{shown}:{line}:{column}: {error.msg}{excerpt}", hint=hint)


def _line_of_run(tree: ast.Module) -> int | None:
    """The first line at which importing the module would call `run` on a server that it made."""
    statements = list(_unconditional(tree.body))
    classes = _class_names(tree)
    servers: set[str] = set()
    for statement in statements:
        if isinstance(statement, ast.Assign | ast.AnnAssign) and _makes_server(statement.value, classes):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            servers |= {target.id for target in targets if isinstance(target, ast.Name)}
    for statement in statements:
        for node in _evaluated(statement):
            if isinstance(node, ast.Call) and _runs(node.func, servers, classes):
                return node.lineno
    return None


def _unconditional(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The simple statements that every import executes. What stands under an `if` may never run: inspect finds out."""
    for statement in body:
        if isinstance(statement, ast.Try):
            yield from _unconditional([*statement.body, *statement.orelse, *statement.finalbody])
        elif isinstance(statement, ast.With):
            yield from _unconditional(statement.body)
        elif isinstance(statement, ast.Expr | ast.Assign | ast.AnnAssign):
            yield statement


def _evaluated(node: ast.AST) -> Iterator[ast.AST]:
    """The node and all below it but the bodies of lambdas; without recursion, since a long sum is a deep tree."""
    waiting = [node]
    while waiting:
        found = waiting.pop()
        if not isinstance(found, ast.Lambda):
            yield found
            waiting.extend(ast.iter_child_nodes(found))


def _class_names(tree: ast.Module) -> set[str]:
    """The server classes, and what `from ... import X as Y` calls them here."""
    imports = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
    aliases = (alias for node in imports for alias in node.names if alias.name in _SERVER_CLASSES)
    return {alias.asname for alias in aliases if alias.asname} | set(_SERVER_CLASSES)


def _makes_server(value: ast.expr | None, classes: set[str]) -> bool:
    if not isinstance(value, ast.Call):
        return False
    made = value.func
    return (isinstance(made, ast.Name) and made.id in classes) or (
        isinstance(made, ast.Attribute) and made.attr in _SERVER_CLASSES
    )


def _runs(called: ast.expr, servers: set[str], classes: set[str]) -> bool:
    """`mcp.run`, `mcp.run_async`, `mcp.run_stdio_async`, ..., also on a server without a name."""
    if not isinstance(called, ast.Attribute) or not (called.attr == "run" or called.attr.startswith("run_")):
        return False
    owner = called.value
    return (isinstance(owner, ast.Name) and owner.id in servers) or _makes_server(owner, classes)
