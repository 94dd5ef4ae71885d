"""Builds local packages as wheels, from a copy, and names them by content: what a lock refers to never changes."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path

from ..errors import LockError
from .model import Interpreter
from .requirements_txt import content_hash
from .scratch import scratch_copy
from .uv import UvError, build_with_uv


def local_wheel(package: Path, interpreter: Interpreter, cache: Path) -> Path:
    """Returns the wheel of `package` (a folder, or an archive that is copied) below `cache`, and builds it if
    necessary.

    Raises LockError when it cannot be built, or is for this kind of machine only and another one is wanted.
    """
    identity = f"{content_hash(package)} {interpreter.minor}"
    final = cache / "wheels" / hashlib.sha256(identity.encode()).hexdigest()[:32]
    if not final.is_dir():
        final.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        built = Path(tempfile.mkdtemp(dir=final.parent, prefix=".new-"))
        try:
            if package.is_dir():
                _build(package, interpreter, built)
            else:
                shutil.copyfile(package, built / package.name)
            built.rename(final)
        except OSError:
            if not final.is_dir():  # another deploy was faster
                raise
        finally:
            shutil.rmtree(built, ignore_errors=True)
    wheel = next(file for file in sorted(final.iterdir()) if not file.name.startswith("."))
    if interpreter.foreign and wheel.suffix == ".whl" and not wheel.stem.endswith("-any"):
        raise LockError(
            f"{package.name} is compiled, and cannot be built here for {interpreter.platform}",
            hint="Publish a wheel of it for that platform to an index, and require it from there.",
        )
    return wheel


def _build(package: Path, interpreter: Interpreter, out: Path) -> None:
    with scratch_copy(package) as copy:
        try:
            build_wheel(copy, interpreter, out)
        except UvError as error:
            raise LockError(
                f"the local package {package} cannot be built: {error.build_reason}",
                hint=f"`uv build --wheel {package}` shows more.",
            ) from error


def build_wheel(copy: Path, interpreter: Interpreter, out: Path) -> None:
    """Builds the wheel of the project in `copy`, to which its backend may write, into the folder `out`."""
    args = ["build", "--wheel", "--python", str(interpreter.path), "--out-dir", str(out), str(copy)]
    build_with_uv(args, cwd=copy, out=out)
    (out / ".gitignore").unlink(missing_ok=True)
