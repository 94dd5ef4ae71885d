"""Stages: one project deployed several times, each time as a project of its own name, with secrets and domains of its
own, from one fastmcp.toml.
"""

from __future__ import annotations

from dataclasses import replace

from ..errors import ConfigError, InputError
from .names import check_name
from .project import Project, Stage

# The tables that a stage may have, as people write them.
STAGED = {
    "environment": "environment",
    "scaling": "scaling",
    "auth": "auth",
    "domains": "domains",
    "deployment": "deployment.lambda",
}


def may_have(table: str, keys: object) -> bool:
    """Whether a stage may say these `keys` of a table."""
    return table in STAGED and (table != "deployment" or (isinstance(keys, dict) and {*keys} <= {"lambda"}))


def in_stage(project: Project, name: str) -> Project:
    """The project as its stage `name`. Raises InputError for a stage that the configuration, which has
    others, does not know; ConfigError for a project without a name, by which its stages could be told apart.
    """
    if project.stages and name not in project.stages:
        # Late: a redeploy has no time for what it does not use.
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
    """The project with what its `stage` changes. Names of hosts lead to one project: a stage has none but its own."""
    tables = project.stages.get(stage, Stage({})).tables
    domains, scaling = tables.get("domains", {}), tables.get("scaling", {})
    return replace(
        project,
        stage=stage,
        environment={**project.environment, **tables.get("environment", {})},
        scaling=replace(project.scaling, **scaling),
        auth=tables.get("auth", {}).get("mode", project.auth),
        domains=domains.get("names", ()),
        origins=domains.get("origins", project.origins),
        on_lambda=replace(project.on_lambda, **tables.get("deployment", {}).get("lambda", {})),
    )
