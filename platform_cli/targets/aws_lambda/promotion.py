"""Promotes a release of one project to a release of another, without a build.

It has the same code, packages and runtime, and the other's variables, secrets and settings.
"""

from __future__ import annotations

import base64
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from homeport_runtime.guard.issuer_file import FILE_NAME as ISSUER
from homeport_runtime.loading.manifest import FILE_NAME
from homeport_runtime.protocol.discovery import FILE_NAME as DISCOVERY

from ...config.project import Project
from ...errors import ConfigError, InputError, NotFoundError
from ...home import open_home
from ...origin import Origin
from ...pipeline.archive import Archive, Entry, write_archive
from ...platform_client.issuing import issuer_file
from ..base import Promotion
from .artifacts import Artifacts, check_python
from .build import needed_secrets
from .candidate import LambdaCandidate
from .client import AWS
from .code import fetched, manifest_of
from .desired import DesiredState, check_variables_fit
from .issuer import check_can_sign_in
from .live import read_live
from .names import LAYER_PREFIXES, check_name_fits
from .origins import read_origins
from .planner import check_runs_there
from .versions import Version


@contextmanager
def promoted(aws: AWS, source: str, name: str, project: Project) -> Iterator[Promotion]:
    """Yields the active release of project `source` as a candidate for `project`, which is called `name`.

    Its code exists within the context. Raises NotFoundError if `source` serves no release, and ConfigError for settings
    that `project` cannot have.
    """
    version = _serving(aws, source)
    settings = project.on_lambda
    configuration = version.configuration
    python, architecture = configuration["Runtime"].removeprefix("python"), configuration["Architectures"][0]
    if settings.architecture != architecture:
        raise ConfigError(
            f"v{version.release} of {source} was built for {architecture}, and {name} is on {settings.architecture}",
            hint="the same architecture under [deployment.lambda] for both stages",
        )
    check_python(python, settings)
    check_name_fits(name)
    check_can_sign_in(project)
    min_workers, snap_start = project.scaling.min, settings.snap_start
    check_runs_there(sessions=False, command=None, min_workers=min_workers, snap_start=snap_start)
    pin, _ = needed_secrets(project, lambda: aws)
    check_variables_fit(project.domains, pin)
    packages, runtime = (_layer(aws, arn) for arn in version.layers[-2:])
    with fetched(aws, source, version) as code:
        manifest = manifest_of(code)
        issuer = issuer_file(project, open_home())
        if issuer and not manifest.get("issuer"):
            raise ConfigError(
                f"v{version.release} of {source} was built without an issuer, and so without what checks its tokens",
                hint="issuer under [auth] of both stages",
            )
        function = _with_settings(code, project, issuer)
        desired = DesiredState(
            project=name,
            named=True,
            folder=project.place,
            artifacts=Artifacts(function, packages, runtime, python, architecture),
            settings=settings,
            scaling=project.scaling,
            auto_scaling=project.auto_scaling,
            auth=project.auth,
            domains=project.domains,
            secrets=pin,
            speaks_mcp=manifest["contract"] is not None,
            issuer=project.issuer.url if issuer and project.issuer else None,
        )
        origin = read_origins(aws, source).get(version.release, Origin())
        yield Promotion(source, f"v{version.release}", LambdaCandidate(project, manifest, (), desired), origin)


def _serving(aws: AWS, project: str) -> Version:
    live = read_live(aws, project)
    if live.active is None:
        raise NotFoundError(f"{project} serves no release on Lambda", hint="deploy it with --stage first")
    if not all(arn.split(":")[6].startswith(LAYER_PREFIXES) for arn in live.active.layers[-2:]):
        raise InputError(f"the release of {project} has not the layers that homeport gave it", hint="deploy it again")
    return live.active


def _layer(aws: AWS, arn: str) -> Archive:
    """Returns the layer without its content, which stays on AWS: the other function takes the same layer."""
    name, number = arn.split(":")[6:]
    content = aws.functions.get_layer_version(LayerName=name, VersionNumber=int(number))["Content"]
    sha256 = base64.b64decode(content["CodeSha256"]).hex()
    return Archive(Path(), sha256, content["CodeSize"], 0)


def _with_settings(code: Archive, project: Project, issuer: bytes | None) -> Archive:
    """Returns the same files with the project's settings in the manifest, and its issuer's file.

    Answers that were recorded with other variables are left out, since the server may give others with these.
    """
    manifest = manifest_of(code)
    said = {
        "environment": dict(sorted(project.environment.items())),
        "origins": list(project.origins),
        "domains": list(project.domains),
    }
    same = manifest["environment"] == said["environment"]
    with zipfile.ZipFile(code.path) as zipped:
        entries = {
            info.filename: Entry(zipped.read(info), executable=bool(info.external_attr >> 16 & 0o100))
            for info in zipped.infolist()
            if info.filename != ISSUER and (same or info.filename != DISCOVERY)
        }
    if issuer is not None:
        entries[ISSUER] = Entry(issuer)
    entries[FILE_NAME] = Entry(json.dumps({**manifest, **said}, sort_keys=True).encode())
    return write_archive(code.path.with_name("promoted.zip"), entries)
