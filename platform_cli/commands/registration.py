"""Registers what was deployed with the platform that is its issuer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..addresses import is_readable_on_the_way, read_http_url
from ..config.project import Project
from ..errors import HomeportError
from ..home import open_home
from .output import Output

if TYPE_CHECKING:
    from ..api.resource import ListedResource
    from ..api.status import DeployedStatus, Status
    from ..platform_client.issuing import Registration


def registration_of(project: Project) -> Registration | None:
    """Returns the registration of a project whose issuer is a platform that this machine knows, None for any other.

    Raises ConfigError if the configuration says what only a registration brings there.
    """
    if project.issuer is None:
        return None
    # Imported late, since few projects have an issuer.
    from ..platform_client.issuing import Registration

    return Registration.of(project, open_home())


def register(registration: Registration, project: Project, status: Status | DeployedStatus, output: Output) -> None:
    """Registers the project at the URLs by which it is reached, and says so."""
    from ..platform_client.issuing import public_urls

    name, urls = status["project"], _safe((status["url"], *public_urls(project)))
    if not urls:
        output.note(
            f"nobody can sign in at {status['url']}, where tokens would be readable on the way: give it a public name "
            "under [domains]"
        )
        return
    output.note(registered_line(registration.carry_out(name, urls), project))


def register_later(registration: Registration, project: Project, name: str, output: Output) -> None:
    """Registers a project that somebody else will run at its public names, or says how it is registered."""
    from ..platform_client.issuing import public_urls

    if urls := public_urls(project):
        output.note(registered_line(registration.carry_out(name, urls), project))
    else:
        output.note("nobody can sign in yet; once its URL is known: `homeport platform resource add --url URL`")


def end_registration(project: Project, url: str, output: Output) -> None:
    """Ends the registrations of `url` at the project's issuer, where that is a platform that this machine knows."""
    if project.issuer is None:
        return
    from ..platform_client.issuing import find_issuing_platform

    try:
        platform = find_issuing_platform(project.issuer, open_home())
        if platform is None:
            return
        for resource in platform.resources():
            if url in resource["urls"]:
                platform.remove_resource(resource["name"])
                output.note(f"{resource['name']} gets no more tokens")
    except HomeportError as error:
        output.note(f"it is registered at {project.issuer.url} still: {error.message}")


def _safe(urls: Iterable[str]) -> list[str]:
    """Returns those that tokens may be sent to."""
    return [url for url in dict.fromkeys(urls) if (parts := read_http_url(url)) and not is_readable_on_the_way(parts)]


def registered_line(resource: ListedResource, project: Project) -> str:
    issuer = project.issuer.url if project.issuer else ""
    return f"people sign in at {issuer}, where it is {resource['name']}"
