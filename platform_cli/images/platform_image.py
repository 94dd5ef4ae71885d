"""Makes the image of a platform: homeport itself, as a virtual environment on top of a base with its Python."""

from __future__ import annotations

from importlib.metadata import distribution

from .. import __version__
from ..config.image_reference import DOCKER_HUB, Reference
from ..config.project import Architecture
from ..home import Home
from ..own_code import own_files
from ..pipeline.interpreter import find_interpreter
from ..pipeline.layer import build_layer
from ..pipeline.lock import make_lock
from ..pipeline.model import Interpreter, Requirements
from ..pipeline.stages import Stages
from .base import check_python, find_base, python_version
from .build import in_image
from .contents import Layers
from .image_config import STANDARD_LABELS, image_config, image_manifest
from .layer_tar import Entry
from .model import Image, Process
from .places import ROOT, UID, WORK, WORK_MODE
from .sbom import bill_of_materials

NAME = "homeport"
COMMAND = f"usr/local/bin/{NAME}"
STATE = f"{WORK}/state"
# Where Docker's official images have their Python.
PYTHON = "/usr/local/bin"
# Packages that are Python alone and have no wheel: one is made here.
WITHOUT_WHEEL = ("www-authenticate",)
LAUNCHER = f"""#!/{ROOT}/bin/python -I
import sys

from platform_cli.__main__ import main

sys.exit(main())
"""
HEALTH = f"import socket; socket.socket(socket.AF_UNIX).connect('/{STATE}/platform.sock')"
# The seconds that a platform with many projects may take to start.
START_TIMEOUT_S = 60.0


def make_platform_image(wanted: Reference | None, architecture: Architecture, home: Home, stages: Stages) -> Image:
    """Returns the image, whose base is `wanted`, else Docker's official image of the Python that runs this.

    It is the same for the same homeport and base. Raises ConfigError for a base that does not fit, and RegistryError if
    its registry does not answer.
    """
    own = find_interpreter(None, home.cache)
    foreign = in_image(own, architecture)
    with stages.run("lock") as stage:
        lock, stage.cached = make_lock(_requirements(), foreign, home.cache)
    with stages.run("layer") as stage:
        layer, stage.cached = build_layer(lock, foreign, home.layers)
    with stages.run("base"):
        official = Reference(DOCKER_HUB, "library/python", f"{own.minor}-slim")
        base = find_base(wanted or official, architecture, home, anew=True)
        check_python(base, own.minor)
    with stages.run("image"):
        layers, packages = Layers(home), _packages(own)
        files = {f"{packages}/{name}": file for name, file in own_files().items()}
        made = (
            *([layers.python(own)] if python_version(base) else []),
            layers.packages(lock, layer, own, packages, f"{ROOT}/packages.cdx.json"),
            layers.homeport(files, _others(own), own),
        )
        labels = {
            **{f"{STANDARD_LABELS}{key}": text for key, text in (("title", NAME), ("version", __version__))},
            f"{STANDARD_LABELS}base.name": f"{base.reference.name}:{base.reference.tag}",
            f"{STANDARD_LABELS}base.digest": base.reference.digest or "",
        }
        config = image_config(base, made, _process(), labels)
        manifest = image_manifest(config, (*base.layers, *made), labels)
        return Image(base, made, config, manifest, bill_of_materials(lock))


def _requirements() -> Requirements:
    built = (f"--no-binary {name}" for name in WITHOUT_WHEEL)
    return Requirements("\n".join([*(distribution(NAME).requires or ()), *built]), "homeport's own")


def _packages(own: Interpreter) -> str:
    return f"{ROOT}/lib/python{own.minor}/site-packages"


def _others(own: Interpreter) -> dict[str, Entry]:
    """Returns what makes a virtual environment of the packages (PEP 405), and the platform's own folder."""
    environment = f"home = {PYTHON}\ninclude-system-site-packages = false\nversion = {own.version}\n"
    metadata = distribution(NAME).read_text("METADATA") or ""
    return {
        f"{ROOT}/pyvenv.cfg": Entry(environment.encode()),
        f"{ROOT}/bin/python": Entry(link=f"{PYTHON}/python{own.minor}"),
        f"{_packages(own)}/{NAME}-{__version__}.dist-info/METADATA": Entry(metadata.encode()),
        COMMAND: Entry(LAUNCHER.encode(), mode=0o755),
        WORK: Entry(mode=WORK_MODE, uid=UID),
    }


def _process() -> Process:
    return Process(
        command=(f"/{COMMAND}",),
        folder=f"/{WORK}",
        # The state is in a folder of the volume, since that one's owner and mode are not for the platform to choose.
        # `container` is what programs look for (https://systemd.io/CONTAINER_INTERFACE/).
        variables={"HOME": f"/{WORK}", "HOMEPORT_HOME": f"/{STATE}", "container": "oci"},
        health=(f"/{ROOT}/bin/python", "-I", "-S", "-c", HEALTH),
        start_timeout_s=START_TIMEOUT_S,
        arguments=("platform", "start", "--foreground"),
    )
