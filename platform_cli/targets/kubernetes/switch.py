"""Gives a Deployment another release, waits for it, and undoes it if it does not start."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ...errors import BusyError, HomeportError, ReleaseError
from ..base import Note
from .cluster import Cluster, ConflictError, Object
from .desired import with_template
from .live import Live, bare, identity_of, replica_sets
from .names import ERROR, PROJECT, RELEASE, annotations_of
from .rollout import OvertakenError, Rollout

ATTEMPTS = 20
# The characters of an error that a release keeps.
LONGEST = 2000


def switch(cluster: Cluster, live: Live, wanted: Object, note: Note) -> None:
    """Applies the Deployment `wanted`, and returns when all of its pods are ready.

    Raises ReleaseError with the reason if they do not become it: then the Deployment is as it was, and the pods that
    were there have gone on serving, or the error says that the cluster could not be told so.
    """
    applied = _apply(cluster, live, wanted)
    try:
        Rollout(cluster, applied, note).wait()
    except OvertakenError:
        raise
    except HomeportError as error:
        name, number = wanted["metadata"]["name"], annotations_of(wanted["spec"]["template"])[RELEASE]
        _remember(cluster, applied, error.message)
        if problem := _undo(cluster, live, applied):
            raise ReleaseError(
                f"v{number} of {name} does not start ({error.message}), and what serves could not be set back: "
                f"{problem.message}",
                hint="deploy again when the cluster can be reached; until then it goes on trying to start "
                f"v{number}, and removes no pod of the release before that has nothing in its place",
            ) from None
        before = live.active
        rest = f"v{before.number} goes on serving" if before else "it is removed again"
        raise ReleaseError(
            f"v{number} of {name} does not start, and {rest}: {error.message}", hint=error.hint
        ) from None
    except BaseException:
        _undo(cluster, live, applied)
        raise


def _apply(cluster: Cluster, live: Live, wanted: Object) -> Object:
    """Applies the Deployment unless somebody else has given it another template since it was read.

    Raises BusyError then.
    """
    seen = live.deployment
    for _ in range(ATTEMPTS):
        if seen is None:
            return cluster.apply(wanted)
        metadata = {**wanted["metadata"], "resourceVersion": seen["metadata"]["resourceVersion"]}
        try:
            return cluster.apply({**wanted, "metadata": metadata})
        except ConflictError:
            before, seen = seen, cluster.get("Deployment", wanted["metadata"]["name"])
            # What pods report changes it, too, and an autoscaler; a release is its template.
            if seen is None or seen["spec"]["template"] != before["spec"]["template"]:
                break
    raise BusyError(
        f"somebody else is changing {wanted['metadata']['name']}",
        hint=f"try it again; homeport status {wanted['metadata']['name']} --target kubernetes shows what it serves",
    )


def _undo(cluster: Cluster, live: Live, applied: Object) -> HomeportError | None:
    """Gives the Deployment its release of before, and returns why that was not possible."""
    try:
        if live.deployment is None:
            cluster.delete("Deployment", applied)
        else:
            cluster.apply(with_template(live.deployment, bare(live.deployment["spec"]["template"])))
    except HomeportError as problem:
        return problem
    return None


def _remember(cluster: Cluster, applied: Object, error: str) -> None:
    """Notes at the ReplicaSet of the release why it has failed."""
    with suppress(HomeportError):
        for each in replica_sets(cluster, applied, applied["metadata"]["labels"][PROJECT]):
            if identity_of(each) == identity_of(applied):
                cluster.annotate("ReplicaSet", each["metadata"]["name"], {ERROR: error[:LONGEST]})


@contextmanager
def removed_after_failure(cluster: Cluster, kind: str, made: Object, *, is_new: bool) -> Iterator[None]:
    """Deletes the object `made` if the block fails and the object was not there before."""
    try:
        yield
    except BaseException:
        if is_new:
            with suppress(HomeportError):
                cluster.delete(kind, made)
        raise
