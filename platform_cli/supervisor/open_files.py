"""Raises the limit on the platform's file descriptors."""

from __future__ import annotations

import contextlib
import resource

# The limits to ask for: that of infra/systemd, else what macOS grants (OPEN_MAX of <sys/syslimits.h>).
OPEN_FILES = (65_536, 10_240)


def raise_open_files() -> int:
    """Raises the limit as far as the system allows, and returns it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in OPEN_FILES:
        if soft == resource.RLIM_INFINITY or soft >= wanted:
            return wanted
        allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
            return allowed
    return soft
