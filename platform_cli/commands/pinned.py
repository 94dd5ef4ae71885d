"""Pins homeport and all that it needs by hash, for machines that install it anew.

So no index has to be trusted about what is called homeport.
"""

from __future__ import annotations

import email
import hashlib
import zipfile
from pathlib import Path

from .. import __version__
from ..errors import InputError
from ..pipeline.uv import UvError, run_uv

# The Python and the platform of GitHub's runners, as the workflow sets them up.
PYTHON, PLATFORM = "3.12", "x86_64-manylinux_2_28"
HINT = f"--wheel FILE, the wheel of homeport {__version__} within this repository: `uv build --wheel` in its source"


def pinned_homeport(wheel: Path | None) -> str:
    """Returns a requirements.txt for pip's --require-hashes, with `wheel` by its path in the repository.

    Raises InputError if the wheel is missing or not this homeport's, or if its requirements cannot be resolved.
    """
    if wheel is None:
        raise InputError("the workflow needs homeport, by its hash", hint=HINT)
    if wheel.is_absolute() or ".." in wheel.parts:
        raise InputError(f"{wheel} is not a path within this repository", hint=HINT)
    try:
        content = wheel.read_bytes()
        with zipfile.ZipFile(wheel) as zipped:
            name = next(name for name in zipped.namelist() if name.endswith(".dist-info/METADATA"))
            metadata = email.message_from_bytes(zipped.read(name))
    except (OSError, zipfile.BadZipFile, StopIteration):
        raise InputError(f"{wheel} is no wheel", hint=HINT) from None
    if (metadata["Name"], metadata["Version"]) != ("homeport", __version__):
        raise InputError(f"{wheel} is {metadata['Name']} {metadata['Version']}, not this homeport", hint=HINT)
    needs = "\n".join(metadata.get_all("Requires-Dist", ()))
    options = (
        "--generate-hashes",
        "--no-header",
        "--no-annotate",
        "--python-version",
        PYTHON,
        "--only-binary",
        ":all:",
    )
    try:
        locked = run_uv(["pip", "compile", "--quiet", *options, "--python-platform", PLATFORM, "-"], input=needs)
    except UvError as error:
        raise InputError(f"what homeport needs cannot be resolved: {error.message}") from error
    return f"./{wheel.as_posix()} --hash=sha256:{hashlib.sha256(content).hexdigest()}\n{locked}"
