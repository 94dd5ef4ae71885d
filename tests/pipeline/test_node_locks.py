"""Tests which versions of the locks of pnpm and bun npm is told."""

from __future__ import annotations

from typing import Any

import pytest

from platform_cli.pipeline.node_locks import pinned

PACKAGE = {
    "name": "own",
    "dependencies": {"@scope/sdk": "^1.0.0", "beside": "workspace:*"},
    "devDependencies": {"typescript": "^5"},
    "peerDependencies": {"peer": "^1"},
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

  peer@1.0.0:
    resolution: {integrity: sha512-x}

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
BUN = """{
  "lockfileVersion": 1,
  "workspaces": {
    "": {
      "name": "own",
      "dependencies": {
        "@scope/sdk": "^1.0.0",
      },
    },
  },
  "packages": {
    "@scope/sdk": ["@scope/sdk@1.2.3", "", { "dependencies": { "zod": "^3.0.0" } }, "sha512-x"],

    "beside": ["beside@workspace:packages/beside"],

    "typescript": ["typescript@5.8.2", "", { "bin": { "tsc": "bin/tsc" } }, "sha512-x"],

    "zod": ["zod@3.24.2", "", {}, "sha512-x"],

    "twice": ["twice@1.0.0", "", {}, "sha512-x"],

    "typescript/twice": ["twice@2.0.0", "", {}, "sha512-x"],
  }
}
"""


@pytest.mark.parametrize("version", LOCKS)
def test_a_version_is_taken_where_there_is_one(version: int) -> None:
    _is_pinned(pinned(PACKAGE, "pnpm-lock.yaml", LOCKS[version]))


def test_a_version_of_bun_is_taken_where_there_is_one() -> None:
    _is_pinned(pinned(PACKAGE, "bun.lock", BUN))


def _is_pinned(package: dict[str, Any]) -> None:
    assert package["dependencies"] == {"@scope/sdk": "1.2.3", "beside": "workspace:*"}
    assert package["devDependencies"] == {"typescript": "5.8.2"}
    assert package["overrides"] == {"zod": "3.24.2", "mine": "3.0.0"}
    assert package["name"] == "own"


@pytest.mark.parametrize(("name", "text"), [("pnpm-lock.yaml", "packages: {}\n"), ("bun.lock", "{")])
def test_a_lock_that_cannot_be_read_changes_nothing(name: str, text: str) -> None:
    assert pinned({"dependencies": {"zod": "^3"}}, name, text) == {
        "dependencies": {"zod": "^3"},
        "overrides": {},
    }
