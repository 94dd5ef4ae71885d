"""From a manifest to an app that serves: the same for every host."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from ..app import App
from ..errors import ServerError
from ..guard.names import Names
from ..import_profile import PROFILE
from ..loader import find_server, load_module, start_error
from ..manifest import Manifest
from ..servers import adapt
from ..servers.base import ServeOptions, ServerAdapter
from ..servers.stdio import serve_command


@dataclass(frozen=True)
class Folders:
    """`app` is what was bundled, `work` where the server runs, `layer` holds the packages, `sessions` is None unless
    they are kept.
    """

    app: Path
    work: Path
    layer: Path
    sessions: Path | None


@dataclass(frozen=True)
class Prepared:
    """`kind` is the adapter's, `name` the server's in its module."""

    app: App
    kind: str
    name: str | None


def load(manifest: Manifest, folders: Folders) -> ModuleType | None:
    """The user's module; None for a command. Raises ServerError."""
    with PROFILE.measure(), _without_collection():
        return load_module(folders.app, folders.work, manifest.file) if manifest.file else None


@contextmanager
def _without_collection() -> Iterator[None]:
    """Hardly anything that an import makes is garbage: looking for it is a sixth of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


async def prepare(
    module: ModuleType | None,
    manifest: Manifest,
    folders: Folders,
    names: Names,
    state_key: bytes | None,
    token_hash: str | None,
    *,
    listens: bool = True,
) -> Prepared:
    """The app before its lifespan. Raises ServerError."""
    with _starting(folders):
        name, adapter = await _adapter(module, manifest, folders, ServeOptions(manifest.sessions, state_key))
        app = App(adapter, names, sessions=folders.sessions, token_hash=token_hash, listens=listens)
        return Prepared(app, adapter.kind, name)


@asynccontextmanager
async def started(
    app: App, folders: Folders, tools: Sequence[Mapping[str, Any]] | None
) -> AsyncIterator[Mapping[str, Any] | None]:
    """The app within its lifespan, warm; what it said of itself while it warmed up. Raises ServerError for what happens
    before that, and only for that.
    """
    with _starting(folders):
        lifespan = app.lifespan()
        await lifespan.__aenter__()
        contract = await app.warm_up(tools)
    try:
        yield contract
    finally:
        await lifespan.__aexit__(None, None, None)


@contextmanager
def _starting(folders: Folders) -> Iterator[None]:
    try:
        with PROFILE.measure():
            yield
    except ServerError:
        raise
    except (Exception, SystemExit) as error:
        hint = "its factory, its lifespan or one of its list handlers failed"
        raise start_error(error, folders.app, "while it started", hint) from error


async def _adapter(
    module: ModuleType | None, manifest: Manifest, folders: Folders, options: ServeOptions
) -> tuple[str | None, ServerAdapter]:
    if module is None:
        return None, serve_command(manifest.command or (), folders.layer, options)
    name, server = await find_server(module, str(manifest.file), manifest.object)
    return name, adapt(server, options)
