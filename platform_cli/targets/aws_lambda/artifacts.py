"""Packs a bundle into three zips: the packages and the runtime as layers, and the function itself.

A change of the code uploads the function's zip alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from packaging.tags import platform_tags

from homeport_runtime.guard.issuer_file import FILE_NAME as ISSUER
from homeport_runtime.loading.manifest import APP_FOLDER, FILE_NAME
from homeport_runtime.loading.packed import FILE_NAME as PACK
from homeport_runtime.loading.packed import pack_bytecode
from homeport_runtime.protocol.discovery import FILE_NAME as DISCOVERY

from ...config.project import Architecture, LambdaSettings
from ...errors import BuildError, ConfigError
from ...home import Home
from ...infra_files import infra_file
from ...pipeline.archive import Archive, Entry, read_archive, write_archive
from ...pipeline.build import Built
from ...pipeline.layer import build_layer
from ...pipeline.lock import make_lock
from ...pipeline.model import Bundle, Interpreter, Layer
from ...pipeline.record import check_records
from ...pipeline.stages import Stages
from .bytecode import compile_files, compile_in_place, pyc_name, sources_of

# Managed runtimes, and the oldest glibc of each (https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html):
# Amazon Linux 2 up to 3.11, 2023 from 3.12 on.
WHEELS = {"3.10": "manylinux2014", "3.11": "manylinux2014", "3.12": "manylinux_2_28", "3.13": "manylinux_2_28",
          "3.14": "manylinux_2_28"}  # fmt: skip
OLD = ("3.10", "3.11")
# Python's own last fixes (PEP 619), after which AWS ends the runtime in steps
# (https://docs.aws.amazon.com/lambda/latest/dg/runtime-support-policy.html).
ENDED = {"3.10": "October 2026"}
MACHINES = {"arm64": "aarch64", "x86_64": "x86_64"}
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_UNZIPPED = 250 * 1024 * 1024
SHOWN_PACKAGES = 10
# The version of what a packages' zip has beside the packages, so that no version of homeport takes another one's.
LAYOUT = "2"
# The packages that check the tokens of an issuer.
VERIFIERS = ("jwt/", "cryptography/")
# The keys of the manifest that matter only on this machine.
LOCAL_KEYS = ("interpreter", "layer", "files", "preload", "imports")


@dataclass(frozen=True, slots=True)
class Artifacts:
    """Holds the zips to upload; `python` is the managed runtime's version, such as `3.12`."""

    function: Archive
    packages: Archive
    runtime: Archive
    python: str
    architecture: Architecture


def check_python(minor: str, settings: LambdaSettings) -> None:
    """Raises ConfigError for a Python that Lambda does not have, or not with these settings."""
    if settings.snap_start and minor in OLD:
        raise ConfigError("snap_start needs Python 3.12 or newer", hint='python_version = "3.12" under [deployment]')
    if minor not in WHEELS:
        raise ConfigError(
            f"Lambda has no Python {minor}; it has {', '.join(WHEELS)}",
            hint='python_version = "3.12" under [deployment], with that Python on this machine',
        )


def end_of(minor: str) -> str | None:
    """Returns what the person should know of a Python whose time is over."""
    if minor not in ENDED:
        return None
    return (
        f"Python {minor} has had no fixes since {ENDED[minor]}, and AWS will refuse functions with it; "
        'python_version = "3.12" under [deployment]'
    )


def packages_for(own: Interpreter, settings: LambdaSettings) -> Interpreter:
    """Returns the Python with which the server is loaded here: with Lambda's packages if this machine can run them.

    Raises ConfigError as `check_python` does.
    """
    check_python(own.minor, settings)
    machine = MACHINES[settings.architecture]
    there = own.platform == f"linux-{machine}" and f"{WHEELS[own.minor]}_{machine}" in platform_tags()
    return on_lambda(own, settings.architecture) if there else own


def make_artifacts(
    built: Built,
    settings: LambdaSettings,
    discovery: Callable[[Bundle], Mapping[str, Any] | None],
    issuer: bytes | None,
    home: Home,
    stages: Stages,
) -> Artifacts:
    """Returns the zips of `built`, which are made once for the same content.

    `discovery` returns the content of discovery.json; `issuer` is that of issuer.json, None without one. Raises
    BuildError if they are larger than Lambda allows, and LayerError if the packages are not those of the lock.
    """
    manifest = built.bundle.manifest
    own = Interpreter(Path(manifest["interpreter"]["path"]), manifest["interpreter"]["version"], "")
    check_python(own.minor, settings)
    architecture = settings.architecture
    zips = home.cache / "lambda"
    with stages.run("package") as stage:
        foreign = on_lambda(own, architecture)
        lock, _cached = make_lock(built.requirements, foreign, home.cache)
        layer, _cached = build_layer(lock, foreign, home.layers)
        modules = _of_layer(manifest["imports"]["modules"], layer)
        early = _verifiers(packages_of(layer)) if issuer else []
        loaded = hashlib.sha256("\n".join([LAYOUT, *sorted(modules), *early]).encode()).hexdigest()[:16]
        packages = zips / f"packed-{lock.hash[:32]}-{loaded}.zip"
        runtime = zips / f"runtime-{manifest['runtime']}-{own.minor}.zip"
        known = f"-{hashlib.sha256(issuer).hexdigest()[:16]}" if issuer else ""
        function = zips / f"function-{built.bundle.hash}{known}.zip"
        stage.cached = all(path.exists() for path in (packages, runtime, function))
        if not packages.exists():
            # Somebody may have changed the layer since it was installed.
            check_records(layer.path)
            _zip_packages(packages, packages_of(layer), modules, early, own)
        if not runtime.exists():
            _zip_runtime(runtime, home.runtimes / manifest["runtime"], own)
        if not function.exists():
            _zip_function(function, built.bundle, discovery, issuer)
        made = Artifacts(read_archive(function), read_archive(packages), read_archive(runtime), own.minor, architecture)
        _check_size(sum(archive.unzipped for archive in (made.function, made.packages, made.runtime)), layer)
    return made


def on_lambda(own: Interpreter, architecture: Architecture) -> Interpreter:
    """Returns the same Python on Lambda."""
    return replace(own, platform=f"{MACHINES[architecture]}-{WHEELS[own.minor]}", foreign=True)


def _of_layer(modules: Sequence[str], layer: Layer) -> list[str]:
    """Returns the modules that may be of packages: the project's own and Python's do not change a zip of packages."""
    top = {path.name.removesuffix(".py") for path in layer.path.iterdir()}
    return [module for module in modules if module.partition(".")[0] in top]


def packages_of(layer: Layer) -> dict[str, Path]:
    """Returns the layer's files by their paths in it, without bytecode, which is this machine's."""
    files = {file.relative_to(layer.path).as_posix(): file for file in sorted(layer.path.rglob("*")) if file.is_file()}
    return {name: file for name, file in files.items() if "__pycache__" not in name}


def _verifiers(files: Mapping[str, Path]) -> list[str]:
    """Returns the source files of what checks an issuer's tokens, which is imported before the server and its pack."""
    return [name for name in files if name.startswith(VERIFIERS) and name.endswith(".py")]


def _zip_packages(
    path: Path, files: Mapping[str, Path], modules: Sequence[str], early: Sequence[str], own: Interpreter
) -> None:
    sources = {name: files[name] for name in sources_of(modules) if name in files}
    with ThreadPoolExecutor(1) as pool:
        compiled = pool.submit(compile_in_place, sources, own)
        entries = compiled_entries(files, early, own)
        write_archive(path, entries | {f"python/{PACK}": Entry(lambda: pack_bytecode(compiled.result()))})


def _zip_runtime(path: Path, runtime: Path, own: Interpreter) -> None:
    files = {file.relative_to(runtime).as_posix(): file for file in sorted(runtime.rglob("*.py"))}
    wrapper = Entry(infra_file("aws/wrapper").read_bytes(), executable=True)
    compiled = _pyc_entries(compile_in_place(files, own), own)
    write_archive(path, layer_entries(files) | compiled | {"homeport/wrapper": wrapper})


def layer_entries(files: Mapping[str, Path]) -> dict[str, Entry]:
    """Returns `files` as entries of a layer, on the path of Python."""
    return {f"python/{name}": Entry(file, executable=bool(file.stat().st_mode & 0o100)) for name, file in files.items()}


def compiled_entries(files: Mapping[str, Path], sources: Iterable[str], own: Interpreter) -> dict[str, Entry]:
    """Returns `files` as entries, with the bytecode of those that `sources` names."""
    compiled = compile_files({name: files[name] for name in sources if name in files}, own)
    return layer_entries(files) | _pyc_entries(compiled, own)


def _pyc_entries(bytecode: Mapping[str, bytes], own: Interpreter) -> dict[str, Entry]:
    return {f"python/{pyc_name(name, own)}": Entry(pyc) for name, pyc in bytecode.items()}


def _zip_function(
    path: Path, bundle: Bundle, discovery: Callable[[Bundle], Mapping[str, Any] | None], issuer: bytes | None
) -> None:
    app = bundle.path / APP_FOLDER
    entries = {
        f"{APP_FOLDER}/{file.relative_to(app).as_posix()}": Entry(file, executable=bool(file.stat().st_mode & 0o100))
        for file in app.rglob("*")
        # The bytecode is the inspection's, and has this machine's folders in it.
        if file.is_file() and "__pycache__" not in file.parts
    }
    manifest = {key: value for key, value in bundle.manifest.items() if key not in LOCAL_KEYS}
    entries[FILE_NAME] = Entry(json.dumps(manifest, sort_keys=True).encode())
    if (recorded := discovery(bundle)) is not None:
        entries[DISCOVERY] = Entry(json.dumps(recorded, sort_keys=True).encode())
    if issuer is not None:
        entries[ISSUER] = Entry(issuer)
    write_archive(path, entries)


def _check_size(total: int, layer: Layer) -> None:
    """Raises BuildError before anything is uploaded if the limit is exceeded.

    `total` is the size of function and layers together, unzipped, as Lambda counts them.
    """
    if total <= MAX_UNZIPPED:
        return
    sizes: dict[str, int] = {}
    for name, file in packages_of(layer).items():
        package = name.partition("/")[0]
        sizes[package] = sizes.get(package, 0) + file.stat().st_size
    largest = sorted(sizes.items(), key=lambda item: -item[1])[:SHOWN_PACKAGES]
    listed = ", ".join(f"{name} ({size / 1e6:.1f} MB)" for name, size in largest)
    raise BuildError(
        f"the server has {total / 1e6:.0f} MB with its {sum(sizes.values()) / 1e6:.0f} MB of packages, and Lambda "
        f"takes {MAX_UNZIPPED / 1e6:.0f}; the largest packages: {listed}",
        hint="leave out what the server does not need, or deploy it to the local target",
    )
