"""Reads the code of a version, as AWS keeps it."""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from homeport_runtime.loading.manifest import FILE_NAME

from ...errors import AWSError
from ...pipeline.archive import Archive, read_archive
from .client import AWS
from .names import function_name
from .versions import Version

if TYPE_CHECKING:
    from homeport_runtime.loading.manifest_data import ManifestData

DOWNLOAD_S = 60.0


@contextmanager
def fetched(aws: AWS, project: str, version: Version) -> Iterator[Archive]:
    """Yields the version's own zip, which exists within the context: $LATEST may have another one by now.

    Raises AWSError if it cannot be fetched.
    """
    name = function_name(project)
    location = aws.functions.get_function(FunctionName=name, Qualifier=version.number)["Code"]["Location"]
    with tempfile.TemporaryDirectory(prefix="homeport-code-") as folder:
        path = Path(folder) / "function.zip"
        try:
            with path.open("wb") as file, httpx.stream("GET", location, timeout=DOWNLOAD_S) as answer:
                answer.raise_for_status()
                for chunk in answer.iter_bytes():
                    file.write(chunk)
        except httpx.HTTPError as error:
            raise AWSError(
                f"the code of v{version.release} cannot be fetched from AWS: {type(error).__name__}",
                hint="run the command again",
            ) from None
        yield read_archive(path)


def manifest_of(code: Archive) -> ManifestData:
    with zipfile.ZipFile(code.path) as zipped:
        found: ManifestData = json.loads(zipped.read(FILE_NAME))
        return found


def contract_of(aws: AWS, project: str, version: Version) -> Mapping[str, Any] | None:
    """Returns what the server offered when the release was built; None for an app without MCP."""
    with fetched(aws, project, version) as code:
        return manifest_of(code)["contract"]
