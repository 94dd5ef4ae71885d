"""Finds background work that a server starts, and that ends when an idle worker is stopped."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from ..config.project import Project
from ..pipeline.code import Code, functions
from ..project_files.syntax import called, dotted
from .model import Finding

_SCHEDULERS = frozenset(
    {"BackgroundScheduler", "AsyncIOScheduler", "BlockingScheduler", "AsyncScheduler", "ThreadPoolScheduler"}
)
_THREADS = frozenset({"Thread", "Timer", "threading.Thread", "threading.Timer"})
_TASKS = frozenset({"create_task", "ensure_future", "start_soon"})
_WORDS = (b"Thread", b"Timer", b"Scheduler", *(name.encode() for name in _TASKS))
# Names of functions that usually run once, when a server starts.
_STARTS = ("lifespan", "startup", "start", "main", "init", "setup", "run")


def find_background(project: Project, code: Iterable[Code]) -> Iterator[Finding]:
    """Yields the first thread, scheduler or endless task that starts with the server, if idle workers are stopped."""
    if project.scaling.min:
        return
    place = next((place for each in code for place in _places(each)), None)
    if place is not None:
        yield Finding(
            "background",
            f"{place} starts work that ends with a worker which is idle for {project.scaling.idle_s:g} s",
            "min = 1 under [scaling] in fastmcp.toml keeps it running",
        )


def _places(code: Code) -> Iterator[str]:
    if not code.mentions(*_WORDS):
        return
    endless = {function.name for function in functions(code.tree) if _is_endless(function)}
    for call in _at_start(code.tree.body):
        is_task = called(call) in _TASKS and any(_name_of(argument) in endless for argument in call.args[:1])
        if is_task or called(call) in _SCHEDULERS or dotted(call.func) in _THREADS:
            yield code.place(call)


def _name_of(task: ast.expr) -> str:
    """Returns `poll` for both `poll` and `poll()`, whether it is a function or a method."""
    return dotted(task.func if isinstance(task, ast.Call) else task).rpartition(".")[2]


def _at_start(body: Iterable[ast.stmt]) -> Iterator[ast.Call]:
    """Yields the calls that are made when the server starts: those of the module, and of functions whose
    names say so.
    """
    for statement in body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            if _runs_at_start(statement):
                yield from (node for node in ast.walk(statement) if isinstance(node, ast.Call))
        elif isinstance(statement, ast.ClassDef):
            yield from _at_start(statement.body)
        else:
            yield from (node for node in ast.walk(statement) if isinstance(node, ast.Call))


def _runs_at_start(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    decorated = [dotted(node.func if isinstance(node, ast.Call) else node) for node in function.decorator_list]
    if any(name.endswith(("contextmanager", "on_event")) for name in decorated):
        return True
    return not decorated and any(word in function.name.lower() for word in _STARTS)


def _is_endless(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(
        isinstance(node, ast.While) and isinstance(node.test, ast.Constant) and bool(node.test.value)
        for node in ast.walk(function)
    )
