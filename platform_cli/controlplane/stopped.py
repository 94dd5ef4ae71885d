"""Explains why a control plane cannot serve to whoever has started it, since its log may be on the disk
that is full.
"""

from __future__ import annotations

import errno
import os
import sqlite3

from ..errors import HomeportError

HINTS = {
    errno.ENOSPC: "free space on the disk of HOMEPORT_HOME: what is deployed serves again then",
    errno.EDQUOT: "free space within the quota of HOMEPORT_HOME: what is deployed serves again then",
    errno.EROFS: "HOMEPORT_HOME has to be where this user may write",
    errno.EACCES: "HOMEPORT_HOME has to be where this user may write",
    errno.EMFILE: "`ulimit -n 1024` in this shell, or more: the platform needs some 40 files for itself",
}

DAMAGED = (
    "a file of HOMEPORT_HOME is damaged: put the folder back from a copy, or move it away and deploy the projects again"
)
# What SQLite says beside a full disk.
SQLITE_HINTS = {
    sqlite3.SQLITE_CORRUPT: DAMAGED,
    sqlite3.SQLITE_NOTADB: DAMAGED,
    sqlite3.SQLITE_READONLY: HINTS[errno.EACCES],
}


def reason_to_stop(error: Exception) -> str:
    """Returns what happened, and in a second line what to do."""
    message, hint = str(error), None
    if isinstance(error, HomeportError):
        message, hint = error.message, error.hint
    elif isinstance(error, OSError):
        name = f": {error.filename}" if error.filename else ""
        message, hint = f"{error.strerror or error}{name}", HINTS.get(error.errno or 0)
    elif isinstance(error, sqlite3.Error):
        # Its lowest byte is what went wrong, those above say where: https://sqlite.org/rescode.html
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_FULL) & 0xFF
        message = f"what it keeps cannot be read or written: {error}"
        hint = SQLITE_HINTS.get(code, HINTS[errno.ENOSPC])
    return os.linesep.join(filter(None, (message.partition("\n")[0], hint)))
