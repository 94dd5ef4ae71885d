"""Tests that projects of every shape are imported as Python would, code from the bundle, `__file__` in the working
folder.
"""

from __future__ import annotations

import json

import pytest

from ..conftest import python_with
from ..workers import MCP2, Workers

ANSWER = """
import json, os, sys
from pathlib import Path

@mcp.tool()
def answer() -> str:
    return json.dumps(ask())
"""


@pytest.mark.parametrize(
    ("file", "others", "ask"),
    [
        ("server.py", {"utils.py": "x = 1", "config.py": "x = 2", "runtime.py": "x = 3"},
         "import utils, config, runtime\ndef ask(): return [utils.x, config.x, runtime.x]"),
        ("pkg/server.py", {"pkg/__init__.py": "", "pkg/near.py": "x = 1", "far.py": "x = 2"},
         "from .near import x\nimport far, pkg.near\ndef ask(): return [x, pkg.near.x, far.x, __name__]"),
        ("src/server.py", {"src/lib/__init__.py": "x = 1", "top.py": "x = 2"},
         "import lib, top\ndef ask(): return [lib.x, top.x]"),
        ("server.py", {"src/lib.py": "x = 1"}, "import lib\ndef ask(): return lib.x"),
        ("src/app/main.py", {"src/app/__init__.py": "", "src/app/mcp.py": "x = 1"},
         "import app.mcp, mcp as sdk\ndef ask(): return [app.mcp.x, sdk.__name__, sdk is app.mcp]"),
        ("my-server.py", {}, "def ask(): return __name__"),
        ("calendar.py", {}, "import email.utils, calendar\ndef ask(): return calendar.timegm((1970, 1, 2, 0, 0, 0))"),
        ("types.py", {}, "import types\ndef ask(): return types.ModuleType.__name__"),
    ],
)  # fmt: skip
def test_projects_of_every_shape(workers: Workers, file: str, others: dict[str, str], ask: str) -> None:
    expected = {
        "import utils": [1, 2, 3],
        "from .near i": [1, 1, 2, "__main__"],
        "import lib, ": [1, 2],
        "import app.m": [1, "mcp", False],
        "import lib\nd": 1,
        "def ask(): r": "__main__",
        "import email": 86400,
        "import types": "module",
    }[ask[:12]]
    worker = workers.serve({file: f"{MCP2}{ask}\n{ANSWER}", **others}, python_with("mcp>=2"), manifest={"file": file})
    assert json.loads(worker.call("answer")) == expected


MODELS = """
from __future__ import annotations
from dataclasses import dataclass, fields
from pydantic import BaseModel

class Inner(BaseModel):
    n: int

class Outer(BaseModel):
    inner: Inner

@dataclass
class Point:
    x: int

def double(point: Point) -> Point:
    return Point(point.x * 2)
"""
ASK = """
import inspect, multiprocessing, pickle, typing
from concurrent.futures import ProcessPoolExecutor

def pooled(method: str) -> int:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method)) as pool:
        return pool.submit(double, Point(2)).result(30).x

def ask():
    return {
        "file": __file__, "cwd": os.getcwd(), "code": ask.__code__.co_filename,
        "model": Outer.model_validate({"inner": {"n": 1}}).inner.n,
        "hints": typing.get_type_hints(double)["return"].__name__,
        "source": inspect.getsource(Point).splitlines()[1],
        "pickle": pickle.loads(pickle.dumps(Point(1))).x,
        "spawn": pooled("spawn"), "fork": pooled("fork"), "forkserver": pooled("forkserver"),
    }
"""


@pytest.mark.parametrize("file", ["server.py", "my-server.py"])
def test_modules_are_real_modules(workers: Workers, file: str) -> None:
    source = MODELS + MCP2 + ANSWER + ASK
    worker = workers.serve({file: source}, python_with("mcp>=2"), manifest={"file": file})
    found = json.loads(worker.call("answer"))
    work = worker.folder / "work"
    assert (found.pop("file"), found.pop("cwd")) == (str(work / file), str(work))
    assert found.pop("code") == str(worker.folder / "bundle" / "app" / file)
    pools = {"spawn": 4, "fork": 4, "forkserver": 4}  # the default is fork, and forkserver from Python 3.14 on
    assert found == {"model": 1, "hints": "Point", "source": "class Point:", "pickle": 1, **pools}
