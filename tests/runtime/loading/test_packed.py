from __future__ import annotations

import json
import py_compile
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from homeport_runtime.loading.packed import FILE_NAME, pack_bytecode

from ..conftest import ROOT

SHOW = """
import sys
sys.path[:0] = {paths!r}
from pathlib import Path
from homeport_runtime.loading.packed import install
install(Path({layer!r}))
{code}
"""


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    """Makes a layer that is packed, and then has other sources: what says `packed` was loaded from the pack."""
    files = ("alone.py", "pkg/__init__.py", "pkg/part.py", "spread/inner.py")
    layer = make_layer(tmp_path, dict.fromkeys(files, "SAID = 'packed'\n"))
    for name in (*files, "pkg/later.py"):
        (layer / name).write_text("SAID = 'source'\n")
    return layer


def make_layer(folder: Path, sources: Mapping[str, str]) -> Path:
    layer = folder / "layer"
    bytecode = {}
    for name, source in sources.items():
        file = layer / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source)
        compiled = py_compile.compile(str(file), str(folder / "pyc"), name)
        assert compiled is not None
        bytecode[name] = Path(compiled).read_bytes()
    (layer / FILE_NAME).write_bytes(pack_bytecode(bytecode))
    return layer


def run(layer: Path, code: str, *before: Path) -> str:
    paths = [*map(str, before), str(ROOT / "runtime"), str(layer)]
    script = SHOW.format(paths=paths, layer=str(layer), code=code)
    return subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout.strip()


def test_modules_come_from_the_pack_and_say_where_their_source_is(layer: Path) -> None:
    code = "import alone, pkg.part, spread.inner; print(alone.SAID, pkg.SAID, pkg.part.SAID, spread.inner.SAID)"
    assert run(layer, code) == "packed packed packed packed"
    where = "import pkg.part as m, inspect; print(m.__file__, m.__package__, inspect.getsource(m).strip())"
    assert run(layer, where) == f"{layer}/pkg/part.py pkg SAID = 'source'"
    assert run(layer, "import pkg; print(pkg.__path__)") == str([f"{layer}/pkg"])


def test_what_was_not_packed_is_found_as_ever(layer: Path) -> None:
    assert run(layer, "import pkg.later; print(pkg.later.SAID)") == "source"


def test_what_is_first_on_the_path_comes_before_the_pack(layer: Path, tmp_path: Path) -> None:
    app = tmp_path / "app"
    (app / "pkg").mkdir(parents=True)
    for name in ("alone.py", "pkg/__init__.py", "pkg/part.py"):
        (app / name).write_text("SAID = 'app'\n")
    (app / "spread").mkdir()
    (app / "spread" / "inner.py").write_text("SAID = 'app'\n")
    code = "import alone, pkg.part, spread.inner; print(alone.SAID, pkg.part.SAID, spread.inner.SAID)"
    assert run(layer, code, app) == "app app app"


def test_a_pack_for_another_python_is_left_alone(layer: Path) -> None:
    file = layer / FILE_NAME
    index, _, code = file.read_bytes().partition(b"\n")
    file.write_bytes(json.dumps({**json.loads(index), "magic": "00000000"}).encode() + b"\n" + code)
    assert run(layer, "import alone; print(alone.SAID)") == "source"


BASE = "from pydantic import BaseModel"
MODELS = """
from packed_base import BaseModel

class Model(BaseModel):
    number: int
"""
USE_MODELS = """
import packed_models
from pydantic import BaseModel

class Own(BaseModel):
    number: int

class Inner(packed_models.Model):
    more: int

print(packed_models.Model.__pydantic_complete__, Own.__pydantic_complete__)
print(packed_models.Model(number="1").number, Inner(number=1, more="2").more, "defer_build" in BaseModel.model_config)
"""


@pytest.mark.parametrize("version", [None, "2.13.4"])
def test_models_of_packages_are_built_when_they_are_used(tmp_path: Path, version: str | None) -> None:
    """This is so with a pydantic that does it safely; the user's own are built at once, and nothing is left of the
    setting.
    """
    layer = make_layer(tmp_path, {"packed_base.py": BASE, "packed_models.py": MODELS})
    other = f"import pydantic.version; pydantic.version.VERSION = {version!r}\n" if version else ""
    assert run(layer, other + USE_MODELS).splitlines() == [f"{version is not None} True", "1 2 False"]
