from __future__ import annotations

import pytest

from platform_cli.config.project import Scaling
from platform_cli.findings.background import find_background
from platform_cli.pipeline.code import read_code

from .conftest import Make

LIFESPAN = """
import asyncio
from contextlib import asynccontextmanager
async def poll():
    while {condition}:
        await asyncio.sleep(1)
@asynccontextmanager
async def lifespan(server):
    task = asyncio.create_task(poll())
    yield
"""


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("import threading\nthreading.Thread(target=print, daemon=True).start()", "server.py:2"),
        ("from threading import Timer\nif 1:\n    Timer(5, print).start()", "server.py:3"),
        ("from apscheduler.schedulers.background import BackgroundScheduler\ns = BackgroundScheduler()", "server.py:2"),
        ("import threading\ndef main():\n    threading.Thread(target=print).start()", "server.py:3"),
        (LIFESPAN.format(condition="True"), "server.py:9"),
    ],
)
def test_what_is_started_with_the_server(make: Make, text: str, place: str) -> None:
    project = make({"server.py": text})
    (finding,) = find_background(project, read_code(project))
    assert finding.text.startswith(f"{place} ")
    assert "min = 1" in finding.hint
    kept = make({}, scaling=Scaling(min=1))
    assert list(find_background(kept, read_code(kept))) == []


@pytest.mark.parametrize(
    "text",
    [
        "import threading\n@mcp.tool\ndef start_job():\n    threading.Thread(target=print).start()",
        "import threading\ndef work():\n    threading.Thread(target=print).start()",
        LIFESPAN.format(condition="waiting"),
    ],
)
def test_what_belongs_to_a_call_or_ends_by_itself(make: Make, text: str) -> None:
    project = make({"server.py": text})
    assert list(find_background(project, read_code(project))) == []
