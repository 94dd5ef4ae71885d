"""Names the paths of homeport's state, which is all in one folder: HOMEPORT_HOME, or the user's data folder."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import socket
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .errors import InputError

# sockaddr_un holds 104 bytes on macOS and 108 on Linux, the terminating zero included.
MAX_SOCKET_PATH = 103


@dataclass(frozen=True, slots=True)
class Home:
    """Names the files and folders below the state folder `root`.

    Layers, bundles and runtimes are named by the hash of their content, and never change.
    """

    root: Path

    @property
    def layers(self) -> Path:
        return self.root / "layers"

    @property
    def bundles(self) -> Path:
        return self.root / "bundles"

    @property
    def runtimes(self) -> Path:
        return self.root / "runtimes"

    @property
    def cache(self) -> Path:
        """Returns the folder for what can be computed again, such as locks and interpreters."""
        return self.root / "cache"

    @property
    def containers(self) -> Path:
        """Returns the folder with a file for each bundle that the platform has made a container for."""
        return self.cache / "images" / "containers"

    @property
    def temporary(self) -> Path:
        """Returns the folder for uploads, checkouts and scratch copies, which platform_cli.temporary manages."""
        return self.root / "tmp"

    @property
    def projects(self) -> Path:
        return self.root / "projects"

    @property
    def store(self) -> Path:
        return self.root / "store.db"

    @property
    def isolation(self) -> Path:
        """Returns the file that says how servers are kept apart (platform_cli.isolation)."""
        return self.root / "isolation"

    @property
    def telemetry(self) -> Path:
        return self.root / "telemetry.sqlite"

    @property
    def exported(self) -> Path:
        """Returns the file that says up to where telemetry was sent to a collector."""
        return self.root / "otlp.json"

    @property
    def socket(self) -> Path:
        """Returns the path of the control plane's Unix socket.

        When the home's own path is too long for a socket, it is in XDG_RUNTIME_DIR (XDG Base Directory Specification),
        else in the temporary folder. See `check_socket_folder`.
        """
        path = self.root / "platform.sock"
        if len(os.fsencode(path)) <= MAX_SOCKET_PATH:
            return path
        digest = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]
        base = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
        return Path(base) / f"homeport-{os.getuid()}-{digest}" / "platform.sock"

    def is_served(self) -> bool:
        """Returns whether a control plane listens for this home: one that starts or ends may do so and not answer."""
        with socket.socket(socket.AF_UNIX) as client, contextlib.suppress(OSError):
            client.connect(str(self.socket))
            return True
        return False

    @property
    def caddy_admin(self) -> Path:
        """Returns the path of Caddy's admin socket: whoever reaches it controls the traffic of every project."""
        return self.socket.parent / "caddy.sock"

    @property
    def private(self) -> tuple[Path, ...]:
        """Returns the folders that hold all state: the root, and that of the socket when it is elsewhere."""
        outside = () if self.socket.is_relative_to(self.root) else (self.socket.parent,)
        return (self.root, *(folder for folder in outside if folder.is_dir()))

    @property
    def platform_lock(self) -> Path:
        return self.root / "platform.lock"

    @property
    def platform_log(self) -> Path:
        return self.root / "platform.log"

    def project(self, name: str) -> Path:
        return self.projects / name


def check_socket_folder(home: Home) -> None:
    """Refuses a folder of the socket, outside of the home, that may be another user's.

    Everybody can compute its name, and its owner would see every command. Raises InputError for such a folder.
    """
    folder = home.socket.parent
    if folder == home.root:
        return
    try:
        found = folder.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise InputError(
            f"{folder}, where the platform's socket belongs, is not this user's alone",
            hint="have it removed, or set HOMEPORT_HOME to a folder with a shorter path",
        )


def home_root() -> Path:
    """Returns the folder that HOMEPORT_HOME names, else the user's data folder; it may not exist yet."""
    if chosen := os.environ.get("HOMEPORT_HOME"):
        return Path(chosen).expanduser().absolute()
    # Imported late, since not all commands need it.
    import platformdirs

    return platformdirs.user_data_path("homeport").absolute()


def open_home() -> Home:
    """Returns the home that `home_root` names, and creates it with mode 0700 where it does not exist.

    Raises InputError if it cannot be created, and OSError if the disk is full.
    """
    root = home_root()
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        ignore = root / ".gitignore"
        if not ignore.exists():
            # A home inside a project folder must neither be committed nor deployed with it, since it holds secrets.
            ignore.write_text("*\n")
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise InputError(
            f"the folder for all state, {root}, cannot be made: {error.strerror}",
            hint="set HOMEPORT_HOME to a folder of your own",
        ) from error
    return Home(root)


def write_atomic(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Writes `data` so that a reader, or a crash at any moment, sees the old content or the new, never a part."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fd, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(mode)
        temporary.replace(path)
    except BaseException:
        temporary.unlink()
        raise
