"""Lists the packages of a lock as a software bill of materials, without time and serial number: CycloneDX 1.5."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TypedDict
from urllib.parse import quote

from ..pipeline.model import Lock

# https://cyclonedx.org/docs/1.5/json/
_PINNED = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)")
_FROM_URL = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])? @ ")


class Component(TypedDict):
    """Is a package; its `purl` is its address (https://github.com/package-url/purl-spec)."""

    type: str
    name: str
    version: str
    purl: str


def bill_of_materials(lock: Lock) -> bytes:
    components = sorted([*_of_python(lock.text), *_of_node(lock)], key=lambda each: each["purl"])
    bill = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"properties": [{"name": "homeport:lock", "value": lock.hash}]},
        "components": components,
    }
    return json.dumps(bill, indent=1).encode()


def _of_python(lock: str) -> Iterator[Component]:
    for line in lock.splitlines():
        if found := _PINNED.match(line):
            yield _component("pypi", found[1], found[2])
        elif found := _FROM_URL.match(line):
            # Where it is from may have credentials in it.
            yield _component("pypi", found[1], "")


def _of_node(lock: Lock) -> Iterator[Component]:
    packages = json.loads(lock.packages.lock).get("packages", {}) if lock.packages else {}
    for path, package in packages.items():
        if path:
            yield _component("npm", path.rpartition("node_modules/")[2], package.get("version", ""))


def _component(registry: str, name: str, version: str) -> Component:
    address = f"pkg:{registry}/{quote(name)}" + (f"@{quote(version)}" if version else "")
    return {"type": "library", "name": name, "version": version, "purl": address}
