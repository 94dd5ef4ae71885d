"""Writes out what others build on, as it is now, for a comparison with surface.toml."""

from __future__ import annotations

import pkgutil
import tomllib
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, NotRequired, get_origin

from fastapi import FastAPI
from typing_extensions import get_type_hints, is_typeddict

from platform_cli import api
from platform_cli.api.shape import Shape

EXPECTED: Mapping[str, Any] = tomllib.loads(Path(__file__).with_name("surface.toml").read_text())
BODY = ("content", "application/json", "schema")


def _all() -> dict[str, type]:
    """Returns every shape in platform_cli.api by its name."""
    modules = [import_module(f"{api.__name__}.{each.name}") for each in pkgutil.iter_modules(api.__path__)]
    found = {
        name: value
        for module in modules
        for name, value in vars(module).items()
        if is_typeddict(value) and value.__module__ == module.__name__ and value is not Shape
    }
    return dict(sorted(found.items()))


SHAPES = _all()


def keys(shape: type) -> list[str]:
    """Returns all keys of a shape; one that is not always there has a question mark."""
    kinds: Mapping[str, object] = get_type_hints(shape, include_extras=True)
    optional: object = NotRequired
    return [f"{key}?" if get_origin(kind) is optional else key for key, kind in kinds.items()]


def expected_keys(name: str) -> list[str]:
    """Returns what surface.toml says of a shape, with the keys of one that it extends in the place of `...Status`."""
    written: list[str] = EXPECTED["shapes"][name]
    return [key for each in written for key in (expected_keys(each[3:]) if each.startswith("...") else [each])]


def routes(app: FastAPI) -> dict[str, str]:
    """Returns what each route takes and answers: `Rollback -> ChangedStatus`."""
    return {
        f"{method.upper()} {path}": " -> ".join(filter(None, (_named(route.get("requestBody", {})), _answer(route))))
        for path, methods in app.openapi()["paths"].items()
        for method, route in methods.items()
    }


def _answer(route: Mapping[str, Any]) -> str:
    return _named(route["responses"]["200"]) or "lines"


def _named(message: Mapping[str, Any]) -> str:
    schema: Any = message
    for key in BODY:
        schema = schema.get(key, {})
    items = schema.get("items")
    reference: str = (items or schema).get("$ref", "")
    name = reference.rpartition("/")[2]
    return f"list[{name}]" if items else name


def bodies(app: FastAPI) -> dict[str, list[str]]:
    """Returns the keys of what routes take, by the names in `routes`; one that may be left out has a question mark."""
    document = app.openapi()
    taken = {
        _named(route["requestBody"])
        for methods in document["paths"].values()
        for route in methods.values()
        if "requestBody" in route
    }
    schemas = document["components"]["schemas"]
    return {
        name: [key if key in schemas[name].get("required", ()) else f"{key}?" for key in schemas[name]["properties"]]
        for name in sorted(taken)
    }


def outline(value: Mapping[str, Any]) -> list[str]:
    """Returns the keys of a command's JSON: `name: Shape` has a shape's keys below it, `name[]: Shape` is a list of it,
    `name[]` an empty one, and `...Shape` are its keys among the others.
    """
    whole = {name: len(_always(shape)) for name, shape in SHAPES.items() if _always(shape) <= value.keys()}
    spread = max(whole, key=whole.__getitem__, default="")
    # The keys of a smaller shape are there by chance.
    below = keys(SHAPES[spread]) if whole.get(spread, 0) >= 4 else []
    rest = value.keys() - {key.rstrip("?") for key in below}
    return [*([f"...{spread}"] if below else []), *(_line(key, value[key]) for key in value if key in rest)]


def check_json(command: str, answer: Mapping[str, Any]) -> None:
    """Asserts that what a command printed with --json has the keys that surface.toml says."""
    expected: list[str] = EXPECTED["json"][command]
    found = with_empty(outline(answer), expected)
    assert found == expected, f"{command} prints {found}"


def _line(key: str, value: object) -> str:
    if isinstance(value, list) and not value:
        return f"{key}[]"
    if isinstance(value, list) and isinstance(value[0], dict):
        return f"{key}[]: {_shape(value[0])}"
    return f"{key}: {_shape(value)}" if isinstance(value, dict) and value else key


def _shape(value: Mapping[str, Any]) -> str:
    """Returns the name of the shape that has exactly these keys, else the keys."""
    for name, shape in SHAPES.items():
        if _always(shape) <= value.keys() <= {key.rstrip("?") for key in keys(shape)}:
            return name
    return "{" + ", ".join(value) + "}"


def _always(shape: type) -> set[str]:
    return {key for key in keys(shape) if not key.endswith("?")}


def with_empty(found: list[str], expected: list[str]) -> list[str]:
    """Returns `found` with what is expected in lists that are empty."""
    named = {line.partition(":")[0].removesuffix("[]"): line for line in expected}
    return [named.get(line.removesuffix("[]"), line) if line.endswith("[]") else line for line in found]
