"""Groups a project's errors from its log, where no platform keeps any groups: the records of its errors are in it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import NoReturn, TypeVar

from ..api.error_group import ErrorGroup, ErrorGroupDetail
from ..database import open_database
from ..errors import InputError, NotFoundError
from ..telemetry.error_groups import find_group, list_groups
from ..telemetry.error_store import ErrorStore, Failed

# The errors that are read at most, the oldest first, and as far back, in seconds.
MAX_READ, KEPT_S = 20_000, 30 * 86400.0
Answer = TypeVar("Answer")


def groups_of(project: str, errors: Iterable[Failed]) -> list[ErrorGroup]:
    """Returns the groups of errors; the oldest group has the id 1."""
    return _grouped(errors, lambda path: list_groups(path, project))


def group_of(project: str, errors: Iterable[Failed], group: int) -> ErrorGroupDetail:
    """Returns one of the groups with its samples.

    Raises NotFoundError if there is none with this id.
    """
    if (found := _grouped(errors, lambda path: find_group(path, project, group))) is None:
        raise NotFoundError(f"{project} has no error {group}", hint=f"`homeport errors {project}` lists them")
    return found


def refuse_errors(place: str) -> NoReturn:
    """Raises InputError where errors have no records."""
    raise InputError(
        f"the errors of a project {place} are not recorded", hint="`homeport logs NAME --level error` has their lines"
    )


def refuse_change() -> NoReturn:
    """Raises InputError where the state of a group cannot be kept."""
    raise InputError("only a platform knows which errors are resolved or muted", hint="leave the action out")


def _grouped(errors: Iterable[Failed], read: Callable[[Path], Answer]) -> Answer:
    with tempfile.TemporaryDirectory(prefix="homeport-errors-") as folder:
        path = Path(folder) / "errors.sqlite"
        with closing(open_database(path)) as db:
            ErrorStore(db).write(sorted(islice(errors, MAX_READ), key=lambda each: each.time))
        return read(path)
