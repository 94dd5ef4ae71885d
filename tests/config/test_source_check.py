from __future__ import annotations

from pathlib import Path

import pytest

from platform_cli.config.source_check import check_source
from platform_cli.errors import SourceError

NEW = 'from fastmcp import FastMCP\nmcp = FastMCP("x")\n'


def check(folder: Path, source: str | bytes, *, same_python: bool = True) -> None:
    path = folder / "server.py"
    path.write_bytes(source if isinstance(source, bytes) else source.encode())
    check_source(path, "server.py", same_python=same_python)


def refused(folder: Path, source: str | bytes) -> SourceError:
    with pytest.raises(SourceError) as caught:
        check(folder, source)
    return caught.value


@pytest.mark.parametrize(
    "source",
    [
        NEW + "mcp.run()\n",
        NEW + 'if __name__ == "__main__":\n    mcp.run()\n',
        NEW + "def main():\n    mcp.run()\n",
        NEW + "start = lambda: mcp.run()\n",
        NEW + "import sys\nif sys.argv[1:] == ['serve']:\n    mcp.run()\n",
        "import subprocess\nsubprocess.run(['true'])\n",
        "class A:\n    def run(self): ...\napp = A()\napp.run()\n",
        "path = '\\d'\n",
        "x = " + " + ".join(["1"] * 2500),
        b"# -*- coding: latin-1 -*-\nname = '\xe9'\n",
        b"\xef\xbb\xbfname = 1\n",
    ],
)
def test_a_sound_file_passes(tmp_path: Path, source: str | bytes) -> None:
    check(tmp_path, source)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", "server.py is empty"),
        (" \n\t\n", "server.py is empty"),
        ("x = 1\nif x\n    pass\n", "server.py:2:5: expected ':'\n    if x\n        ^"),
        ("def f():\n    x = = 1\n", "server.py:2:9: invalid syntax\n    x = = 1\n        ^"),
        ("x = 1\nreturn x\n", "server.py:2:1: 'return' outside function"),
        ("def f():\nx\n", "server.py:2:1: expected an indented block"),
        ("x = (\n", "server.py:1:5: '(' was never closed"),
        (
            f"x = {'a' * 200} = = {'b' * 200}",
            f"server.py:1:208: invalid syntax\n    {'a' * 56} = = {'b' * 59}\n    {' ' * 59}^",
        ),
        (b"name = '\xe9'\n", "server.py:1:"),
        (b"\0\0", "server.py:"),
        ("-" * 200_000 + "1", "server.py:"),
    ],
)
def test_a_file_that_python_cannot_read_is_refused(tmp_path: Path, source: str | bytes, message: str) -> None:
    assert refused(tmp_path, source).message.startswith(message)


def test_another_pythons_grammar_is_left_to_that_python(tmp_path: Path) -> None:
    check(tmp_path, "x = = 1", same_python=False)


def test_nothing_is_executed(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    check(tmp_path, f"open({str(marker)!r}, 'w')\n")
    assert not marker.exists()
