"""Names the folders of an image, which whoever builds images and what runs in them agree on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """Names the folders of an image whose root is `root`.

    Nothing is written below /opt/homeport; what is below /var/lib/homeport belongs to the server.
    """

    root: Path = Path("/")

    @property
    def bundle(self) -> Path:
        return self.root / "opt/homeport/bundle"

    @property
    def layer(self) -> Path:
        return self.root / "opt/homeport/layer"

    @property
    def runtime(self) -> Path:
        return self.root / "opt/homeport/runtime"

    @property
    def start(self) -> Path:
        """Returns the program that the image's command runs."""
        return self.root / "opt/homeport/start.py"

    @property
    def state(self) -> Path:
        """Returns the folder that a volume is mounted at, so that what the server writes outlives the container."""
        return self.root / "var/lib/homeport"

    @property
    def work(self) -> Path:
        """Returns the folder that the server runs in."""
        return self.state / "files"

    @property
    def home(self) -> Path:
        return self.state / "home"

    @property
    def cache(self) -> Path:
        return self.state / "cache"

    @property
    def sessions(self) -> Path:
        return self.state / "sessions"
