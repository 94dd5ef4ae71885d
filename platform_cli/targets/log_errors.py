"""Groups a project's errors from its log, where no platform keeps any groups: the records of its errors are in it."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ..api.error_group import Change, ErrorGroup, ErrorGroupDetail
from ..database import open_database
from ..errors import NotFoundError
from ..telemetry.error_event import read_error
from ..telemetry.error_groups import find_group, list_groups
from ..telemetry.error_store import ErrorStore, Failed
from .group_states import GroupState, GroupStates, read_state

# How homeport_runtime.telemetry.error_records begins a record.
RECORD = '{"error":{'
# The errors that are read at most, the oldest first, and as far back, in seconds.
MAX_READ, KEPT_S = 20_000, 30 * 86400.0
# The numbers that a group may have, which are short enough to be typed.
NUMBERS = 1_000_000


def is_error(line: str) -> bool:
    """Tells whether a line is, or pretends to be, the record of an error."""
    return line.startswith(RECORD)


def failed_in(line: str, project: str, time: float) -> Failed | None:
    """Returns the error in a line that was printed at `time`, None if there is none."""
    if not is_error(line) or (error := read_error(line.encode("utf-8", "replace"))) is None:
        return None
    return Failed(time, project, _release(json.loads(line).get("release")), error)


def _release(said: object) -> int:
    """Returns the number of a release, 0 for what is none."""
    number = str(said).removeprefix("v")
    return int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 0


class LoggedErrors:
    """Is the errors of a project: those that its log has, which `read` yields, in the `states` that people gave their
    groups.
    """

    def __init__(self, project: str, read: Callable[[], Iterable[Failed]], states: GroupStates) -> None:
        self._project = project
        self._read = read
        self._states = states

    def groups(self) -> list[ErrorGroup]:
        """Returns the groups, those that are open first."""
        with self._grouped() as grouped:
            return [{**group, "id": grouped.numbers[group["id"]]} for group in list_groups(grouped.path, self._project)]

    def group(self, number: int) -> ErrorGroupDetail:
        """Returns one of the groups with its samples.

        Raises NotFoundError if there is none with this number.
        """
        with self._grouped() as grouped:
            return self._detail(grouped, number)

    def change(self, number: int, state: Change, newest: int) -> ErrorGroupDetail:
        """Sets the state of a group; `newest` is the project's newest release.

        Raises NotFoundError if there is none with this number, InputError if states cannot be kept.
        """
        with self._grouped() as grouped:
            key = grouped.keys[self._find(grouped, number)]
            made = GroupState(state, newest if state == "resolved" else None, time.time())
            self._states.write(key, made.text())
            grouped.store.restore(self._project, key, made.state, made.release, made.at)
            return self._detail(grouped, number)

    def _detail(self, grouped: _Grouped, number: int) -> ErrorGroupDetail:
        found = find_group(grouped.path, self._project, self._find(grouped, number))
        if found is None:
            raise self._missing(number)
        return {**found, "id": number}

    def _find(self, grouped: _Grouped, number: int) -> int:
        for group, given in grouped.numbers.items():
            if given == number:
                return group
        raise self._missing(number)

    def _missing(self, number: int) -> NotFoundError:
        hint = f"`homeport errors {self._project}` lists them"
        return NotFoundError(f"{self._project} has no error {number}", hint=hint)

    @contextmanager
    def _grouped(self) -> Iterator[_Grouped]:
        with tempfile.TemporaryDirectory(prefix="homeport-errors-") as folder:
            path = Path(folder) / "errors.sqlite"
            with closing(open_database(path)) as db:
                store = ErrorStore(db)
                store.write(sorted(islice(self._read(), MAX_READ), key=lambda each: each.time))
                for key, text in self._states.read().items():
                    if (kept := read_state(text)) is not None:
                        store.restore(self._project, key, kept.state, kept.release, kept.at)
                keys = dict(db.execute("SELECT id, key FROM errors ORDER BY key").fetchall())
                yield _Grouped(path, store, keys, dict(zip(keys, _numbers(keys.values()), strict=True)))


@dataclass(frozen=True, slots=True)
class _Grouped:
    """Is a database at `path` with a project's groups: `keys` and `numbers` are by their ids in it, of which people see
    the numbers.
    """

    path: Path
    store: ErrorStore
    keys: Mapping[int, str]
    numbers: Mapping[int, int]


def _numbers(keys: Iterable[str]) -> Iterator[int]:
    """Yields a number for each key that is made of it, so that a group has the same one while others come and go.

    Of two with the same number, which hardly ever happens, the later one has the next that is free.
    """
    taken: set[int] = set()
    for key in keys:
        number = int(key[:12], 16) % NUMBERS
        while number in taken:
            number += 1
        taken.add(number)
        yield number
