from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from platform_cli.config.project import Entrypoint, Project

Make = Callable[..., Project]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Returns `make({path: text}, **fields)`, which writes these files and returns their project, whose server is
    server.py.
    """

    def made(files: dict[str, str], **fields: Any) -> Project:
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return Project(folder=tmp_path, entrypoint=Entrypoint("server.py"), **fields)

    return made
