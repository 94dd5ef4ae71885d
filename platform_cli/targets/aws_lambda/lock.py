"""Allows one deploy of a project at a time: each creates a log stream with its name, and the earliest one wins.

AWS has nothing cheaper that shows its owner from its first moment on.
"""

from __future__ import annotations

import hashlib
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...errors import BusyError
from .client import AWS, MISSING, absent
from .names import log_group

PREFIX = "homeport-deploy/"
# The seconds after which a lock is stale, since no deploy lasts so long.
STALE_S = 900.0


@contextmanager
def deploy_lock(aws: AWS, project: str) -> Iterator[None]:
    """Holds the project's lock during the block.

    The lock of a deploy that was killed ends at once on its own machine, elsewhere after STALE_S. Raises BusyError if
    another deploy holds it.
    """
    group = log_group(project)
    own = f"{PREFIX}{_place()}/{os.getpid()}"
    with absent("ResourceAlreadyExistsException"):
        aws.logs.create_log_stream(logGroupName=group, logStreamName=own)
    try:
        _check_first(aws, group, own, project)
        yield
    finally:
        _remove(aws, group, own)


def _check_first(aws: AWS, group: str, own: str, project: str) -> None:
    streams = aws.logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=PREFIX)["logStreams"]
    for stream in sorted(streams, key=lambda stream: (stream["creationTime"], stream["logStreamName"])):
        name = stream["logStreamName"]
        if name == own:
            return
        if not _is_over(stream):
            end = f"aws logs delete-log-stream --log-group-name {group} --log-stream-name {name}"
            raise BusyError(
                f"another deploy of {project} is under way ({name.removeprefix(PREFIX)})",
                hint="run the command again when it has ended; if it was killed, it counts until "
                f"{_end(stream)}, or until {end}",
            )
        _remove(aws, group, name)


def _remove(aws: AWS, group: str, name: str) -> None:
    with absent(MISSING):
        aws.logs.delete_log_stream(logGroupName=group, logStreamName=name)


def _is_over(stream: dict[str, Any]) -> bool:
    place, _, pid = stream["logStreamName"].removeprefix(PREFIX).rpartition("/")
    here = place == _place() and pid.isdigit()
    return time.time() - stream["creationTime"] / 1000 > STALE_S or (here and not _lives(int(pid)))


def _end(stream: dict[str, Any]) -> str:
    return time.strftime("%H:%M:%S", time.localtime(stream["creationTime"] / 1000 + STALE_S))


def _place() -> str:
    """Returns a place in which a process id is unique: containers may share a host's name, and count from 1."""
    files = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    try:
        known = f"{files[0].read_text()}{files[1].stat().st_ino}"
    except OSError:
        return socket.gethostname()
    return f"{socket.gethostname()}/{hashlib.sha256(known.encode()).hexdigest()[:8]}"


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
