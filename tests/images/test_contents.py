"""Tests what is in the layers of an image, and what is not."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import textwrap
from pathlib import Path
from typing import Any, cast

import pytest

from platform_cli.errors import BuildError, LayerError
from platform_cli.home import Home
from platform_cli.images import bytecode
from platform_cli.images.bytecode import compile_files
from platform_cli.images.contents import Layers
from platform_cli.images.model import ImageLayer
from platform_cli.pipeline.model import Bundle, Interpreter, Layer, Lock
from platform_cli.pipeline.runtime import store_runtime

OWN = Interpreter(Path(sys.executable), ".".join(map(str, sys.version_info[:3])), "")
LOCK = Lock("six==1.17.0", "a" * 64, "3.12", "x86_64-manylinux_2_28")
SCRIPT = f"#!{sys.executable}\nimport six\n"
LONG = f"#!/bin/sh\n'''exec' '{sys.executable}' \"$0\" \"$@\"\n' '''\nimport six\n"
OTHER = "#!/bin/sh\necho\n"


def recorded(path: str, content: str) -> str:
    sha256 = base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest()).rstrip(b"=").decode()
    return f"{path},sha256={sha256},{len(content)}\n"


@pytest.fixture
def layer(tmp_path: Path) -> Layer:
    files = {
        "six.py": "x = {'a', 'b', 'c'}\n",
        "broken.py": "this is a template\n",
        "bin/six": SCRIPT,
        "bin/long": LONG,
        "bin/other": OTHER,
    }
    record = "".join(recorded(path, content) for path, content in files.items())
    info = "six-1.17.0.dist-info"
    others = {
        f"{info}/RECORD": f"{record}{info}/RECORD,,\n",
        f"{info}/direct_url.json": '{"url": "https://user:password@example.com/six.whl"}',
        "__pycache__/six.cpython-310.pyc": "stale",
        ".npmrc": "//registry.example.com/:_authToken=password",
        "node_modules/six/cli.js": "",
    }
    folder = tmp_path / "layers" / LOCK.hash
    for path, content in {**files, **others}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content)
    (folder / "bin/six").chmod(0o755)
    (folder / "node_modules/.bin").mkdir()
    (folder / "node_modules/.bin/six").symlink_to("../six/cli.js")
    return Layer(folder, LOCK.hash)


def content_of(layers: Layers, made: ImageLayer) -> dict[str, bytes]:
    with tarfile.open(layers.blobs.path(made.blob.digest)) as archive:
        files = {info.name: archive.extractfile(info) for info in archive if info.isfile()}
        return {name: file.read() for name, file in files.items() if file}


def test_packages(tmp_path: Path, layer: Layer) -> None:
    layers = Layers(Home(tmp_path))
    made = layers.packages(LOCK, layer, OWN)
    content = content_of(layers, made)
    tag = f"cpython-{OWN.minor.replace('.', '')}"
    assert sorted(content) == [
        f"opt/homeport/layer/__pycache__/six.{tag}.pyc",
        "opt/homeport/layer/bin/long",
        "opt/homeport/layer/bin/other",
        "opt/homeport/layer/bin/six",
        "opt/homeport/layer/broken.py",
        "opt/homeport/layer/node_modules/six/cli.js",
        "opt/homeport/layer/six-1.17.0.dist-info/RECORD",
        "opt/homeport/layer/six.py",
        "opt/homeport/packages.cdx.json",
    ]
    # PEP 552: flags 1, a hash of the source that is not compared with it.
    assert content[f"opt/homeport/layer/__pycache__/six.{tag}.pyc"][4:8] == b"\1\0\0\0"
    for script in ("six", "long"):
        assert content[f"opt/homeport/layer/bin/{script}"] == b"#!/usr/bin/env python3\nimport six\n"
    assert content["opt/homeport/layer/bin/other"] == OTHER.encode()
    record = content["opt/homeport/layer/six-1.17.0.dist-info/RECORD"].decode()
    assert "bin/six,,\n" in record
    assert recorded("six.py", "x = {'a', 'b', 'c'}\n") in record
    everything = b"".join(content.values())
    for word in (b"password", sys.executable.encode(), str(tmp_path).encode()):
        assert word not in everything
    with tarfile.open(layers.blobs.path(made.blob.digest)) as archive:
        assert archive.getmember("opt/homeport/layer/node_modules/.bin/six").linkname == "../six/cli.js"
        assert archive.getmember("opt/homeport/layer/bin/six").mode == 0o755


def test_packages_are_the_same_wherever_they_are_made(tmp_path: Path, layer: Layer) -> None:
    one, two = (Layers(Home(tmp_path / name)).packages(LOCK, layer, OWN) for name in ("one", "two"))
    assert one == two


def test_what_is_loaded_here_gets_its_bytecode_in_the_layer(tmp_path: Path, layer: Layer) -> None:
    shutil.rmtree(layer.path / "__pycache__")
    name = f"__pycache__/six.cpython-{OWN.minor.replace('.', '')}.pyc"
    layers = Layers(Home(tmp_path))
    umask = os.umask(0o077)
    try:
        made = layers.packages(LOCK, layer, OWN, loaded_here=["six", "six.moves", "broken", "json"])
    finally:
        os.umask(umask)
    assert [*layer.path.rglob("*.pyc")] == [layer.path / name]
    assert (layer.path / name).read_bytes() == content_of(layers, made)[f"opt/homeport/layer/{name}"]
    modes = [(layer.path / path).stat().st_mode & 0o777 for path in ("__pycache__", name)]
    assert modes == [0o755, 0o644], "servers with users of their own read it, too"


def test_python_takes_its_own_modules_from_bytecode_as_long_as_their_sources_are_the_same(tmp_path: Path) -> None:
    layers = Layers(Home(tmp_path))
    content = content_of(layers, layers.python(OWN))
    tag, library = f"cpython-{OWN.minor.replace('.', '')}", f"usr/local/lib/python{OWN.minor}"
    names = {name.removeprefix(f"{library}/") for name in content}
    assert {f"__pycache__/typing.{tag}.pyc", f"asyncio/__pycache__/__init__.{tag}.pyc"} <= names
    assert not [name for name in names if "sysconfigdata" in name or name.startswith(("site-packages", "unittest"))]
    # As in a container: the sources there, the bytecode of the layer, and nobody who may write more.
    (folder := tmp_path / library / "__pycache__").mkdir(parents=True)
    source = folder.parent / "textwrap.py"
    source.write_bytes(Path(textwrap.__file__).read_bytes())
    (folder / f"textwrap.{tag}.pyc").write_bytes(content[f"{library}/__pycache__/textwrap.{tag}.pyc"])
    program = f"import sys; sys.path.insert(0, {str(source.parent)!r}); import textwrap"
    ask = [sys.executable, "-I", "-S", "-B", "-v", "-c", program]
    taken = subprocess.run(ask, capture_output=True, text=True, check=True)
    assert f"code object from '{folder}/textwrap.{tag}.pyc'" in taken.stderr
    source.write_text(source.read_text().replace("def dedent(", "def indent_no_more(text):\n    pass\n\ndef dedent("))
    taken = subprocess.run(ask, capture_output=True, text=True, check=True)
    assert f"code object from '{folder}/textwrap.{tag}.pyc'" not in taken.stderr


def test_processors_do_not_change_bytecode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bytecode, "PART", 2)
    files = {f"{number}.py": tmp_path / f"{number}.py" for number in range(9)}
    for number, file in enumerate(files.values()):
        file.write_text(f"x{number} = {{'a', 'b', 'c'}}\ndef shared(): return 'shared', x{number}\n")
    one = compile_files(files, OWN, tmp_path)
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert compile_files(files, OWN, tmp_path) == one
    assert len(one) == len(files)


def test_a_file_that_is_not_what_was_locked(tmp_path: Path, layer: Layer) -> None:
    (layer.path / "six.py").write_text("changed")
    with pytest.raises(LayerError, match=r"files of six are not what was locked: six\.py"):
        Layers(Home(tmp_path)).packages(LOCK, layer, OWN)
    assert not [*(tmp_path / "cache" / "images").rglob("*.json")]


def test_bytecode_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "six.py").write_text("x = 1\n")
    with pytest.raises(BuildError, match=r"bytecode for the image cannot be made: .*Error"):
        compile_files({"six.py": tmp_path / "six.py"}, OWN, tmp_path / "six.py")


def test_a_symlink_that_leaves_the_packages(tmp_path: Path, layer: Layer) -> None:
    (layer.path / "elsewhere").symlink_to("/etc/passwd")
    with pytest.raises(BuildError, match="symlink to /etc/passwd"):
        Layers(Home(tmp_path)).packages(LOCK, layer, OWN)


def test_the_runtime_and_the_folders_that_the_server_writes(tmp_path: Path) -> None:
    home = Home(tmp_path)
    layers = Layers(home)
    made = layers.runtime(store_runtime(home.runtimes), OWN)
    content = content_of(layers, made)
    assert "opt/homeport/runtime/homeport_runtime/app.py" in content
    compile(content["opt/homeport/start.py"], "start.py", "exec")
    with tarfile.open(layers.blobs.path(made.blob.digest)) as archive:
        for name in ("", "/files", "/sessions", "/home", "/cache"):
            folder = archive.getmember(f"var/lib/homeport{name}")
            assert (folder.mode, folder.uid, folder.gid) == (0o2775, 65532, 0)
    assert layers.runtime(store_runtime(home.runtimes), OWN) == made


def test_the_app_and_its_manifest_without_this_machine(tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    (folder / "app/__pycache__").mkdir(parents=True)
    (folder / "app/server.py").write_text("server")
    (folder / "app/__pycache__/server.pyc").touch()
    manifest = {
        "format": 1,
        "environment": {"KEY": "${secrets.KEY}"},
        "files": {"server.py": "hash"},
        "interpreter": {"path": sys.executable, "version": "3.12.1"},
        "lock": "of this machine",
        "layer": "of this machine",
        "imports": {"seconds": 0.1},
        "contract": {"name": "it may tell a secret", "guarded": True},
    }
    layers = Layers(Home(tmp_path))
    content = content_of(layers, layers.app(Bundle(folder, "b" * 32, cast("Any", manifest))))
    assert content["opt/homeport/bundle/app/server.py"] == b"server"
    assert json.loads(content["opt/homeport/bundle/manifest.json"]) == {
        "format": 1,
        "environment": {"KEY": "${secrets.KEY}"},
        "files": {"server.py": "hash"},
        "contract": {"guarded": True},
    }
    assert len(content) == 2
