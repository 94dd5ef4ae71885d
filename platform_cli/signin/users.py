"""Decides who may sign in to a project, and the most that they may be given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from .model import OFFLINE_ACCESS, OWNER, ProtectedProject

# Stands for every scope in a user's list.
EVERY = "*"


def allowed_scopes(project: ProtectedProject, user: str, asked: Iterable[str]) -> tuple[str, ...] | None:
    """Returns those of the scopes `asked` for that `user` may be given, None if the user may not sign in.

    A name counts before patterns such as `*@company.com`; of several patterns all count.
    """
    if user == OWNER:
        return tuple(asked)
    names = {name.lower(): scopes for name, scopes in (project.users or {}).items()}
    found = [names[user.lower()]] if user.lower() in names else []
    if not found:
        found = [scopes for name, scopes in names.items() if "*" in name and fnmatchcase(user.lower(), name)]
    if not found:
        return None
    most = _with_implied([scope for scopes in found for scope in scopes], project.implies)
    return tuple(scope for scope in asked if scope == OFFLINE_ACCESS or scope in most or EVERY in most)


def _with_implied(scopes: list[str], implies: Mapping[str, Iterable[str]]) -> set[str]:
    reached, ahead = set(scopes), list(scopes)
    while ahead:
        new = [scope for scope in implies.get(ahead.pop(), ()) if scope not in reached]
        reached.update(new)
        ahead += new
    return reached
