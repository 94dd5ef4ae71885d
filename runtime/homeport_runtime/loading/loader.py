"""Finds the server in the user's file: by name, as the only one of a known kind, or by calling a factory."""

from __future__ import annotations

import inspect
import linecache
import os
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import ServerError
from ..protocol.endpoints import find_endpoints
from ..servers import is_server
from ..servers.asgi_app import ASGIAppServer

# The names that fastmcp's own loader tries, in the same order.
WELL_KNOWN_NAMES = ("mcp", "server", "app")


# Which older generation has modules that the newest does not have any more.
OLDER = {"mcp": "mcp<2", "fastmcp": "fastmcp<4"}
NEEDS = "give it what it needs: arguments behind `--`, variables with --env KEY=VALUE or set-secret"


class NoServer(ServerError):
    """Says that the program `file` serves nothing, and has nothing that could be served."""

    def __init__(self, file: str) -> None:
        super().__init__(
            f"{file} has no MCP server",
            hint="when it is run it has to serve a FastMCP, MCPServer or Server object or an ASGI app, or to have one "
            f"called `mcp`, `server` or `app`, or named: {file}:NAME (a factory works too)",
        )


@contextmanager
def explaining(file: str, app: Path, when: str) -> Iterator[None]:
    """Turns every exception of the person's code into a ServerError that shows their frames only."""
    try:
        yield
    except ServerError:
        raise
    except SystemExit as stop:
        said = stop.code if isinstance(stop.code, str) else f"exit {stop.code}"
        raise ServerError(
            f"{file} ended {when}: {said}",
            hint=NEEDS,
            # A program that exits with a number has printed the reason, which no traceback shows.
            trace=user_trace(stop, app) if isinstance(stop.code, str) else "",
        ) from stop
    except BaseException as error:
        name = type(error).__name__
        text = str(error).strip().splitlines()
        reason = f"{name}: {text[0]}" if text else name
        trace = user_trace(error, app)
        raise ServerError(
            f"{file} raised {reason} {when}",
            hint=_hint(error, app),
            # Without a frame of the person's own it may say no more than that.
            trace="" if trace == reason else trace,
        ) from error


def _hint(error: BaseException, app: Path) -> str:
    if isinstance(error, KeyError) and _is_variable(error):
        name = error.args[0]
        return f"set the variable: --env {name}=VALUE, [environment] in fastmcp.toml, or `homeport set-secret {name}`"
    frames = traceback.extract_tb(error.__traceback__)
    if _lacks_program(error, frames):
        return (
            "it runs a program that is not here: install it on this machine, or for a container name a base "
            'that has it, with base = "..." under [deployment.container] in fastmcp.toml'
        )
    places = [frame.filename for frame in frames]
    if isinstance(error, SyntaxError):
        places.append(error.filename or "")
    if any(place.startswith(f"{app}/") for place in places):
        return _hint_of_own(error, places)
    return _hint_of_package(error)


def _hint_of_own(error: BaseException, places: Sequence[str]) -> str:
    """Returns what to do about an error in whose traceback a file is the person's own."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        top = error.name.partition(".")[0]
        return (
            f"if {top!r} is a package, add what provides it to the requirements; a module of your own lies beside the "
            "server, in the project folder or in its src"
        )
    if isinstance(error, FileNotFoundError):
        return (
            "what an ignore file names stays behind, unless include = [...] under [deployment] in fastmcp.toml brings "
            "it; what lies outside the project folder has to be copied into it"
        )
    if any("/pydantic_settings/" in place for place in places):
        return NEEDS
    return "the traceback shows your own frames; `homeport dev` loads it again on each save"


def _hint_of_package(error: BaseException) -> str:
    """Returns what to do about an error in whose traceback no file is the person's own."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        top = error.name.partition(".")[0]
        return (
            f"what is deployed does not ask for the {top!r} that it needs: a fastmcp.toml with "
            f'command = "uvx --with {OLDER.get(top, top)} PACKAGE" under [deployment] adds it'
        )
    if isinstance(error, (ImportError, SyntaxError, AttributeError, NameError, TypeError)):
        return "an installed package fails by itself: another version of it may do (pypi:PACKAGE==VERSION)"
    return NEEDS


def _lacks_program(error: BaseException, frames: Sequence[traceback.FrameSummary]) -> bool:
    """Tells whether a program is not on the path: subprocess says so, and GitPython in words of its own."""
    if isinstance(error, FileNotFoundError):
        return bool(frames) and frames[-1].name == "_execute_child" and "/" not in str(error.filename)
    text = str(error)
    return isinstance(error, ImportError) and "executable" in text and "PATH" in text


def _is_variable(error: KeyError) -> bool:
    """Tells whether the key was missing in os.environ."""
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and frames[-1].name == "__getitem__" and frames[-1].filename in (os.__file__, "<frozen os>")


def user_trace(error: BaseException, app: Path) -> str:
    """Returns the traceback as Python prints it, without frames of libraries and of the runtime."""
    linecache.checkcache()
    report = traceback.TracebackException.from_exception(error)
    prefix = f"{app}/"
    pending: list[traceback.TracebackException | None] = [report]
    while pending:
        current = pending.pop()
        if current is None:
            continue
        current.stack = traceback.StackSummary.from_list([f for f in current.stack if f.filename.startswith(prefix)])
        # Exception groups exist from Python 3.11 on.
        pending += [current.__cause__, current.__context__, *(getattr(current, "exceptions", None) or ())]
    return "".join(report.format()).replace(prefix, "").rstrip()


def start_error(error: BaseException, app: Path, doing: str, hint: str) -> ServerError:
    """Returns the error for an exception of the server's own code after its import, while it was `doing` something."""
    cause = error
    inner: Sequence[BaseException]
    while len(inner := getattr(cause, "exceptions", ())) == 1:
        # Task groups wrap even a single exception.
        cause = inner[0]
    text = str(cause).strip().splitlines()
    reason = f"{type(cause).__name__}: {text[0]}" if text else type(cause).__name__
    return ServerError(f"the server raised {reason} {doing}", hint=hint, trace=user_trace(error, app))


async def find_server(module: ModuleType, file: str, name: str | None) -> tuple[str, object]:
    """Returns the server's name in the module and the server; factories are called on the loop that will serve them.

    Raises ServerError if there is none, or several that could be meant.
    """
    if name is not None:
        return name, await _named(module, file, name)
    if app := _serving_app(module):
        return app
    for known in WELL_KNOWN_NAMES:
        candidate = getattr(module, known, None)
        if is_server(candidate):
            return known, candidate
        if _is_factory(candidate, module):
            return known, await _call(candidate, file, known)
    found = _servers(module)
    if len(found) == 1:
        return next(iter(found.items()))
    if found:
        names = ", ".join(found)
        raise ServerError(
            f"{file} has {len(found)} servers: {names}", hint=f"name the one to serve: {file}:{next(iter(found))}"
        )
    raise NoServer(file)


def _serving_app(module: ModuleType) -> tuple[str, object] | None:
    """Returns the module's own ASGI app with an MCP endpoint, as for `uvicorn module:app`.

    It comes before the server in it, since what it adds (keys, middleware) matters.
    """
    apps = {name: each for name, each in _servers(module).items() if ASGIAppServer.infer(each) and find_endpoints(each)}
    name = next(iter(apps), "") if len(apps) == 1 else "app"
    return (name, apps[name]) if name in apps else None


async def _named(module: ModuleType, file: str, name: str) -> object:
    candidate: Any = module
    for part in name.split("."):
        if not hasattr(candidate, part):
            raise ServerError(f"{file} has no {name!r}", hint=_suggestion(module, file))
        candidate = getattr(candidate, part)
    if is_server(candidate):
        return candidate
    if callable(candidate):
        return await _call(candidate, file, name)
    raise ServerError(
        f"{file}:{name} is a {type(candidate).__name__}, not a server or a factory of one",
        hint=_suggestion(module, file),
    )


def _suggestion(module: ModuleType, file: str) -> str:
    found = _servers(module)
    if found:
        return "servers there: " + ", ".join(f"{file}:{name}" for name in found)
    return "name a FastMCP, MCPServer or Server object, an ASGI app, or a function that returns one"


def _servers(module: ModuleType) -> dict[str, object]:
    """Returns every server in the module's namespace, each once."""
    found: dict[str, object] = {}
    for name, value in list(vars(module).items()):
        if not name.startswith("_") and is_server(value) and not any(value is other for other in found.values()):
            found[name] = value
    return found


def _is_factory(candidate: object, module: ModuleType) -> bool:
    """Tells whether a function of this module can be called without arguments."""
    if not inspect.isfunction(candidate) or candidate.__module__ != module.__name__:
        return False
    return all(p.default is not p.empty for p in inspect.signature(candidate).parameters.values())


async def _call(factory: Any, file: str, name: str) -> object:
    server = factory()
    if inspect.isawaitable(server):
        server = await server
    if not is_server(server):
        raise ServerError(
            f"the factory {file}:{name} returned a {type(server).__name__}",
            hint="return a FastMCP, MCPServer or Server object, or an ASGI app",
        )
    return server
