"""Turns a manifest into an app that serves, in the same way for every host."""

from __future__ import annotations

import asyncio
import gc
import shlex
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

from ..app import App
from ..errors import ServerError
from ..guard.access import Access
from ..guard.names import Names
from ..libraries.mcp import StateKey
from ..loading.import_profile import PROFILE
from ..loading.importing import AppImports
from ..loading.loader import NoServer, explaining, find_server, start_error
from ..loading.manifest import Manifest, Program
from ..servers import adapt
from ..servers.base import Given, ServeOptions, ServerAdapter
from ..servers.stdio import serve_command
from ..takeover.leaving import held_back
from ..takeover.point import NotServable, Takeover
from ..takeover.program import command, run_program

if TYPE_CHECKING:
    from ..guard.judge import Judge


@dataclass(frozen=True)
class Folders:
    """Holds the folders of a server.

    `app` is what was bundled, `work` where the server runs, `layer` holds the packages; `sessions` is None unless
    sessions are kept.
    """

    app: Path
    work: Path
    layer: Path
    sessions: Path | None


@dataclass(frozen=True)
class Served:
    """Describes what is to be served: the `server` object, or without one the stdio `command`.

    `name` is the name under which the object was found, None if a program has served it, with the options `given`.
    `chosen` tells the person what is served, and why.
    """

    chosen: str
    server: object = None
    name: str | None = None
    given: Given = field(default_factory=Given)
    command: tuple[str, ...] = ()


@dataclass(frozen=True)
class Prepared:
    """Holds an app before its lifespan, with the adapter's `kind`, the server's `name` in its module, and why it was
    chosen.
    """

    app: App
    kind: str
    name: str | None
    chosen: str


# Serves until the end, on the event loop of its caller.
Live = Callable[[Served], Coroutine[Any, Any, None]]
Fail = Callable[[ServerError], NoReturn]


def run(manifest: Manifest, folders: Folders, live: Live, fail: Fail) -> None:
    """Runs the server to its end, and calls `live` when it is to be served.

    Raises ServerError for a failure before that. `fail` gets the ServerError of `live` within a program, which might
    otherwise take it for an error of its own and continue.
    """
    program = manifest.program
    if program is None:
        asyncio.run(live(_over_stdio(manifest.command or ())))
    elif manifest.bridged:
        asyncio.run(live(_over_stdio(command(program), program.name)))
    elif program.file is not None and manifest.object is not None:
        with _loading(), explaining(program.file, folders.app, "while it was imported"):
            module = AppImports(folders.app, folders.work, manifest.roots).import_file(program.file)
        asyncio.run(_serve_found(module, program.file, manifest.object, folders, live))
    else:
        _run_program(program, manifest.roots, folders, live, fail)


def _run_program(program: Program, roots: Sequence[str], folders: Folders, live: Live, fail: Fail) -> None:
    loading = ExitStack()

    async def take(server: object, given: Given) -> None:
        loading.close()
        try:
            await live(Served(f"what {program.name} runs", server, given=given))
        except ServerError as error:
            fail(error)
        except Exception as error:
            # The program might take it for an error of its own, and nobody would hear of it.
            fail(start_error(error, folders.app, "while it was served", "this looks like a fault of homeport"))

    takeover = Takeover.begin(take)
    module = None
    with loading:
        loading.enter_context(_loading())
        try:
            with explaining(program.name, folders.app, "before it served"), held_back(takeover):
                module = run_program(program, AppImports(folders.app, folders.work, roots))
        except ServerError as error:
            if takeover.taken:
                # What the program does after serving does not matter.
                return
            if not NotServable.is_in(error.__cause__):
                raise
    if not takeover.taken:
        asyncio.run(_serve_found_or_bridge(module, program, folders, live))


async def _serve_found(module: ModuleType, file: str, name: str | None, folders: Folders, live: Live) -> None:
    with _starting(folders):
        found, server = await find_server(module, file, name)
    why = "as named" if name is not None else f"as {file} runs nothing"
    await live(Served(f"{found} of {file}, {why}", server, found))


async def _serve_found_or_bridge(module: ModuleType | None, program: Program, folders: Folders, live: Live) -> None:
    """Serves what a program that has ended without serving has in its main module, else the program
    itself over stdio.
    """
    try:
        if module is None:
            raise NoServer(program.name)
        await _serve_found(module, program.name, None, folders, live)
    except NoServer as nothing:
        try:
            await live(_over_stdio(command(program), program.name))
        except ServerError as error:
            raise ServerError(f"{nothing.message}, and over stdio: {error.message}", hint=nothing.hint) from error


def _over_stdio(words: tuple[str, ...], name: str = "") -> Served:
    return Served(f"{name or shown_command(words)}, over stdio", command=words)


def shown_command(words: tuple[str, ...]) -> str:
    """Returns what a command runs, for people to read: a key may be among its arguments."""
    program, *rest = words
    named = next((word for word in rest if word not in ("-y", "--yes", "-m")), "-")
    return program if "/" in program or named.startswith("-") else shlex.join((program, named))


@contextmanager
def _loading() -> Iterator[None]:
    with PROFILE.measure(), _without_collection():
        yield


@contextmanager
def _without_collection() -> Iterator[None]:
    """Turns garbage collection off, since imports make hardly any garbage, and collecting takes a sixth
    of their time.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def prepare(
    served: Served,
    manifest: Manifest,
    folders: Folders,
    names: Names,
    state_key: StateKey | None,
    access: Access | None,
    judge: Judge | None,
    *,
    listens: bool = True,
) -> Prepared:
    """Returns the app before its lifespan.

    Raises ServerError if the server cannot be served.
    """
    with _starting(folders):
        sessions = manifest.sessions and not served.given.stateless
        adapter = _adapter(served, folders, ServeOptions(sessions, state_key, served.given))
        names.let_in(manifest.origins)
        kept = folders.sessions if sessions else None
        app = App(adapter, names, sessions=kept, access=access, judge=judge, listens=listens)
        return Prepared(app, adapter.kind, served.name, served.chosen)


def _adapter(served: Served, folders: Folders, options: ServeOptions) -> ServerAdapter:
    if served.command:
        return serve_command(served.command, folders.layer, options)
    return adapt(served.server, options)


@asynccontextmanager
async def started(
    app: App, folders: Folders, tools: Sequence[Mapping[str, Any]] | None
) -> AsyncIterator[Mapping[str, Any] | None]:
    """Enters the app's lifespan, warms the app up, and yields its contract, None if `tools` made asking unnecessary.

    Raises ServerError for failures before the yield, and only for those.
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
