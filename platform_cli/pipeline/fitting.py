"""Locks requirements for another Python of this machine where the one that runs homeport does not fit them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..home import write_atomic
from .lock import OtherPythonError, lock_identity, make_lock
from .model import Interpreter, Lock, Requirements


def fitting_lock(
    requirements: Requirements,
    first: Interpreter,
    find: Callable[[str], Interpreter],
    cache: Path,
    note: Callable[[str], None],
) -> tuple[Interpreter, Lock, bool]:
    """Returns the lock for the interpreter `first`, or for the one that `find` returns for what packages want
    (`>=3.12`), and whether the lock was found below `cache`.

    uv names what one package wants, and another may want more. Raises LockError when there is no solution, and what
    `find` raises.
    """
    remembered = cache / "locks" / f"{lock_identity(requirements, first)}.python"
    wanted = remembered.read_text() if remembered.exists() and requirements.upgrade is None else ""
    interpreter = find(wanted) if wanted else first
    tried: set[Interpreter] = set()
    while True:
        try:
            lock, locked = make_lock(requirements, interpreter, cache)
            break
        except OtherPythonError as error:
            wanted = ",".join(filter(None, (wanted, error.python)))
            tried.add(interpreter)
            interpreter = find(wanted)
            if interpreter in tried:
                raise
    if wanted and not locked:
        note(f"Python {interpreter.version} serves, since {requirements.origin} wants {wanted}")
    if wanted:
        # Only what has led to a lock: a package that nothing here can run may have a version tomorrow that can.
        write_atomic(remembered, wanted.encode())
    return interpreter, lock, locked
