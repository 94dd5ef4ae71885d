"""Sees to it that tests leave no process, no mount and no folder, however they end."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path

# From <linux/sched.h>.
CLONE_NEWNS = 0x00020000


def ending_with_us(*command: str, signal: str = "TERM") -> list[str]:
    """Returns the command of a process that gets the signal when the thread that starts it ends, killed or not."""
    return ["setpriv", "--pdeathsig", signal, *command] if sys.platform == "linux" else [*command]


def keep_mounts_private() -> None:
    """Gives this process, and all that it starts, a mount namespace, which ends with the last of them.

    It changes nothing for who may not do that.
    """
    if sys.platform == "linux" and os.geteuid() == 0 and ctypes.CDLL(None).unshare(CLONE_NEWNS) == 0:
        # What is unmounted outside is unmounted inside.
        subprocess.run(["mount", "--make-rslave", "/"], check=False)


def remove(folder: Path) -> None:
    """Removes a folder with what is mounted in it."""
    for mounted in reversed(_mounted_below(folder)):
        subprocess.run(["umount", "--lazy", mounted], check=False)
    shutil.rmtree(folder, ignore_errors=True)


def _mounted_below(folder: Path) -> list[str]:
    if sys.platform != "linux":
        return []
    # Fields are as in fstab(5): none that tests mount has a blank in its path.
    targets = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    return [target for target in targets if Path(target).is_relative_to(folder)]
