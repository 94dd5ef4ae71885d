"""Finds the programs of installed packages."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ..config.names import slugify
from ..config.project import Program
from ..config.scripts import parse_script
from ..errors import SourceError

if TYPE_CHECKING:
    from importlib.metadata import Distribution

# The number of a package's modules that are shown.
MOST = 8


def program_of(layer: Path, name: str) -> Program:
    """Returns the program in `layer` that a person calls `name`.

    That is a console script, the console script of the distribution of that name, or a module for `python -m`. Of a
    distribution's scripts it is the one with its name, else the only one with "mcp" in its name; two names of the same
    program count as one. Raises SourceError when there is none, or several that could be meant.
    """
    # Imported late, since a deploy of a project's own program does not need it.
    from importlib.metadata import distributions

    installed = list(distributions(path=[str(layer)]))
    own = next((each for each in installed if slugify(each.name) == slugify(name)), None)
    scripts = _scripts([own] if own else [])
    everywhere = _scripts(installed)
    if found := scripts.get(name) or everywhere.get(name):
        return found
    likely = [script for script in scripts if slugify(script) == slugify(name)]
    likely = likely or [script for script in scripts if len(scripts) == 1 or "mcp" in script.lower()]
    if len({(scripts[script].module, scripts[script].function) for script in likely}) == 1:
        return scripts[likely[0]]
    if scripts:
        raise SourceError(
            f"{name} has several programs, and none is called {name}: {', '.join(sorted(scripts))}",
            hint=f"Name one: homeport deploy pypi:{name}:{min(scripts)}, or FOLDER:{min(scripts)} for a folder's own.",
        )
    module = name.replace("-", "_")
    if _is_module(layer, module):
        return Program(module)
    if own:
        raise SourceError(
            f"{name} installs no program: no console script, and no module that is called so",
            hint=_name_a_module(name, _modules(own)),
        )
    raise SourceError(
        f"no program {name!r}: no console script and no module of the project or of an installed package is called so",
        hint="Name the server file: homeport deploy server.py",
    )


def _scripts(installed: Iterable[Distribution]) -> dict[str, Program]:
    return {
        script.name: program
        for each in installed
        for script in each.entry_points.select(group="console_scripts")
        if (program := parse_script(script.name, script.value))
    }


def _name_a_module(name: str, modules: list[str]) -> str:
    if not modules:
        return "It is a library: nothing in it can be run. Name a package that has a server."
    likely = [module for module in modules if "mcp" in module.lower() or "server" in module.lower()] or modules
    shown = f" (it has {', '.join(modules[:MOST])})" if len(modules) > 1 else ""
    return f"Name the module that its page says to run{shown}: homeport deploy pypi:{name}:{likely[0]}"


def _modules(distribution: Distribution) -> list[str]:
    """Returns the distribution's modules that `python -m` runs: single files, and packages with a __main__."""
    paths = [path.parts for path in distribution.files or ()]
    files = [file.removesuffix(".py") for file, *rest in paths if file.endswith(".py") and not rest]
    packages = [".".join(folders) for *folders, file in paths if folders and file == "__main__.py"]
    return sorted({*files, *packages})


def _is_module(layer: Path, module: str) -> bool:
    base = layer.joinpath(*module.split("."))
    return base.with_name(f"{base.name}.py").is_file() or (base / "__main__.py").is_file()
