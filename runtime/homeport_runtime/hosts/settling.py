"""Sets a worker's process up for the server that it is to run: the room in which it is confined, then its environment,
folders, input and output.
"""

from __future__ import annotations

import os
import signal
import site
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..loading.environment import module_folders, process_environment
from ..loading.manifest import APP_FOLDER
from ..telemetry import capture_output, store_output
from ..telemetry.scrub import Scrubber
from .job import Job

if TYPE_CHECKING:
    from .confinement import EmptyRoom


def confine(
    job: Job, lifeline: int, trees: Mapping[Path, int], empty_room: EmptyRoom | None, namespace: int | None
) -> None:
    """Confines the process before the server's code runs, and before there is a second thread."""
    from .confinement import Room, enter, enter_empty_room

    # Servers of other projects run the code below the layer and the runtime, too.
    shared = (job.layer, Path(__file__).parents[2], Path(sys.base_prefix))
    room = Room(job.hidden, job.writable, (*shared, *job.protected), job.by_landlock, job.user, job.home)
    if room.by_landlock:
        enter(room)
    else:
        (empty_room or enter_empty_room()).furnish(room, lifeline, trees, namespace)


def settle(job: Job) -> None:
    """Sets the process up for the server: environment, folder, path, input and output."""
    roots = job.manifest.roots
    environment = process_environment(job.environment, layer=job.layer, project=job.workdir, roots=roots)
    os.environ.clear()
    os.environ.update(environment)
    # A fork inherits the time zone of its zygote.
    time.tzset()
    os.chdir(job.workdir)
    _end_input()
    scrubber = Scrubber(job.secrets)
    if job.origin is None:
        capture_output(scrubber)
    else:
        store_output(scrubber, **job.origin)
    if str(job.layer) not in sys.path:
        site.addsitedir(str(job.layer))
    sys.path[:0] = [str(job.bundle / APP_FOLDER / entry) for entry in module_folders(job.environment)]
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _end_input() -> None:
    """Makes stdin a pipe at its end: some servers refuse to run over stdio where it is no pipe, as with /dev/null."""
    read, write = os.pipe()
    os.close(write)
    os.dup2(read, 0)
    os.close(read)
