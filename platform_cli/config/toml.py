"""Reads fastmcp.toml as a Project; every error names the file, the line and the key, and says what was expected."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tomli

from ..errors import ConfigError
from . import readers
from .environment import check_variable
from .issuers import read_issuer, read_login
from .limits import Limits, client_rates, tool_limit
from .paths import file_inside
from .project import AuditSettings, ContainerSettings, KubernetesSettings, LambdaSettings, Project, Scaling, Stage
from .schema import TABLES
from .scopes import IMPLIES, ScopeRules, implied
from .scopes import rule as read_rule
from .stages import STAGED, may_have
from .text import read_text
from .toml_lines import key_lines

_STAGES = "stages"
_KNOWN = (*TABLES, "environment", "scopes", _STAGES)


def read_toml(path: Path) -> Project:
    """Returns the project that `path` describes; its entry point may be None, and whether it exists is not checked
    here.

    Raises ConfigError for what is malformed or unknown.
    """
    text = read_text(path)
    file = _File(path.name, {})
    try:
        data = tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        where = f"{path.name}:{error.lineno}:{error.colno}"
        raise ConfigError(f"{where}: {error.msg}", hint='Text needs quotes: key = "text".') from None
    except (ValueError, RecursionError):  # a number of thousands of digits; nested thousands deep
        raise ConfigError(f"{path.name}: holds a value too large to read") from None
    file = _File(path.name, key_lines(text))
    stages = file.stages(data.pop(_STAGES, {}))
    scopes, limits = file.scopes(data.pop("scopes", None)), file.limits(data.pop("limits", None))
    values: dict[str, dict[str, Any]] = {name: file.table(name, content) for name, content in data.items()}
    deployment = values.get("deployment", {})
    if "entrypoint" in deployment and "command" in deployment:
        raise file.error(("deployment", "command"), 'give "entrypoint" or "command", not both')
    if "requirements" in deployment:
        try:
            deployment["requirements"] = file_inside(path.parent, deployment["requirements"])
        except ValueError as error:
            raise file.error(("deployment", "requirements"), f"{deployment['requirements']!r} {error}") from None
    on_lambda, in_container = deployment.pop("lambda", {}), deployment.pop("container", {})
    on_kubernetes = deployment.pop("kubernetes", {})
    stop_first = deployment.pop("replace", "overlap") == "stop-first"
    project = Project(
        **values.get("project", {})
        | deployment
        | values.get("features", {})
        | readers.runs(deployment.pop("entrypoint", None)),
        stop_first=stop_first,
        folder=path.parent,
        config_file=path,
        environment=values.get("environment", {}),
        on_lambda=LambdaSettings(**on_lambda),
        in_container=ContainerSettings(**in_container),
        on_kubernetes=KubernetesSettings(**on_kubernetes),
        scaling=file.scaling(Scaling(**values.get("scaling", {})), values.get("scaling", {})),
        domains=values.get("domains", {}).get("names", ()),
        origins=values.get("domains", {}).get("origins", ()),
        auth=values.get("auth", {}).get("mode"),
        users=values.get("auth", {}).get("users"),
        issuer=read_issuer(values.get("auth", {})),
        login=read_login(values.get("auth", {})),
        scopes=scopes,
        limits=limits,
        audit=AuditSettings(**values["audit"]) if values.get("audit") else None,
        block_breaking=values.get("github", {}).get("block_breaking", False),
        stages=stages,
    )
    file.check_callers(project, {})
    file.check_issuer(values.get("auth", {}))
    for name in stages:
        file.within(_STAGES, name).check_callers(project, stages[name].tables.get("auth", {}))
        said = stages[name].tables.get("scaling", {})
        file.within(_STAGES, name).scaling(replace(project.scaling, **said), said)
    return project


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    lines: Mapping[tuple[str, ...], int]

    def error(self, key: tuple[str, ...], reason: str, *, hint: str | None = None) -> ConfigError:
        """Returns the error for `key`, at the line of the key, or for a key in an inline table of what contains it."""
        known = (self.lines[key[:length]] for length in range(len(key), 0, -1) if key[:length] in self.lines)
        return ConfigError(f"{self.name}:{next(known, 1)}: {reason}", hint=hint)

    def table(self, name: str, content: object) -> dict[str, Any]:
        if name not in _KNOWN:
            raise self.unknown_table(name, content)
        if not isinstance(content, dict):
            raise self.error((name,), f'"{name}" must be a table: write [{name}] and its keys below')
        if name == "environment":
            return {key: self.value((name, key), check_variable, key, value) for key, value in content.items()}
        return {key: self.key(name, key, value) for key, value in content.items()}

    def key(self, table: str, key: str, value: object) -> Any:
        within = f"{table}.{key}"
        if within in TABLES:
            if not isinstance(value, dict):
                raise self.error((table, key), f'"{within}" must be a table: write [{within}] and its keys below')
            return {name: self.key(within, name, content) for name, content in value.items()}
        if key not in TABLES[table]:
            raise self.unknown_key(table, key)
        return self.value((*table.split("."), key), TABLES[table][key].read, value)

    def value(self, key: tuple[str, ...], read: Any, *given: object) -> Any:
        try:
            return read(*given)
        except ValueError as error:
            raise self.error(key, f'"{".".join(key)}" {error}') from None

    def within(self, *tables: str) -> _File:
        """Returns the part of the file below `tables`, as if it were a file of its own."""
        inner = {key[len(tables) :]: line for key, line in self.lines.items() if key[: len(tables)] == tables}
        return _File(self.name, inner)

    def stages(self, content: object) -> dict[str, Stage]:
        if not isinstance(content, dict):
            raise self.error(
                (_STAGES,), '"stages" must be tables: write [stages.staging.environment] and its keys below'
            )
        return {name: self.stage(name, tables) for name, tables in content.items()}

    def stage(self, name: str, content: object) -> Stage:
        self.value((_STAGES, name), readers.project_name, name)
        if not isinstance(content, dict):
            raise self.error((_STAGES, name), f'"stages.{name}" must be a table')
        for table, keys in content.items():
            if not may_have(table, keys):
                hint = f"It changes how the project runs, not what runs: {', '.join(STAGED)}."
                raise self.error((_STAGES, name, table), f'a stage has no table "{table}"', hint=hint)
        inner = self.within(_STAGES, name)
        return Stage({table: inner.table(table, keys) for table, keys in content.items()})

    def check_callers(self, project: Project, auth: Mapping[str, Any]) -> None:
        """Raises ConfigError if everyone may call, and [scopes] asks what they may: nobody would know."""
        if project.scopes is not None and auth.get("mode", project.auth) == "none":
            raise self.error(
                ("auth", "mode"),
                '"auth.mode" is "none", and [scopes] says what callers may do, whom nobody knows then',
                hint='mode = "token", or remove [scopes]',
            )

    def check_issuer(self, auth: Mapping[str, Any]) -> None:
        """Raises ConfigError for keys of [auth] that would have no effect."""
        for key in ("issuer", "users", "login"):
            if key in auth and auth.get("mode") != "oauth":
                raise self.error(("auth", key), f'"auth.{key}" is for those who sign in', hint='mode = "oauth"')
        for key in ("audience", "scope_claim"):
            if key in auth and "issuer" not in auth:
                raise self.error(
                    ("auth", key), f'"auth.{key}" is for an issuer of your own', hint='issuer = "https://..."'
                )
        for key in ("client_id", "users"):
            if "login" in auth and key not in auth:
                reason = f'"auth.login" needs "{key}", too: ' + (
                    "the id of your app there" if key == "client_id" else "else everybody there might sign in"
                )
                raise self.error(("auth", "login"), reason)
        if "client_id" in auth and "login" not in auth:
            raise self.error(("auth", "client_id"), '"auth.client_id" goes with "login"', hint='login = "github"')

    def line(self, *key: str) -> str:
        """Returns where a key is written."""
        return f"{self.name}:{self.lines.get(key, 1)}"

    def tables(self, key: tuple[str, ...], content: object) -> Mapping[str, object]:
        if not isinstance(content, dict):
            name = ".".join(key)
            raise self.error(key, f'"{name}" must be a table: write [{name}] and its keys below')
        return content

    def scopes(self, content: object) -> ScopeRules | None:
        """Returns [scopes], None without it; an empty one is an error, since nobody could use anything."""
        if content is None:
            return None
        rules = dict(self.tables(("scopes",), content))
        implies = self.tables(("scopes", IMPLIES), rules.pop(IMPLIES, {}))
        if not rules:
            raise self.error(("scopes",), "[scopes] says nothing, and so nobody could use anything", hint='"*" = "use"')
        return ScopeRules(
            {name: self.value(("scopes", name), read_rule, name, value) for name, value in rules.items()},
            {each: self.value(("scopes", IMPLIES, each), implied, each, value) for each, value in implies.items()},
            {name: self.line("scopes", name) for name in rules},
        )

    def limits(self, content: object) -> Limits | None:
        """Returns [limits], None if nothing is limited."""
        if not content:
            return None
        rates = dict(self.tables(("limits",), content))
        tools = self.tables(("limits", "tools"), rates.pop("tools", {}))
        clients = self.tables(("limits", "clients"), rates.pop("clients", {}))
        return Limits(
            **self.table("limits", rates),
            tools={name: self.value(("limits", "tools", name), tool_limit, value) for name, value in tools.items()},
            clients={
                name: self.value(("limits", "clients", name), client_rates, value) for name, value in clients.items()
            },
            lines={name: self.line("limits", "tools", name) for name in tools},
        )

    def scaling(self, scaling: Scaling, values: Mapping[str, Any]) -> Scaling:
        """Returns `scaling` if it is sound; `values` are the keys that were written here, of which an
        error names one.
        """
        if scaling.min > scaling.workers:
            key = "min" if "min" in values else "max"
            raise self.error(
                ("scaling", key), f'"scaling.min" is {scaling.min}, more than "scaling.max", {scaling.workers}'
            )
        return scaling

    def unknown_key(self, table: str, key: str) -> ConfigError:
        return self.error(
            (*table.split("."), key),
            f'unknown key "{table}.{key}"{_meant(key, TABLES[table]) or _elsewhere(key)}',
            hint=f"The keys of [{table}] are {', '.join(TABLES[table])}.",
        )

    def unknown_table(self, name: str, content: object) -> ConfigError:
        if not isinstance(content, dict | list):
            return self.error((name,), f'unknown key "{name}"{_elsewhere(name) or "; every key belongs in a table"}')
        near = difflib.get_close_matches(name, _KNOWN, n=1)
        reason = f"unknown table [{name}]" + (f"; did you mean [{near[0]}]?" if near else "")
        return self.error((name,), reason, hint=f"The tables are {', '.join(f'[{table}]' for table in _KNOWN)}.")


def _meant(key: str, valid: Iterable[str]) -> str:
    near = difflib.get_close_matches(key, list(valid), n=1)
    return f'; did you mean "{near[0]}"?' if near else ""


def _elsewhere(key: str) -> str:
    tables = [table for table, keys in TABLES.items() if key in keys]
    return f"; it belongs in [{tables[0]}]" if tables else ""
