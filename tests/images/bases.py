"""Base images for tests, made by homeport's own builder."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path

from platform_cli.config.image_reference import Reference
from platform_cli.images.blobs import Blobs
from platform_cli.images.image_config import image_manifest
from platform_cli.images.layer_tar import Entry, write_layer
from platform_cli.images.model import Base, Image

# The C libraries that wheels may expect of every base (PEP 600).
EXPECTED = ("libgcc_s.so.1", "libstdc++.so.6", "librt.so.1", "libdl.so.2", "libpthread.so.0", "libresolv.so.2")
LEFT_OUT = ("site-packages", "test", "idlelib", "ensurepip", "__pycache__", "lib2to3")
_LOADED = re.compile(r"(?:=>\s*)?(/\S+)\s+\(0x")
EMPTY = Reference("127.0.0.1", "nothing", "latest")


def tiny_base(
    folder: Path,
    *,
    environment: Sequence[str] = ("PATH=/usr/local/bin:/usr/bin:/bin",),
    architecture: str = "amd64",
    history: str = "debian",
    files: Mapping[str, Entry] | None = None,
) -> tuple[Image, Blobs]:
    """An image with one layer, and the blobs of it below `folder`."""
    blobs = Blobs(folder / "blobs")
    layer = write_layer(blobs, files or {"etc/os-release": Entry(b"ID=debian\n")}, "base")
    config = json.dumps(
        {
            "architecture": architecture,
            "os": "linux",
            "config": {"Env": [*environment], "Labels": {"org.opencontainers.image.title": "base", "kept": "yes"}},
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id]},
            "history": [{"created_by": history}, {"created_by": "CMD", "empty_layer": True}],
        }
    ).encode()
    return Image(Base(EMPTY, (), {}), (layer,), config, image_manifest(config, (layer,), {})), blobs


def python_files() -> dict[str, Entry]:
    """This machine's Python with the libraries that it is linked to, for a base that runs without any download."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    interpreter = Path(sys.base_prefix, "bin", version)
    library = Path(sysconfig.get_paths(vars={"base": sys.base_prefix})["stdlib"])
    modules = [file for file in library.rglob("*") if file.is_file() and not {*file.parts} & {*LEFT_OUT}]
    needed = _linked([interpreter, *(library / "lib-dynload").glob("*.so")])
    return {
        f"usr/local/bin/{version}": Entry(interpreter, 0o755),
        "usr/local/bin/python3": Entry(link=version),
        **{f"usr/local/lib/{version}/{file.relative_to(library)}": Entry(file) for file in modules},
        # The loader's own path is in every program; it finds the others in its usual folders.
        **{
            str(file).lstrip("/") if file.name.startswith("ld-") else f"usr/lib/{file.name}": Entry(
                file.resolve(), 0o755
            )
            for file in needed
        },
        "lib": Entry(link="usr/lib"),
        "tmp": Entry(mode=0o1777),
    }


def _linked(programs: Sequence[Path]) -> set[Path]:
    said = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=False).stdout
    found = {Path(match[1]) for match in _LOADED.finditer(said)}
    return found | {file.parent / name for file in found for name in EXPECTED if (file.parent / name).exists()}
