"""Remembers up to where spans and logs were sent, in a file that is no part of the platform's state: without it, export
begins with what happens from then on.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from ..home import write_atomic
from ..supervisor.log_tail import Position


@dataclass(frozen=True, slots=True)
class SpanCursor:
    """Is the number and the time of the newest operation that was sent."""

    number: int
    time: float


@dataclass
class Cursors:
    """Holds the cursors: None and absent where nothing was sent yet."""

    path: Path
    spans: SpanCursor | None = None
    logs: dict[str, Position] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Cursors:
        """Returns the cursors of a file; one that is not there, or broken, has none."""
        try:
            known = json.loads(path.read_bytes())
            spans = SpanCursor(int(known["spans"][0]), float(known["spans"][1])) if known["spans"] else None
            logs = {str(name): Position(int(number), int(offset)) for name, (number, offset) in known["logs"].items()}
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return cls(path)
        return cls(path, spans, logs)

    def write(self) -> None:
        """Writes the file.

        Raises OSError if it cannot be written.
        """
        spans = [self.spans.number, self.spans.time] if self.spans else None
        logs = {name: [at.number, at.offset] for name, at in self.logs.items()}
        write_atomic(self.path, json.dumps({"spans": spans, "logs": logs}).encode())
