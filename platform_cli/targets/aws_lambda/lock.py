"""One deploy of a project at a time: each leaves a log stream with its name, and the earliest wins. AWS has no cheaper
thing that says who it belongs to from its first moment on.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ...errors import BusyError
from .client import AWS, MISSING, absent
from .names import log_group

PREFIX = "homeport-deploy/"
# No deploy lasts so long.
STALE_S = 900.0


@contextmanager
def deploy_lock(aws: AWS, project: str) -> Iterator[None]:
    """Raises BusyError. The lock of a deploy that was killed ends at once on its machine, elsewhere in time."""
    group = log_group(project)
    own = f"{PREFIX}{socket.gethostname()}/{os.getpid()}"
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
            raise BusyError(
                f"another deploy of {project} is under way ({name.removeprefix(PREFIX)})",
                hint="run the command again when it has ended",
            )
        _remove(aws, group, name)


def _remove(aws: AWS, group: str, name: str) -> None:
    with absent(MISSING):
        aws.logs.delete_log_stream(logGroupName=group, logStreamName=name)


def _is_over(stream: dict[str, Any]) -> bool:
    host, _, pid = stream["logStreamName"].removeprefix(PREFIX).partition("/")
    here = host == socket.gethostname() and pid.isdigit()
    return time.time() - stream["creationTime"] / 1000 > STALE_S or (here and not _lives(int(pid)))


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
