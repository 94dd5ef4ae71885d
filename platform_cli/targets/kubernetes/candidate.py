"""Builds and inspects a project on this machine, and makes its image, without touching the cluster."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...config.hosts import is_public
from ...config.image_reference import Reference
from ...config.names import default_name
from ...config.project import Project
from ...errors import ConfigError
from ...home import Home
from ...images.build import architecture_of, base_for, build_image, packages_for
from ...images.model import Image
from ...kubernetes.workload import Workload, check_has_name, workload_of
from ...pipeline.build import Built, build
from ...pipeline.stages import Stages
from ...platform_client.issuing import issuer_file
from ...secrets.references import check_needed, referenced
from ..base import Candidate, Note
from ..inspector import ProcessInspector
from .cluster import Cluster
from .desired import Desired
from .names import check_name_fits
from .secrets import ProjectSecrets

# The characters of an image's digest that make its tag.
TAG = 24


@dataclass(frozen=True, slots=True)
class KubernetesCandidate(Candidate):
    """Is a candidate; `desired` is what the cluster shall have."""

    desired: Desired


def repository_of(project: Project) -> Reference:
    """Raises ConfigError if the project names no repository for its images."""
    repository = project.on_kubernetes.image
    if repository is None:
        raise ConfigError(
            "nothing says where the image is pushed, from where the cluster's nodes pull it",
            hint='image = "registry.example.com/you/my-server" under [deployment.kubernetes] in fastmcp.toml'
            + _of_its_own(project.source),
        )
    return repository


def _of_its_own(source: str) -> str:
    """Returns how a package of a registry comes to a fastmcp.toml, which it does not bring."""
    registry, _, package = source.partition(":")
    run = {"pypi": "uvx", "npm": "npx -y"}.get(registry)
    return f', in a folder of its own with command = "{run} {package}" under [deployment]' if run else ""


def build_candidate(project: Project, cluster: Cluster, home: Home, stages: Stages, note: Note) -> KubernetesCandidate:
    """Returns the candidate; `note` gets what was inferred.

    Raises ConfigError for what cannot run on a cluster, or if a secret that it needs is not set.
    """
    repository, settings = repository_of(project), project.in_container
    check_has_name(project)
    if project.name is not None:
        check_name_fits(project.name)
    values = _needed_secrets(project, cluster)
    issuer = issuer_file(project, home)
    architecture = architecture_of(settings.architecture)
    inspector = ProcessInspector(home, values)
    built = build(project, home, stages, inspector, note, lambda own: packages_for(own, architecture))
    name = check_name_fits(project.name or default_name(built.bundle.manifest["contract"], project))
    with stages.run("base"):
        base = base_for(built.bundle.manifest, settings, home, anew=project.upgrade == ())
    with stages.run("image"):
        image = build_image(built, project, name, base, home, issuer=issuer)
    tag = image.digest.removeprefix("sha256:")[:TAG]
    reference = Reference(repository.registry, repository.repository, tag, image.digest)
    desired = _desired(
        project, built, image, workload_of(_decided(project, built), name, reference, project.on_kubernetes.claim), note
    )
    return KubernetesCandidate(project, built.bundle.manifest, built.code, desired)


def _decided(project: Project, built: Built) -> Project:
    """Returns the project with sessions on or off, as the build has decided."""
    return replace(project, sessions=built.bundle.manifest["sessions"])


def _desired(project: Project, built: Built, image: Image, workload: Workload, note: Note) -> Desired:
    wanted = project.on_kubernetes.replicas or project.scaling.workers
    if workload.has_sessions and wanted > workload.high:
        note("sessions: one pod, unless claim under [deployment.kubernetes] names a volume that several pods may mount")
    contract = built.bundle.manifest["contract"] or {}
    if project.auth is None and contract.get("guarded"):
        # The server checks callers itself, who cannot show two tokens.
        workload = replace(workload, is_open=True)
    return Desired(
        workload=workload,
        image=image,
        bundle=built.bundle.hash,
        place=project.place,
        named=project.name is not None,
        host=next(filter(is_public, project.domains), None),
        has_token=not workload.is_open,
        issuer=project.issuer.url if project.issuer and project.auth == "oauth" else None,
    )


def _needed_secrets(project: Project, cluster: Cluster) -> dict[str, str]:
    """Returns the values of the secrets with which the server is loaded here once."""
    names = tuple(referenced(project.environment))
    if not names:
        return {}
    now = ProjectSecrets(cluster, project.name).current() if project.name else None
    check_needed(project, project.name, now.values if now else (), " --target kubernetes")
    return {name: now.values[name] for name in names} if now else {}
