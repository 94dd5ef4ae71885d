"""Runs what `homeport image` has made without a container engine: its own layers, unpacked, with this Python."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from tests.e2e.probing import wait_for

# The layers on top of the base: packages, runtime, app.
OWN = 3
START = (
    "import sys; from pathlib import Path; sys.path.append({runtime!r}); "
    "from homeport_runtime.hosts.container.serve import main; main(Path({root!r}))"
)


def unpack(layout: Path, root: Path) -> Path:
    """Returns `root` with the files that homeport has put into an image."""
    index = json.loads((layout / "index.json").read_bytes())
    manifest = json.loads(_blob(layout, index["manifests"][0]["digest"]).read_bytes())
    for layer in manifest["layers"][-OWN:]:
        with tarfile.open(_blob(layout, layer["digest"])) as tar:
            tar.extractall(root, filter="tar")
    return root


def _blob(layout: Path, digest: str) -> Path:
    return layout / "blobs" / digest.replace(":", "/")


@contextmanager
def running_image(root: Path, port: int, **environment: str) -> Iterator[Path]:
    """Runs the image below `root` as its container's first process would, and yields the file of its output."""
    code = START.format(runtime=str(root / "opt/homeport/runtime"), root=str(root))
    given = {"PATH": os.environ["PATH"], "PORT": str(port), "HOMEPORT_DRAIN_DELAY_S": "0", **environment}
    out = root / "out.txt"
    with out.open("wb") as stdout:
        process = subprocess.Popen([sys.executable, "-I", "-S", "-c", code], env=given, stdout=stdout, stderr=stdout)
    try:
        wait_for(lambda: process.poll() is not None or _is_healthy(port))
        assert process.poll() is None, out.read_text()
        yield out
    finally:
        process.terminate()
        process.wait(60)


def _is_healthy(port: int) -> bool:
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/health", timeout=10).status_code == 200
    except httpx2.TransportError:
        return False
