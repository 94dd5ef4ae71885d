"""Changes the secrets of a project where a target keeps all in one document, and each change is a version."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from typing import Generic, Protocol, TypeVar


class Document(Protocol):
    """Is one version of a project's secrets."""

    @property
    def values(self) -> Mapping[str, str]: ...


D = TypeVar("D", bound=Document)
T = TypeVar("T")


class SecretChanges(ABC, Generic[D]):
    """Decides what a change of a project's secrets writes, and leaves the writing to the target."""

    def set(self, values: Mapping[str, str]) -> list[str]:
        """Stores the values that differ from the current ones, all or none, and returns their names."""

        def change(before: D | None) -> list[str]:
            known = before.values if before else {}
            changed = {name: value for name, value in values.items() if known.get(name) != value}
            if changed:
                self._write(before, {**known, **changed}, changed)
            return list(changed)

        return self._first(change)

    def unset(self, name: str) -> bool:
        """Removes a value for releases to come, and returns whether it was set."""

        def change(before: D | None) -> bool:
            if before is None or name not in before.values:
                return False
            self._write(before, {key: value for key, value in before.values.items() if key != name}, {name})
            return True

        return self._first(change)

    @abstractmethod
    def _first(self, change: Callable[[D | None], T]) -> T:
        """Applies a change to the current version, again if another change came first."""

    @abstractmethod
    def _write(self, before: D | None, values: Mapping[str, str], changed: Collection[str]) -> None:
        """Writes the version after `before`, in which the values of `changed` are others."""
