"""Finds environment variables that the server's code reads and that the server does not get."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from homeport_runtime.loading.environment import INHERITED, QUIET, RESERVED

from ..config.project import Project
from ..pipeline.code import Code, listed
from ..project_files.syntax import dotted, keyword, text_of
from .model import Finding

_ENVIRON = ("os.environ", "environ")
_GETTERS = ("os.getenv", "getenv", "os.environ.get", "environ.get")
_SETTERS = ("os.environ.setdefault", "environ.setdefault", "os.putenv")
# The variables that every server has, or that only concern the shell, a desktop, or Windows.
_ORDINARY = frozenset((
    *INHERITED, *QUIET, "PWD", "SHELL", "TERM", "PYTHONPATH", "VIRTUAL_ENV", "HOSTNAME", "CI",
    "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "DISPLAY",
    "APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "USERPROFILE", "COMSPEC", "SYSTEMROOT",
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Read:
    """Is a place that reads a variable; `required` means that the code has no default for it."""

    name: str
    place: str
    required: bool


def find_variables(
    project: Project, code: Iterable[Code], shell: Mapping[str, str], known: Collection[str]
) -> Iterator[Finding]:
    """Yields variables that the server lacks: those set in `shell`, and required ones that are set nowhere.

    `shell` is the environment of whoever deploys. `known` are the names that another finding mentions.
    """
    reads = _first_reads(code)
    lacking = [read for name, read in reads.items() if name not in project.environment and name not in known]
    if here := [read for read in lacking if read.name in shell]:
        yield Finding("shell-variables", f"set in this shell, not for the server: {_shown(here)}", _ways(here[0].name))
    if nowhere := [read for read in lacking if read.required and read.name not in shell]:
        yield Finding("unset-variables", f"read by the code and set nowhere: {_shown(nowhere)}", _ways(nowhere[0].name))


def _ways(name: str) -> str:
    return (
        f"--env {name}=VALUE; or as a secret: `homeport set-secret {name}` and "
        f'{name} = "${{secrets.{name}}}" under [environment] in fastmcp.toml'
    )


def _shown(reads: Iterable[Read]) -> str:
    return listed(f"{read.name} ({read.place})" for read in reads)


def _first_reads(code: Iterable[Code]) -> dict[str, Read]:
    """Returns the first read of each variable, a required one before others, without variables that the code sets
    itself.
    """
    found: dict[str, Read] = {}
    own: set[str] = set()
    for each in code:
        if not each.mentions(b"environ", b"getenv", b"BaseSettings"):
            continue
        own.update(_set_by(each.tree))
        for read in (*_reads(each), *_settings(each)):
            if read.name not in found or (read.required and not found[read.name].required):
                found[read.name] = read
    return {
        name: read
        for name, read in found.items()
        if name not in own and name not in _ORDINARY and not name.startswith(RESERVED)
    }


def _reads(code: Code) -> Iterator[Read]:
    optional = set(_optional(code.tree))
    for node in ast.walk(code.tree):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load) and dotted(node.value) in _ENVIRON:
            name, required = text_of(node.slice), True
        elif isinstance(node, ast.Call) and node.args and dotted(node.func) in _GETTERS:
            name = text_of(node.args[0])
            required = len(node.args) == 1 and not node.keywords and id(node) not in optional
        else:
            continue
        if name:
            yield Read(name, code.place(node), required)


def _optional(tree: ast.Module) -> Iterator[int]:
    """Yields the ids of expressions that may be missing: `x or y`, `if x:`, `x == "1"`, but not `if not x:`."""
    for node in ast.walk(tree):
        match node:
            case ast.BoolOp(op=ast.Or(), values=values):
                yield from map(id, values[:-1])
            case ast.If(test=test) | ast.IfExp(test=test) | ast.While(test=test):
                yield id(test)
            case ast.Compare(left=left, comparators=[other]) if not _is_none(other):
                yield id(left)


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _set_by(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        name = None
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store) and dotted(node.value) in _ENVIRON:
            name = text_of(node.slice)
        elif isinstance(node, ast.Call) and node.args and dotted(node.func) in _SETTERS:
            name = text_of(node.args[0])
        if name:
            yield name


def _settings(code: Code) -> Iterator[Read]:
    """Yields the fields of pydantic's BaseSettings: https://docs.pydantic.dev/latest/concepts/pydantic_settings/."""
    for node in ast.walk(code.tree):
        if isinstance(node, ast.ClassDef) and any(dotted(base).endswith("BaseSettings") for base in node.bases):
            prefix = _prefix(node)
            for field in node.body:
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                    alias, required = _field(field.value)
                    if not field.target.id.startswith(("_", "model_config")):
                        yield Read(alias or (prefix + field.target.id).upper(), code.place(field), required)


def _field(value: ast.expr | None) -> tuple[str | None, bool]:
    """Returns the name that a field is read from, None for its own, and whether it has no default."""
    if not isinstance(value, ast.Call) or dotted(value.func).rpartition(".")[2] != "Field":
        return None, value is None
    alias = text_of(keyword(value, "validation_alias")) or text_of(keyword(value, "alias"))
    default = value.args[0] if value.args else keyword(value, "default") or keyword(value, "default_factory")
    return alias, default is None or (isinstance(default, ast.Constant) and default.value is Ellipsis)


def _prefix(settings: ast.ClassDef) -> str:
    for node in ast.walk(settings):
        if isinstance(node, ast.Call) and (prefix := text_of(keyword(node, "env_prefix"))):
            return prefix
        if isinstance(node, ast.Assign) and [dotted(target) for target in node.targets] == ["env_prefix"]:
            return text_of(node.value) or ""
    return ""
