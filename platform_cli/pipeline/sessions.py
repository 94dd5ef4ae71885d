"""Decides whether a server needs sessions, so that a client's requests reach the worker that keeps its state."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from ..config.project import Project
from ..project_files.syntax import dotted, keyword, last_name
from .code import Code

# Methods of an SDK's context that send the client a request of the server's.
_CONTEXT = frozenset({"elicit", "elicit_url", "sample", "sample_step", "list_roots"})
# Methods that keep state for the session from fastmcp 3 on, where they are awaited; in fastmcp 2 it lasts for one
# request.
_STATE = frozenset({"set_state", "get_state", "delete_state"})
# Methods of a session that send the client a request, beside those called send_*.
_SESSION = frozenset({"create_message", "elicit", "elicit_form", "elicit_url", "list_roots"})
# Methods that belong to a request under way, and need no session.
_OF_REQUEST = frozenset({"send_progress_notification"})
_WORDS = tuple(name.encode() for name in (*_CONTEXT, *_STATE, *_SESSION, "send_", "subscribe_resource"))
_CONTEXTS = ("ctx", "context", "get_context")


@dataclass(frozen=True, slots=True)
class Sessions:
    """Says whether a project has sessions.

    `reason` is what in the code decided it, None if the code did not.
    """

    on: bool
    reason: str | None = None


def decide_sessions(project: Project, code: Iterable[Code]) -> Sessions:
    """Returns what the project says, else what its server chose itself, else whether its code needs sessions."""
    if project.sessions is not None:
        return Sessions(project.sessions)
    code = tuple(code)
    use = next((use for each in code for use in _uses(each)), None)
    if use is None or _is_stateless(project, code):
        return Sessions(on=False)
    return Sessions(on=True, reason=use)


def with_sessions(project: Project, code: Iterable[Code], note: Callable[[str], None]) -> Project:
    """Returns the project with sessions on or off; `note` gets the reason when its code turns them on."""
    decided = decide_sessions(project, code)
    if decided.reason:
        note(f"sessions: on, {decided.reason}; sessions = false under [deployment] in fastmcp.toml turns them off")
    return replace(project, sessions=decided.on)


def _is_stateless(project: Project, code: Iterable[Code]) -> bool:
    chosen = project.environment.get("FASTMCP_STATELESS_HTTP", "").lower() in ("1", "true", "on", "yes")
    return chosen or any(
        _chooses_stateless(node) for each in code if each.mentions(b"stateless_http") for node in ast.walk(each.tree)
    )


def _chooses_stateless(node: ast.AST) -> bool:
    """Tells whether a node is `stateless_http=True` of a constructor or of run(), or `mcp.settings.stateless_http =
    True`.
    """
    if isinstance(node, ast.Call):
        return _is_true(keyword(node, "stateless_http"))
    return (
        isinstance(node, ast.Assign)
        and _is_true(node.value)
        and any(dotted(target).endswith(".stateless_http") for target in node.targets)
    )


def _is_true(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def _uses(code: Code) -> Iterator[str]:
    """Yields each use that needs a session, as `server.py:12 uses ctx.elicit`."""
    if not code.mentions(*_WORDS):
        return
    awaited = {id(node.value) for node in ast.walk(code.tree) if isinstance(node, ast.Await)}
    contexts = {*_CONTEXTS, *_annotated(code.tree)}
    for node in ast.walk(code.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner, name = _owner(node.func.value), node.func.attr
            is_context = owner in contexts and (name in _CONTEXT or (name in _STATE and id(node) in awaited))
            is_session = owner == "session" and (
                name in _SESSION or (name.startswith("send_") and name not in _OF_REQUEST)
            )
            if is_context or is_session:
                yield f"{code.place(node)} uses {owner}.{name}"
            elif name == "subscribe_resource":
                yield f"{code.place(node)} takes subscriptions"


def _owner(node: ast.expr) -> str:
    """Returns the last name of `server.request_context.session`, and of `get_context()`."""
    return last_name(node.func if isinstance(node, ast.Call) else node)


def _annotated(tree: ast.Module) -> Iterator[str]:
    """Yields the names of parameters whose type is a Context."""
    for node in ast.walk(tree):
        if isinstance(node, ast.arg) and node.annotation is not None:
            of = node.annotation.value if isinstance(node.annotation, ast.Subscript) else node.annotation
            if dotted(of).rpartition(".")[2] == "Context" or (
                isinstance(of, ast.Constant) and str(of.value).startswith("Context")
            ):
                yield node.arg
