"""Tests what a worker is told of its callers, in words that runtimes of earlier versions understand as well."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from homeport_runtime.guard.access import Access, ClientToken
from platform_cli.supervisor.container_spec import CALLS, CALLS_INSIDE
from platform_cli.supervisor.jobs import NOBODYS, serving_job
from platform_cli.supervisor.release import Container
from platform_cli.supervisor.windows import windows_file

from .releases import release_of

ALL = ClientToken("a" * 64)
READS = ClientToken("b" * 64, "reports", "alice", ("read",))
SHORT = ClientToken("c" * 64, "guest", expires_at=1e12)


@pytest.mark.parametrize(
    ("access", "hashes"),
    [
        (None, None),
        (Access((ALL, READS, SHORT)), ALL.hash),
        (Access((READS,)), NOBODYS),
        (Access((ALL, replace(ALL, hash="d" * 64))), f"{ALL.hash},{'d' * 64}"),
    ],
)
def test_an_earlier_runtime_lets_in_only_tokens_that_it_can_hold_to_what_they_may(
    tmp_path: Path, access: Access | None, hashes: str | None
) -> None:
    job = serving_job(replace(release_of(tmp_path, ()), access=access), tmp_path, "00", proven=False)
    assert Access.read(job["access"]) == access
    assert job["token_hash"] == hashes


def test_a_release_without_rules_lets_in_no_token_with_scopes(tmp_path: Path) -> None:
    release = release_of(tmp_path, ())
    everyone = Access((ALL, READS, SHORT))
    assert release.lets_in(everyone) == Access((ALL, SHORT))
    ruled = replace(release, manifest={"scopes": {"rules": {"*": ["read"]}, "implies": {}}})
    assert ruled.lets_in(everyone) == everyone
    assert release.hears_access
    assert not replace(release, runtime=tmp_path / "older").hears_access


def test_releases_with_the_same_limits_share_a_file_that_others_do_not_keep(tmp_path: Path) -> None:
    release = release_of(tmp_path, ())
    assert windows_file(tmp_path, release) is None
    limited = replace(release, manifest={"limits": {"read": [1, 60.0]}})
    first = windows_file(tmp_path, limited)
    assert first is not None
    assert windows_file(tmp_path, replace(limited, number=2)) == first
    other = windows_file(tmp_path, replace(limited, manifest={"limits": {"read": [2, 60.0]}}))
    assert other is not None
    assert list((tmp_path / "limits").iterdir()) == [other]
    (tmp_path / "file").touch()
    assert windows_file(tmp_path / "file", limited) is None, "each worker counts for itself"


def test_workers_in_containers_count_in_a_file_that_outlives_their_container(tmp_path: Path) -> None:
    release = replace(
        release_of(tmp_path, ()), container=Container("image", "none"), manifest={"limits": {"a": [1, 60]}}
    )
    seen = windows_file(tmp_path, release)
    assert seen is not None
    assert seen.parent == Path(CALLS_INSIDE), "of what a container sees, the rest is read-only or the server's"
    made = tmp_path / CALLS / seen.name
    assert made.stat().st_mode & 0o777 == 0o666, "the container's user is another one"
    (victim := tmp_path / "victim").touch(mode=0o600)
    made.unlink()
    made.symlink_to(victim)
    assert windows_file(tmp_path, release) is None, "a server of the platform's own user may have put it there"
    assert victim.stat().st_mode & 0o777 == 0o600
