"""Reads back what an image's server offers, from the image's own layer in its registry."""

from __future__ import annotations

import gzip
import json
import tarfile
import tempfile
from collections.abc import Mapping
from typing import Any

from homeport_runtime.loading.manifest import FILE_NAME

from ..config.image_reference import Reference
from ..errors import RegistryError
from .places import BUNDLE
from .registry import Repository


def contract_of(image: Reference) -> Mapping[str, Any] | None:
    """Returns the contract of an image that homeport has made, None for an app without MCP.

    Raises NotFoundError if the registry has it no more, and RegistryError if it is no such image.
    """
    with Repository(image) as repository, tempfile.TemporaryFile() as file:
        manifest = json.loads(repository.manifest(image.digest or image.tag))
        # The app is the uppermost layer.
        for chunk in repository.pull(manifest["layers"][-1]["digest"]):
            file.write(chunk)
        file.seek(0)
        try:
            with gzip.open(file) as unpacked, tarfile.open(fileobj=unpacked) as tar:
                content = tar.extractfile(f"{BUNDLE}/{FILE_NAME}")
                contract: Mapping[str, Any] | None = json.load(content)["contract"] if content else None
        except (OSError, EOFError, tarfile.TarError, LookupError, ValueError):
            raise RegistryError(f"{image} is no image that homeport has made") from None
    return contract
