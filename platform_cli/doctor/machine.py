"""Checks what homeport needs from this machine, with one small function for each check, which changes nothing."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from homeport_runtime.hosts.confinement import means

from .. import __version__
from ..errors import HomeportError, InputError, PlatformError
from ..home import Home, open_home
from ..isolation import isolation
from ..pipeline.uv import run_uv
from ..platform_client.client import PlatformClient
from ..supervisor.own_user import obstacle
from ..supervisor.sockets import HOST, open_new_listener
from .reach import Reach, in_container, reach_here

Status = Literal["ok", "warning", "problem"]

MINIMUM_PYTHON = (3, 11)
# A layer of fastmcp is about 120 MB with its bytecode, and uv's cache holds the same packages once more.
LITTLE_DISK = 2 * 1000**3
NO_DISK = 300 * 1000**2
ANSWER_TIMEOUT_S = 5.0
# The first Caddy without CVE-2026-27585 to 27590; 27589 lets any web page control the admin API on its port
# (https://github.com/caddyserver/caddy/security/advisories/GHSA-879p-475x-rqh2).
SAFE_CADDY = (2, 11, 1)
# Caddy's default admin port, which everybody on the machine can reach.
CADDY_ADMIN_PORT = 2019

NAMESPACES_IN_CONTAINER = (
    "allow the container namespaces: by the seccomp profile in infra/container/platform, where AppArmor is with "
    "apparmor:unconfined, too"
)


@dataclass(frozen=True, slots=True)
class Check:
    """Is the result of a check: `detail` is what was seen, `fix` what to do about it when the status is not ok."""

    name: str
    status: Status
    detail: str
    fix: str | None = None


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Holds a target's `checks`, in the order in which a deploy would fail, and what a deployed server can `reach`."""

    checks: Iterable[Check]
    reach: Iterable[Reach] = ()


def diagnose_machine() -> Diagnosis:
    try:
        home = open_home()
    except InputError:
        # There is no home: the checks say so.
        return Diagnosis(run_checks())
    return Diagnosis(run_checks(), reach_here(home.root, _platform_process(home)))


def run_checks() -> Iterator[Check]:
    """Yields every check's result, in the order in which a deploy would fail."""
    yield check_python(sys.version_info[:3])
    yield check_uv()
    yield check_port()
    try:
        home = open_home()
    except InputError as error:
        yield Check("home", "problem", error.message, error.hint)
        return
    checks: tuple[Callable[[], Check], ...] = (
        lambda: check_home(home.root),
        lambda: check_confinement(home.root),
        lambda: check_users(home),
        lambda: check_disk(home.root),
        lambda: check_platform(home),
        check_caddy,
    )
    for check in checks:
        yield check()


def check_python(version: tuple[int, ...]) -> Check:
    shown = ".".join(map(str, version))
    if version[:2] < MINIMUM_PYTHON:
        return Check(
            "python", "problem", f"homeport runs on Python {shown}", "install homeport with Python 3.11 or newer"
        )
    return Check("python", "ok", f"{shown}, {sys.executable}")


def check_uv() -> Check:
    try:
        return Check("uv", "ok", run_uv(["--version"]).strip())
    except (HomeportError, OSError) as error:
        return Check("uv", "problem", f"uv does not run: {error}", "reinstall homeport: pip install homeport")


def check_port() -> Check:
    try:
        _port, listener = open_new_listener(())
    except (HomeportError, OSError) as error:
        fix = error.hint if isinstance(error, HomeportError) else "see why this user may not listen on 127.0.0.1"
        return Check("port", "problem", str(error), fix)
    listener.close()
    return Check("port", "ok", "one is free for the next project")


def check_home(root: Path) -> Check:
    found = root.stat()
    if found.st_uid != os.getuid() or not os.access(root, os.R_OK | os.W_OK | os.X_OK):
        return Check("home", "problem", f"{root} is not yours to write", "set HOMEPORT_HOME to a folder of your own")
    if found.st_mode & 0o077:
        return Check("home", "warning", f"{root} can be read by other users", f"chmod 700 {root}")
    return Check("home", "ok", str(root))


def check_confinement(root: Path) -> Check:
    confined_by = means(root)
    if confined_by:
        by = "" if confined_by == "namespaces" else "; by Landlock, so each starts without a process to be forked from"
        detail = f"servers see nothing of {root} but what is theirs{by}"
        if confined_by == "landlock" and in_container():
            return Check("confinement", "warning", detail, NAMESPACES_IN_CONTAINER)
        return Check("confinement", "ok", detail)
    detail = "servers run as you and nothing hides the platform's secrets and other projects from them"
    fix = "deploy servers that you trust, and others to a platform of another user"
    if in_container():
        fix += f"; or {NAMESPACES_IN_CONTAINER}"
    elif sys.platform == "linux":
        fix += (
            "; or allow user namespaces: sysctl -w user.max_user_namespaces=10000, on Ubuntu also "
            "kernel.apparmor_restrict_unprivileged_userns=0"
        )
    return Check("confinement", "warning", detail, fix)


def check_users(home: Home) -> Check:
    """Checks as which users servers run: as root's they could change every file of the machine."""
    if os.getuid() != 0:
        return Check("users", "ok", "servers run as you, as they do by hand")
    match isolation(home):
        case "users":
            detail = "each server runs as a user of its own, but root runs what an older homeport has deployed"
            return Check("users", "ok", detail)
        case "container":
            return Check("users", "ok", "each server runs in a container of its own")
    detail = "servers run as root, as they do by hand, and may read and change every file outside of the platform's"
    try:
        is_public = PlatformClient(home, timeout_s=ANSWER_TIMEOUT_S).platform()["domain"] is not None
    except PlatformError:
        is_public = False
    if not is_public:
        return Check("users", "ok", detail)
    if reason := obstacle(home.root):
        return Check("users", "warning", detail, f"run the platform as another user, since here {reason}")
    return Check("users", "warning", detail, "homeport platform start --isolate users gives each its own")


def check_disk(folder: Path) -> Check:
    free = shutil.disk_usage(folder).free
    detail = f"{free / 1000**3:.1f} GB free at {folder}"
    if free < LITTLE_DISK:
        status: Status = "problem" if free < NO_DISK else "warning"
        return Check("disk", status, detail, "free some space: uv cache prune, or homeport destroy old projects")
    return Check("disk", "ok", detail)


def check_platform(home: Home) -> Check:
    try:
        platform = PlatformClient(home, timeout_s=ANSWER_TIMEOUT_S).platform()
    except PlatformError:
        return _silent_platform(home)
    if platform["version"] != __version__:
        detail = f"version {platform['version']} runs, this is {__version__}"
        return Check("platform", "warning", detail, "homeport platform start replaces it")
    return Check("platform", "ok", f"running, process {platform['pid']}, {platform['projects']} projects")


def check_caddy() -> Check:
    """Checks Caddy, which serves public names; without it a platform serves this machine alone."""
    program = shutil.which("caddy")
    if program is None:
        return Check("caddy", "ok", "not installed; only public names (--domain) need it")
    said = subprocess.run([program, "version"], capture_output=True, text=True, check=False).stdout.strip()
    found = re.match(r"v?(\d+)\.(\d+)\.(\d+)", said)
    with socket.socket() as connection:
        connection.settimeout(ANSWER_TIMEOUT_S)
        if connection.connect_ex((HOST, CADDY_ADMIN_PORT)) == 0:
            detail = f"a Caddy takes orders on port {CADDY_ADMIN_PORT}, from every server, too"
            fix = "serve the public names by one that was started with the platform's Caddyfile, and end this one"
            return Check("caddy", "problem", detail, f"{fix}: see infra/systemd")
    if found is not None and tuple(map(int, found.groups())) < SAFE_CADDY:
        safe = ".".join(map(str, SAFE_CADDY))
        detail = f"{program} {said} has known holes (CVE-2026-27585 to CVE-2026-27590)"
        return Check("caddy", "warning", detail, f"install {safe} or newer: https://caddyserver.com/docs/install")
    return Check("caddy", "ok", f"{said.split()[0] if said else 'of an unknown version'}, {program}")


def _platform_process(home: Home) -> int | None:
    try:
        return PlatformClient(home, timeout_s=ANSWER_TIMEOUT_S).platform()["pid"]
    except PlatformError:
        return None


def _silent_platform(home: Home) -> Check:
    if _is_locked(home.platform_lock):
        fix = f"see {home.platform_log}; end the process that holds {home.platform_lock} (lsof names it)"
        return Check("platform", "problem", "its process is there and does not answer", fix)
    if home.socket.exists():
        detail = "it ended without cleaning up: its socket is still there"
        return Check("platform", "warning", detail, "homeport platform start")
    return Check("platform", "ok", "not running; the next deploy starts it")


def _is_locked(path: Path) -> bool:
    """Tells whether a control plane holds the lock of this home."""
    if not path.exists():
        return False
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
