"""Implements `homeport image`."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..config.names import default_name
from ..config.project import Project
from ..errors import ConfigError
from ..findings.libraries import find_library_changes
from ..home import Home, open_home
from ..platform_client.client import PlatformClient
from ..secrets.references import referenced
from .deploy import read_project
from .image_delivery import deliver, output_option, push_option, push_reference, report
from .options import ServerArguments, json_option, server_arguments, stage_option
from .output import Output
from .registration import register_later, registration_of
from .upgrade import read_upgrade, upgrade_option

if TYPE_CHECKING:
    from homeport_runtime.loading.manifest_data import ManifestData

    from ..images.model import Image
    from ..pipeline.inspect import Inspector
    from ..pipeline.stages import Stages


@click.command("image", cls=ServerArguments)
@click.argument("path", default=".")
@click.option("--name", help="The project's name; default: as deploy.")
@click.option("--env", "variables", multiple=True, metavar="KEY=VALUE", help="A variable of the server; repeatable.")
@stage_option
@upgrade_option
@output_option
@push_option
@json_option
def image_command(
    path: str,
    name: str | None,
    variables: tuple[str, ...],
    stage: str | None,
    upgrade: tuple[str, ...],
    folder: Path | None,
    pushed_to: str | None,
    as_json: bool,
) -> None:
    """Make a container image of PATH, without Docker.

    PATH and what follows -- are as for deploy. The image serves on $PORT (8000), in any container engine. It has no
    secrets: where it runs it takes them from variables of their names, and here, where the server is loaded once, too.
    DIR is an OCI image layout, which `tar -C DIR -c . | docker load` loads. --push uses the login of `docker login`.
    """
    output = Output(as_json=as_json)
    to = push_reference(pushed_to, folder)
    source, packages = read_upgrade(path, upgrade)
    project = replace(read_project(source, name, variables, server_arguments(), stage), upgrade=packages)
    stages = output.stages()
    try:
        registration = registration_of(project)
        image, name, variables = _make(project, output, stages)
        delivered = deliver(image, name, folder, to, stages)
        if registration is not None:
            register_later(registration, project, name, output)
    finally:
        output.stop_spinner()
    data, text = report(image, name, delivered, stages)
    if folder is not None or to is not None:
        given = "".join(f"--env {variable}=... " for variable in variables)
        text += f"\nnext:  docker run --publish 127.0.0.1:8000:8000 {given}{to or name}"
    output.result(data, text)


def _make(project: Project, output: Output, stages: Stages) -> tuple[Image, str, tuple[str, ...]]:
    """Returns the image, its name, and the variables without which its container does not start."""
    from ..images.build import architecture_of, base_for, build_image, packages_for
    from ..images.git_labels import git_labels
    from ..pipeline.build import build
    from ..platform_client.issuing import issuer_file

    home, settings = open_home(), project.in_container
    issuer = issuer_file(project, home)
    architecture = architecture_of(settings.architecture)
    built = build(
        project, home, stages, _inspector(project, home), output.note, lambda own: packages_for(own, architecture)
    )
    for finding in find_library_changes(built.bundle.manifest):
        output.note(f"{finding.text}; {finding.hint}")
    with stages.run("base"):
        base = base_for(built.bundle.manifest, settings, home, anew=project.upgrade == ())
    name = project.name or default_name(built.bundle.manifest["contract"], project)
    with stages.run("image"):
        image = build_image(built, project, name, base, home, git_labels(project.folder), issuer)
    return image, name, _needed(project, built.bundle.manifest, has_issuer=issuer is not None)


def _needed(project: Project, manifest: ManifestData, *, has_issuer: bool) -> tuple[str, ...]:
    """Returns the variables that a container needs, as homeport_runtime.hosts.container.job asks for them."""
    from ..platform_client.issuing import public_urls

    secrets = sorted(referenced(project.environment))
    if has_issuer:
        return (*secrets, *(() if public_urls(project) else ("HOMEPORT_URLS",)))
    guards_itself = manifest["auth"] is None and (manifest["contract"] or {}).get("guarded")
    return (*secrets, *(() if manifest["auth"] == "none" or guards_itself else ("HOMEPORT_TOKEN",)))


def _inspector(project: Project, home: Home) -> Inspector:
    """Returns what loads the server: the platform that runs here, which has its imports behind it, else a new process.

    The platform has a project's secrets, but not those of this process's environment.
    """
    from ..targets.inspector import ProcessInspector

    secrets, client = _secrets_here(project), PlatformClient(home)
    if not secrets and client.is_running() and client.other_version is None:
        return lambda draft: client.inspect(draft, None, project.place)
    return ProcessInspector(home, secrets)


def _secrets_here(project: Project) -> dict[str, str]:
    """Returns the values of the secrets that the project needs, from this process's environment."""
    needed = referenced(project.environment)
    for name, variable in needed.items():
        if name not in os.environ:
            raise ConfigError(
                f"{variable} needs the secret {name}, without which the server cannot be loaded here",
                hint=f"give it as a variable of that name, as you give it to the container: {name}=... homeport image",
            )
    return {name: os.environ[name] for name in needed}
