"""Fetches Docker Compose from Debian 13, as Debian 12's is too old, and makes an image of Caddy, for tests of infra."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from platform_cli.config.image_reference import DOCKER_HUB, Reference
from platform_cli.images.layer_tar import Entry
from platform_cli.images.layout import write_layout
from tests.images.bases import tiny_base
from tests.support import require
from tests.targets.container.engines import programs

KEY = "/usr/share/keyrings/debian-archive-keyring.gpg"
SOURCE = f"deb [signed-by={KEY}] http://deb.debian.org/debian trixie main\n"


def compose(folder: Path) -> Path:
    """Returns the program, which is unpacked in `folder`."""
    require(shutil.which("apt-get") and Path(KEY).exists(), "Docker Compose is fetched from Debian")
    for part in ("lists/partial", "cache/archives/partial"):
        (folder / part).mkdir(parents=True)
    (folder / "sources.list").write_text(SOURCE)
    options = {
        "Dir::Etc::sourcelist": "sources.list", "Dir::Etc::sourceparts": "-", "Dir::State::lists": "lists",
        "Dir::Cache": "cache", "APT::Sandbox::User": "root",
    }  # fmt: skip
    apt = ["apt-get", *(f"-o{key}={folder / value if value != '-' else value}" for key, value in options.items())]
    for arguments in (["update"], ["download", "docker-compose"]):
        subprocess.run([*apt, *arguments], cwd=folder, capture_output=True, check=True)
    [package] = folder.glob("docker-compose_*.deb")
    subprocess.run(["dpkg", "-x", package, folder / "unpacked"], check=True)
    return folder / "unpacked/usr/libexec/docker/cli-plugins/docker-compose"


def caddy_layout(folder: Path) -> Path:
    """Returns a layout of an image like Caddy's own, of this machine's Caddy, named `caddy:2`."""
    files = {**programs("caddy", "sh", "sleep", "mkdir"), "tmp": Entry(mode=0o1777)}
    image, blobs = tiny_base(folder, environment=["PATH=/usr/bin:/bin"], files=files)
    write_layout(image, Reference(DOCKER_HUB, "library/caddy", "2"), folder / "layout", blobs)
    return folder / "layout"
