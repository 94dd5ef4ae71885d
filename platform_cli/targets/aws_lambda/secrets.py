"""Manages a project's secrets on Lambda: they are set, listed, pinned to releases, and applied without a build."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ...api.secret import ListedSecret, ListedVersion, SecretsSet, SecretUnset
from ...errors import HomeportError, NotFoundError, ReleaseError
from ...secrets.base import check_secret
from .client import AWS
from .live import Live, read_live
from .lock import deploy_lock
from .names import check_name_fits
from .pins import Pin
from .republish import republish
from .secrets_manager import Document, ProjectSecrets


def pin_of(document: Document, names: tuple[str, ...]) -> Pin | None:
    """Returns the pin of these names, None if there are none."""
    return Pin(document.arn, document.version, names) if names else None


def set_secrets(aws: AWS, project: str, values: Mapping[str, str]) -> SecretsSet:
    """Stores the values that have changed, and makes a release with them if the active one has others.

    Raises ReleaseError if that release does not start: the values are stored, and the old release still serves.
    """
    check_name_fits(project)
    for name, value in values.items():
        check_secret(name, value)
    secrets = ProjectSecrets(aws, project)
    if read_live(aws, project).active is None:
        return {"project": project, "changed": secrets.set(values), "release": None}
    with deploy_lock(aws, project):
        changed = secrets.set(values)
        release = _apply(aws, project, read_live(aws, project), values)
    return {"project": project, "changed": changed, "release": release}


def _apply(aws: AWS, project: str, live: Live, names: Collection[str]) -> str | None:
    """Makes a release of the active version with the present secrets, and returns which; None if its values are the
    same.
    """
    secrets = ProjectSecrets(aws, project)
    active, now = live.active, secrets.current()
    if active is None or active.pin is None or active.pin.version is None or now is None:
        return None
    before, release = secrets.at(active.pin.version).values, live.newest + 1
    applied = [name for name in active.pin.names if name in names and before.get(name) != now.values.get(name)]
    if not applied:
        return None
    shown = ", ".join(applied)
    try:
        if unset := [name for name in active.pin.names if name not in now.values]:
            raise ReleaseError(f"it needs {', '.join(unset)}, too, which is not set any more")
        pin, reason, kept = pin_of(now, active.pin.names), f"secret {shown}", active.token_hash
        republish(aws, project, live, active, release=release, reason=reason, token_hash=kept, pin=pin)
    except HomeportError as error:
        raise ReleaseError(
            f"{shown} is stored, but v{active.release} of {project} keeps serving without it: {error.message}",
            hint="set another value, or fix the server and deploy it",
        ) from error
    return f"v{release}"


def unset_secret(aws: AWS, project: str, name: str) -> SecretUnset:
    """Unsets a secret, so that no new release gets it; releases that are pinned to it keep it.

    Raises NotFoundError if it is not set.
    """
    if not ProjectSecrets(aws, project).unset(name):
        hint = f"`homeport list-secrets --project {project} --target lambda` shows those it has"
        raise NotFoundError(f"{project} has no secret {name!r}", hint=hint)
    active = read_live(aws, project).active
    in_use = f"v{active.release}" if active and active.pin and name in active.pin.names else None
    return {"project": project, "name": name, "in_use": in_use}


def list_secrets(aws: AWS, project: str) -> list[ListedSecret]:
    """Returns each secret that is set or that a release is pinned to, with its versions and their releases."""
    secrets = ProjectSecrets(aws, project)
    now = secrets.current()
    if now is None:
        return []
    documents = {now.version: now}
    found: dict[str, dict[int, ListedVersion]] = {}

    def note(document: Document, name: str, release: str | None) -> None:
        version, set_at = document.history[name]
        shown: ListedVersion = {"version": version, "set_at": set_at, "releases": []}
        used = found.setdefault(name, {}).setdefault(version, shown)["releases"]
        used += [release] if release else []

    for version in read_live(aws, project).releases:
        if version.pin is not None and version.pin.arn == now.arn:
            number = version.pin.version or now.version
            if number not in documents:
                documents[number] = secrets.at(number)
            for name in version.pin.names:
                note(documents[number], name, f"v{version.release}")
    for name in now.values:
        note(now, name, None)
    return [
        {
            "name": name,
            "version": now.history[name][0] if name in now.values else None,
            "versions": [versions[number] for number in sorted(versions)],
        }
        for name, versions in sorted(found.items())
    ]


def has_other_values(aws: AWS, project: str, before: Pin | None, now: Pin | None) -> bool:
    """Tells whether a release pinned to `before` has other values than one pinned to `now`."""
    if before is None or now is None:
        return before != now
    if (before.arn, before.names) != (now.arn, now.names) or before.version is None or now.version is None:
        return True
    secrets = ProjectSecrets(aws, project)
    old, new = secrets.at(before.version).values, secrets.at(now.version).values
    return any(old.get(name) != new.get(name) for name in now.names)
