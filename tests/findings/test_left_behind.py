from __future__ import annotations

import pytest

from platform_cli.findings.left_behind import find_left_behind
from platform_cli.pipeline.code import read_code

from .conftest import Make

IGNORED = {".gitignore": "data/\n*.bin\n*.log\n", "data/rates.json": "{}", "model.bin": "x", "server.log": ""}


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ('open("data/rates.json")', "data/rates.json"),
        ('from pathlib import Path\nPath(__file__).parent / "data" / "rates.json"', "data"),
        ('import os\nos.path.join("data", name)', "data"),
        ('f"{HERE}/model.bin"', "model.bin"),
        ('MODEL = "./model.bin"', "model.bin"),
    ],
)
def test_what_the_code_names(make: Make, text: str, path: str) -> None:
    project = make({**IGNORED, "server.py": text})
    (finding,) = find_left_behind(project, read_code(project))
    assert f"{path} (server.py:" in finding.text
    assert f'include = ["{path}"' in finding.hint
    brought = make({}, include=("data", "model.bin"))
    assert list(find_left_behind(brought, read_code(brought))) == []


@pytest.mark.parametrize(
    "text",
    [
        'kind = "data"',
        'open("absent/rates.json")',
        'open("server.log")',
        'open("/data/absent")',
        'open("../x/data")',
        'open("kept.txt")',
        'fetch("https://example.com/data")',
        f'"""{"€" * 120}. Rates."""',
        '"""data/rates.json is prose here, and much more than that."""',
    ],
)
def test_what_is_no_path_or_comes_along(make: Make, text: str) -> None:
    project = make({**IGNORED, "kept.txt": "", "server.py": text})
    assert list(find_left_behind(project, read_code(project))) == []


def test_relative_to_the_module(make: Make) -> None:
    package = {"pkg/__init__.py": "", "pkg/rates.py": 'open("own.bin")', "pkg/own.bin": ""}
    project = make({**IGNORED, **package, "server.py": "import pkg.rates"})
    (finding,) = find_left_behind(project, read_code(project))
    assert "pkg/own.bin (pkg/rates.py:1)" in finding.text
