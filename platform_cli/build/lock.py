"""Requirements -> Lock: exact versions with hashes for one Python and platform, resolved once and remembered."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from pathlib import Path

from packaging.requirements import Requirement

from platform_cli.build.model import Interpreter, Lock, Requirements
from platform_cli.build.requirements_txt import CONSTRAINT, CONTENT
from platform_cli.build.uv import FREE_DISK, UvError, run_uv
from platform_cli.errors import LockError
from platform_cli.home import write_atomic

# What homeport_runtime itself needs beside the user's packages.
RUNTIME_REQUIREMENTS = ("uvicorn>=0.30",)


def make_lock(requirements: Requirements, interpreter: Interpreter, cache: Path) -> tuple[Lock, bool]:
    """The lock of `requirements` and the runtime's own, and whether it was remembered below `cache`.

    Text that is locked already is resolved again only when it lacks what the runtime needs. Raises LockError with
    uv's own reason when there is no solution or no index can be reached.
    """
    identity = [requirements.text, requirements.locked, interpreter.minor, interpreter.platform, RUNTIME_REQUIREMENTS]
    remembered = cache / "locks" / f"{hashlib.sha256(json.dumps(identity).encode()).hexdigest()}.txt"
    try:
        return _lock(remembered.read_text(), interpreter), True
    except FileNotFoundError:
        pass
    missing = _missing(requirements)
    text = requirements.text if requirements.locked and not missing else _resolve(requirements, missing, interpreter)
    write_atomic(remembered, text.encode())
    return _lock(text, interpreter), False


def _lock(text: str, interpreter: Interpreter) -> Lock:
    normal = "\n".join(line.strip() for line in text.splitlines() if line.strip())
    identity = "\n".join([normal, interpreter.minor, interpreter.platform])
    return Lock(text, hashlib.sha256(identity.encode()).hexdigest(), interpreter.minor, interpreter.platform)


def _missing(requirements: Requirements) -> list[str]:
    """The runtime's requirements that no pin of the text satisfies."""
    missing = []
    for runtime in map(Requirement, RUNTIME_REQUIREMENTS):
        pin = re.search(rf"^{runtime.name}(?:\[[^\]]*\])?==([^\s;\\]+)", requirements.text, re.MULTILINE)
        if not pin or not runtime.specifier.contains(pin[1], prereleases=True):
            missing.append(str(runtime))
    return missing


def _resolve(requirements: Requirements, missing: list[str], interpreter: Interpreter) -> str:
    lines = requirements.text.splitlines()
    constraints = [line.removeprefix(CONSTRAINT) for line in lines if line.startswith(CONSTRAINT)]
    runtime = missing if requirements.locked else list(RUNTIME_REQUIREMENTS)
    args = [
        "pip",
        "compile",
        "--generate-hashes",
        "--no-header",
        "--no-annotate",
        *interpreter.uv_options,
        "-",
    ]
    # An empty folder: uv would read the configuration of whatever project it is started in.
    with tempfile.TemporaryDirectory(prefix="homeport-lock-") as folder:
        if constraints:
            file = Path(folder, "constraints.txt")
            file.write_text("\n".join(constraints) + "\n")
            args += ["--constraint", str(file)]
        try:
            resolved = run_uv(args, input="\n".join([*lines, *runtime]) + "\n", cwd=Path(folder))
        except UvError as error:
            raise _explain(error, requirements) from error
    # Where packages come from, and what local ones hold, belongs to the lock as much as their versions do.
    kept = [line for line in lines if line.startswith(("--", CONTENT))]
    return "\n".join([*kept, resolved.strip(), ""])


def _explain(error: UvError, requirements: Requirements) -> LockError:
    reason = error.message
    if error.disk_full:
        return LockError("the disk is full; the requirements could not be resolved", hint=FREE_DISK)
    if "network was disabled" in error.stderr or "Request failed" in reason or "error sending request" in error.stderr:
        return LockError(
            f"the package index cannot be reached: {reason}",
            hint="Check the network, UV_DEFAULT_INDEX and HTTPS_PROXY, then run the command again.",
        )
    where = f"the requirements of {requirements.origin}"
    if requirements.inferred:
        hint = "These were guessed from the imports; write a requirements.txt beside the server to say what it needs."
    elif "not found in the package registry" in reason:
        hint = "Check how the package is spelled, and that your index has it."
    else:
        hint = f"Change the versions named in {requirements.origin} so that they fit together and this Python."
    return LockError(f"{where} cannot be resolved: {reason}", hint=hint)
