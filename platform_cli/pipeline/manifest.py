"""The manifest of a bundle as the platform reads it: only as it was built, for it decides which programs are run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from homeport_runtime.loading.manifest import FILE_NAME, ManifestData

from ..errors import BuildError

# Twice as many hexadecimal digits as anybody will ever type, and still short in a path.
HASH_DIGITS = 32
# What the inspection adds.
INSPECTED = frozenset({"server", "contract", "imports"})


def bundle_hash(manifest: Mapping[str, object]) -> str:
    """Same hash, same release: the inspection follows from the rest and is no part of it."""
    decisive = {key: value for key, value in manifest.items() if key not in INSPECTED}
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:HASH_DIGITS]


def read_manifest(folder: Path) -> ManifestData:
    """The manifest of the bundle, or the draft of one, in `folder`, whose name has its hash.

    What it says decides which programs the platform runs. Raises BuildError where it is not there, or not what was
    built.
    """
    name = folder.name.removeprefix(".").partition(".")[0]
    try:
        manifest = json.loads((folder / FILE_NAME).read_bytes())
    except FileNotFoundError:
        raise BuildError(f"the bundle {name} is not there any more", hint="deploy the project again") from None
    except (ValueError, RecursionError):
        manifest = None
    if not isinstance(manifest, dict) or bundle_hash(manifest) != name:
        raise BuildError(f"the bundle {name} has been changed since it was built", hint="deploy the project again")
    return cast("ManifestData", manifest)
