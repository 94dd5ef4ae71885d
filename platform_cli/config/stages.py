"""Applies stages, by which one fastmcp.toml is deployed several times.

Each stage is a project with a name, secrets and domains of its own.
"""

from __future__ import annotations

from dataclasses import replace

from ..errors import ConfigError, InputError
from .issuers import read_issuer, read_login
from .names import check_name
from .project import Project, Stage

# The tables that a stage may have.
STAGED = ("environment", "scaling", "auth", "domains", "deployment.lambda", "deployment.kubernetes")


def may_have(table: str, keys: object) -> bool:
    """Tells whether a stage may have a table with these `keys`."""
    within = isinstance(keys, dict) and keys and all(f"{table}.{key}" in STAGED for key in keys)
    return table in STAGED or bool(within)


def in_stage(project: Project, name: str) -> Project:
    """Returns the project as its stage `name`.

    Raises InputError for a stage that the configuration does not have while it has others, and ConfigError for a
    project without a name, on which the names of its stages are based.
    """
    if project.stages and name not in project.stages:
        # Imported late, since a redeploy does not need it and would wait for it.
        import difflib

        near = difflib.get_close_matches(name, list(project.stages), n=1)
        meant = f"; did you mean {near[0]!r}?" if near else ""
        raise InputError(f"the project has no stage {name!r}{meant}", hint=f"it has {', '.join(project.stages)}")
    if project.name is None:
        raise ConfigError(
            f"the stage {name!r} is a project called NAME-{name}, and this project has no name yet",
            hint="name it with name under [project] in fastmcp.toml, or with --name",
        )
    return with_tables(replace(project, name=check_name(f"{project.name}-{name}", f"stage {name}")), name)


def with_tables(project: Project, stage: str) -> Project:
    """Returns the project with what its `stage` changes.

    A stage has its own host names only, since a host name leads to one project.
    """
    tables = project.stages.get(stage, Stage({})).tables
    domains, scaling = tables.get("domains", {}), tables.get("scaling", {})
    deployment = tables.get("deployment", {})
    return replace(
        project,
        stage=stage,
        environment={**project.environment, **tables.get("environment", {})},
        scaling=replace(project.scaling, **scaling),
        auth=tables.get("auth", {}).get("mode", project.auth),
        users=tables.get("auth", {}).get("users", project.users),
        login=read_login(tables.get("auth", {})) or project.login,
        issuer=read_issuer(tables.get("auth", {})) or project.issuer,
        domains=domains.get("names", ()),
        origins=domains.get("origins", project.origins),
        on_lambda=replace(project.on_lambda, **deployment.get("lambda", {})),
        on_kubernetes=replace(project.on_kubernetes, **deployment.get("kubernetes", {})),
    )
