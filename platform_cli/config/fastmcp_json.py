"""Reads fastmcp.json, FastMCP's own project file (version 1), as a Project.

The format is that of fastmcp.utilities.mcp_server_config.v1, in which unknown keys are ignored. So are transport, host,
port, path, log_level and cwd here, since homeport decides how and where a server runs. From files without a `source`,
which other tools write, it takes `name`, `entrypoint`, `dependencies` and `env` where they mean the same.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import ConfigError
from . import readers
from .environment import check_variable
from .names import is_name
from .paths import file_inside, inside
from .project import Entrypoint, Program, Project
from .text import read_text

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def read_fastmcp_json(path: Path) -> Project:
    """Returns the project that `path` describes, without checking whether its entry point exists.

    Raises ConfigError for what is malformed, and for keys that this version does not support.
    """
    data = _decode(path)
    source, environment, deployment = (_table(data, name) for name in ("source", "environment", "deployment"))
    if environment.get("editable") not in (None, [], ["."], ["./"]):  # the project itself is installed in any case
        raise ConfigError(
            'fastmcp.json: "environment.editable" is not in this version of homeport yet',
            hint='Name the packages in "environment.dependencies", or give "environment.project".',
        )
    python = environment.get("python")
    others = {} if "source" in data else data
    dependencies = environment.get("dependencies") or others.get("dependencies") or []
    return Project(
        folder=path.parent,
        config_file=path,
        **readers.runs(_entrypoint(source) if "source" in data else _other_entrypoint(data)),
        name=_other_name(others),
        args=_read("deployment.args", readers.args, deployment.get("args") or []),
        python_version=None if python is None else _read("environment.python", readers.python_version, python),
        requirements=_requirements(path.parent, environment),
        dependencies=_with_fastmcp(_dependencies(dependencies), environment),
        environment=_variables(_table(deployment, "env", "deployment.") or _table(others, "env")),
    )


def _decode(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        where = f"fastmcp.json:{error.lineno}:{error.colno}"
        raise ConfigError(f"{where}: {error.msg}", hint="Correct the JSON there.") from None
    except (ValueError, RecursionError):  # a number of thousands of digits; nested thousands deep
        raise ConfigError("fastmcp.json: holds a value too large to read") from None
    if not isinstance(data, dict):
        raise ConfigError('fastmcp.json: must hold one object: {"source": {"path": "server.py"}}')
    return data


def _table(data: dict[str, Any], name: str, prefix: str = "") -> dict[str, Any]:
    value = data.get(name)
    if value is not None and not isinstance(value, dict):
        raise ConfigError(f'fastmcp.json: "{prefix}{name}" must be an object')
    return value or {}


def _read(key: str, read: Callable[..., Any], *given: object) -> Any:
    try:
        return read(*given)
    except ValueError as error:
        raise ConfigError(f'fastmcp.json: "{key}" {error}') from None


def _entrypoint(source: dict[str, Any]) -> Entrypoint:
    if source.get("type", "filesystem") != "filesystem":
        raise ConfigError('fastmcp.json: "source.type" must be "filesystem", the only kind that homeport can deploy')
    if "path" not in source:
        raise ConfigError(
            'fastmcp.json: "source.path" is missing', hint='Name the server file: "source": {"path": "server.py"}'
        )
    found = _read("source.path", readers.entrypoint, source["path"])
    found = found if isinstance(found, Entrypoint) else Entrypoint(str(found))
    name = source.get("entrypoint")
    if name is None:
        return found
    if not isinstance(name, str) or not name.isidentifier():
        raise ConfigError('fastmcp.json: "source.entrypoint" must be a name in the server file')
    return Entrypoint(found.file, name)


def _other_entrypoint(data: dict[str, Any]) -> Entrypoint | Program | str | None:
    """Returns the entry point in a file of another tool, or None if it names none."""
    try:
        return readers.entrypoint(data.get("entrypoint"))
    except ValueError:
        return None


def _other_name(data: dict[str, Any]) -> str | None:
    name = data.get("name")
    return name if isinstance(name, str) and is_name(name) else None


def _requirements(folder: Path, environment: dict[str, Any]) -> str | None:
    project, requirements = environment.get("project"), environment.get("requirements")
    if project is not None and requirements is not None:
        raise ConfigError('fastmcp.json: give "environment.project" or "environment.requirements", not both')
    if requirements is not None:
        _read("environment.requirements", readers.requirements, requirements)
        return str(_read("environment.requirements", file_inside, folder, requirements))
    if project is None:
        return None
    if not isinstance(project, str):
        raise ConfigError('fastmcp.json: "environment.project" must be a folder with a pyproject.toml')
    inner = PurePosixPath(_read("environment.project", inside, folder, project))
    name = "uv.lock" if (folder / inner / "uv.lock").exists() else "pyproject.toml"
    return str(_read("environment.project", file_inside, folder, str(inner / name)))


def _dependencies(value: object) -> tuple[str, ...]:
    from packaging.requirements import InvalidRequirement, Requirement

    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ConfigError('fastmcp.json: "environment.dependencies" must be a list of packages: ["httpx>=0.28"]')
    for position, item in enumerate(value):
        try:
            Requirement(item)
        except InvalidRequirement:
            # Its text is not shown: a mistyped address may hold a credential.
            raise ConfigError(
                f'fastmcp.json: "environment.dependencies[{position}]" is not a requirement',
                hint='Write it as pip takes it: "httpx>=0.28", "name @ https://...".',
            ) from None
    return tuple(value)


def _with_fastmcp(dependencies: tuple[str, ...], environment: dict[str, Any]) -> tuple[str, ...]:
    """Adds fastmcp to the dependencies: `fastmcp run` always installs it, and so few files list it."""
    makes_one = environment.get("dependencies") or environment.get("requirements")
    is_there = any(re.match(r"fastmcp\b(?!-)", item) for item in dependencies)
    return dependencies if is_there or not makes_one else (*dependencies, "fastmcp")


def _variables(values: dict[str, Any]) -> dict[str, str]:
    read = {name: _variable(name, value) for name, value in values.items()}
    return {name: value for name, value in read.items() if value is not None}


def _variable(name: str, value: object) -> str | None:
    """Returns a value with each `${VAR}` in it replaced, once, from the environment of whoever deploys.

    Returns None for what is nothing but a variable that is not set: such files name every key that their server takes,
    and `fastmcp run` starts it without. Raises ConfigError for text with a variable in it that is not set.
    """
    key = f"deployment.env.{name}"
    text: str = _read(key, check_variable, name, value)
    if (whole := _VARIABLE.fullmatch(text)) and whole[1] not in os.environ:
        return None

    def replacement(match: re.Match[str]) -> str:
        found = os.environ.get(match[1])
        if found is None:
            raise ConfigError(
                f'fastmcp.json: "{key}" needs the variable {match[1]}, which is not set',
                hint=f"export {match[1]}=..., then deploy again.",
            )
        return found

    return str(_read(key, check_variable, name, _VARIABLE.sub(replacement, text)))
