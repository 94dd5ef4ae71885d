"""Tests which versions of pnpm's lock npm is told."""

from __future__ import annotations

import pytest

from platform_cli.pipeline.pnpm_lock import pinned

PACKAGE = {
    "name": "own",
    "dependencies": {"@scope/sdk": "^1.0.0", "beside": "workspace:*"},
    "devDependencies": {"typescript": "^5"},
    "overrides": {"mine": "3.0.0"},
}
LOCKS = {
    9: """
lockfileVersion: '9.0'

importers:

  .:
    dependencies:
      '@scope/sdk':
        specifier: ^1.0.0
        version: 1.2.3(zod@3.24.2)

packages:

  '@scope/sdk@1.2.3':
    resolution: {integrity: sha512-x}
    peerDependencies:
      zod: ^3.0.0

  typescript@5.8.2:
    resolution: {integrity: sha512-x}

  zod@3.24.2:
    resolution: {integrity: sha512-x}

  twice@1.0.0:
    resolution: {integrity: sha512-x}

  twice@2.0.0:
    resolution: {integrity: sha512-x}

  mine@2.0.0:
    resolution: {integrity: sha512-x}

snapshots:

  'other@9.9.9': {}
""",
    6: """
lockfileVersion: '6.0'

packages:

  /@scope/sdk@1.2.3(zod@3.24.2):
    resolution: {integrity: sha512-x}

  /typescript@5.8.2:
    dev: true

  /zod@3.24.2:
    dev: false

  /twice@1.0.0:
    dev: false

  /twice@2.0.0:
    dev: false
""",
    5: """
lockfileVersion: 5.4

packages:

  /@scope/sdk/1.2.3:
    dev: false

  /typescript/5.8.2:
    dev: true

  /zod/3.24.2:
    dev: false
""",
}


@pytest.mark.parametrize("version", LOCKS)
def test_a_version_is_taken_where_there_is_one(version: int) -> None:
    package = pinned(PACKAGE, LOCKS[version])
    assert package["dependencies"] == {"@scope/sdk": "1.2.3", "beside": "workspace:*"}
    assert package["devDependencies"] == {"typescript": "5.8.2"}
    assert package["overrides"] == {"zod": "3.24.2", "mine": "3.0.0"}
    assert package["name"] == "own"


def test_a_lock_that_cannot_be_read_changes_nothing() -> None:
    assert pinned({"dependencies": {"zod": "^3"}}, "packages: {}\n") == {
        "dependencies": {"zod": "^3"},
        "overrides": {},
    }
