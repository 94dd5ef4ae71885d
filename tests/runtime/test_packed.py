from __future__ import annotations

import json
import py_compile
import subprocess
import sys
from pathlib import Path

import pytest

from homeport_runtime.packed import FILE_NAME, pack

from .conftest import ROOT

SHOW = """
import sys
sys.path[:0] = {paths!r}
from pathlib import Path
from homeport_runtime.packed import install
install(Path({layer!r}))
{code}
"""


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    """Packed, and then with other sources: what says `packed` was loaded from the pack."""
    layer = tmp_path / "layer"
    files = ("alone.py", "pkg/__init__.py", "pkg/part.py", "spread/inner.py")
    bytecode = {}
    for name in files:
        file = layer / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("SAID = 'packed'\n")
        compiled = py_compile.compile(str(file), str(tmp_path / "pyc"), name)
        assert compiled is not None
        bytecode[name] = Path(compiled).read_bytes()
        file.write_text("SAID = 'source'\n")
    (layer / "pkg" / "later.py").write_text("SAID = 'source'\n")
    (layer / FILE_NAME).write_bytes(pack(bytecode))
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
