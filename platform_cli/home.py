"""Where homeport keeps its state: one folder, HOMEPORT_HOME or the user's data folder, mode 0700."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from .errors import InputError

# sockaddr_un holds 104 bytes on macOS and 108 on Linux, the terminating zero included.
MAX_SOCKET_PATH = 103


@dataclass(frozen=True, slots=True)
class Home:
    """The layout of the state folder. Layers, bundles and runtimes are named by content hash and never change."""

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
        """What can be computed again: locks, interpreters."""
        return self.root / "cache"

    @property
    def temporary(self) -> Path:
        """What is needed for a moment: uploads, checkouts, scratch copies (platform_cli.temporary)."""
        return self.root / "tmp"

    @property
    def projects(self) -> Path:
        return self.root / "projects"

    @property
    def store(self) -> Path:
        return self.root / "store.db"

    @property
    def socket(self) -> Path:
        """The control plane's Unix socket; when the home's own path is too long for one, where the user's sockets are
        (XDG Base Directory Specification), else in the temporary folder. See `check_socket_folder`.
        """
        path = self.root / "platform.sock"
        if len(os.fsencode(path)) <= MAX_SOCKET_PATH:
            return path
        digest = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]
        base = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
        return Path(base) / f"homeport-{os.getuid()}-{digest}" / "platform.sock"

    @property
    def caddy_admin(self) -> Path:
        """Where Caddy takes orders: whoever reaches this decides over the traffic of every project."""
        return self.socket.parent / "caddy.sock"

    @property
    def private(self) -> tuple[Path, ...]:
        """The folders that have all of this in them."""
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
    """Raises InputError where the folder of the socket, outside of the home, may be another user's, who would then hear
    every command: its name can be computed by everybody.
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
    """The folder that HOMEPORT_HOME names, else the user's data folder; it need not be there."""
    chosen = os.environ.get("HOMEPORT_HOME")
    return (Path(chosen).expanduser() if chosen else platformdirs.user_data_path("homeport")).absolute()


def open_home() -> Home:
    """The home that HOMEPORT_HOME names, else the user's data folder; created with mode 0700 if it is not there.

    Raises InputError if it cannot be created.
    """
    root = home_root()
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        ignore = root / ".gitignore"
        if not ignore.exists():
            # A home inside a project folder is no part of the project, for git as for a deploy: it holds secrets.
            ignore.write_text("*\n")
    except OSError as error:
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
