"""Implements `homeport export kubernetes`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..bearer import hash_of, make_token
from ..config.hosts import is_public
from ..config.image_reference import Reference, parse_reference
from ..config.names import check_name, default_name
from ..errors import InputError
from ..home import write_atomic
from .deploy import read_project
from .options import json_option, stage_option
from .output import Output

if TYPE_CHECKING:
    from ..kubernetes.workload import Workload


@click.command("kubernetes")
@click.argument("path", default=".")
@click.option("--image", required=True, metavar="REF", help="The image that `homeport image --push` has pushed.")
@click.option("--name", help="The project's name; default: from fastmcp.toml, the source, or the folder.")
@stage_option
@click.option("--claim", metavar="NAME", help="The PersistentVolumeClaim for what the server writes.")
@click.option("--operator", is_flag=True, help="Write an MCPServer for the MCP lifecycle operator instead.")
@click.option(
    "--to",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    default="kubernetes.yaml",
    show_default=True,
    help="The file to write.",
)
@json_option
def kubernetes_command(
    path: str,
    image: str,
    name: str | None,
    stage: str | None,
    claim: str | None,
    operator: bool,
    file: Path,
    as_json: bool,
) -> None:
    """Write the Kubernetes objects that run an image of PATH."""
    from ..kubernetes.objects import MANAGER, ingress, plain_objects
    from ..kubernetes.operator import operator_object
    from ..kubernetes.workload import check_has_name, workload_of
    from ..targets.local.places import named_in_source

    reference = _reference(image)
    if claim is not None:
        check_name(claim, "--claim")
        if operator:
            raise InputError("an MCPServer has no volume that outlives its pod", hint="leave --operator or --claim out")
    is_there = file.exists()
    if is_there and f"managed-by: {MANAGER}" not in file.read_text("utf-8", "replace"):
        raise InputError(f"{file} is there, and homeport has not written it", hint="--to another file")
    output = Output(as_json=as_json)
    project = read_project(path, name, (), stage=stage)
    check_has_name(project)
    workload = workload_of(project, project.name or default_name(named_in_source(project), project), reference, claim)
    if project.sessions and project.scaling.workers > workload.high:
        output.note("sessions = true: one pod, unless --claim names a volume that several pods may mount")
    objects = [operator_object(workload)] if operator else plain_objects(workload)
    hosts = [name for name in project.domains if is_public(name)]
    if hosts and not operator:
        objects.append(ingress(workload, hosts))
        output.note(f"the Ingress needs the Secret {workload.name}-tls with a certificate for {', '.join(hosts)}")
    # A deployment that is there keeps its token, which somebody has.
    token = None if workload.is_open or is_there else make_token()
    write_atomic(file, _yaml(objects))
    commands = [*_secret_commands(workload, token), f"kubectl apply -f {file}"]
    lines = [f"{file} has {workload.name}", ""]
    if token:
        lines += [f"token: {token}", "shown once; the cluster gets its sha256", ""]
    told = {"token": token, "token_hash": hash_of(token)} if token else {}
    data = {"ok": True, "project": workload.name, "path": str(file), **told, "commands": commands}
    output.result(data, "\n".join([*lines, *commands]))


def _reference(text: str) -> Reference:
    try:
        return parse_reference(text)
    except ValueError as error:
        raise InputError(f"--image {text!r} {error}", hint="--image REGISTRY/NAME@sha256:..., or NAME:TAG") from None


def _yaml(objects: list[dict[str, Any]]) -> bytes:
    import yaml

    text: str = yaml.safe_dump_all(objects, sort_keys=False, explicit_start=True)
    return text.encode()


def _secret_commands(workload: Workload, token: str | None) -> list[str]:
    """Returns what makes the Secrets; values are typed there, and never pass through homeport."""
    from ..kubernetes.workload import RELAY_KEY, TOKEN_KEY

    create = "kubectl create secret generic"
    commands = [f"{create} {workload.token_name} --from-literal={TOKEN_KEY}={hash_of(token)}"] if token else []
    if workload.high > 1:
        key = "head -c 32 /dev/urandom | base64"
        commands.append(f"{key} | {create} {workload.relay_name} --from-file={RELAY_KEY}=/dev/stdin")
    if workload.secrets:
        values = " ".join(f"--from-literal={name}=..." for name in workload.secrets)
        commands.append(f"{create} {workload.secrets_name} {values}")
    return commands
