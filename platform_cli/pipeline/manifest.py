"""Reads the manifest of a bundle, and refuses one that was changed, since it decides which programs are run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

from homeport_runtime.loading.manifest import FILE_NAME

from ..errors import BuildError

if TYPE_CHECKING:
    from homeport_runtime.loading.manifest_data import ManifestData

# The hexadecimal digits of a bundle's name: 128 bits, and still short in a path.
HASH_DIGITS = 32
# The keys that the inspection adds.
INSPECTED = frozenset({"server", "contract", "imports"})


def bundle_hash(manifest: Mapping[str, object]) -> str:
    """Returns the hash that names a bundle; what the inspection adds follows from the rest and is no part of it."""
    decisive = {key: value for key, value in manifest.items() if key not in INSPECTED}
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:HASH_DIGITS]


def read_manifest(folder: Path) -> ManifestData:
    """Returns the manifest of the bundle, or of the draft of one, in `folder`, whose name contains its hash.

    Raises BuildError if it does not exist, or is not what was built.
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
