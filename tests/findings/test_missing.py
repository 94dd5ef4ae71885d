from __future__ import annotations

import pytest

from platform_cli.errors import InspectError
from platform_cli.findings.missing import explained

from .conftest import Make

WORKDIR = "/tmp/homeport-inspect-x1/files"
NO_FILE = "server.py raised FileNotFoundError: [Errno 2] No such file or directory: '{}' before it served"
NO_MODULE = "server.py raised ModuleNotFoundError: No module named '{}' before it served"
NO_DATABASE = "server.py raised OperationalError: unable to open database file before it served"
OWN = "the server's own hint"
IGNORED = {".gitignore": "data/\nprivate.py\n", "data/rates.json": "{}", "private.py": "", "kept.txt": ""}


@pytest.mark.parametrize(
    ("message", "hint"),
    [
        (
            NO_FILE.format("data/rates.json"),
            "data/rates.json is ignored by the rule `data/` (.gitignore, line 1), so it",
        ),
        (NO_FILE.format(f"{WORKDIR}/data/rates.json"), 'include = ["data/rates.json"]'),
        (NO_FILE.format(f"{WORKDIR}/logs/server.log"), "the project has no folder logs; `mkdir logs` makes it"),
        (NO_FILE.format("absent.txt"), "absent.txt is not in the project folder"),
        (NO_MODULE.format("private"), 'include = ["private.py"]'),
        (NO_MODULE.format("tools.deep"), "lib/tools is in the project, but not where"),
        (NO_DATABASE, "no folder state; `mkdir state`"),
    ],
)
def test_the_hint_names_the_cause(make: Make, message: str, hint: str) -> None:
    server = 'import sqlite3\nKIND = "application/json"\nsqlite3.connect("state/app.db")'
    project = make({**IGNORED, "lib/tools/__init__.py": "", "server.py": server})
    with pytest.raises(InspectError) as caught, explained(project):
        raise InspectError(message, hint=OWN)
    assert caught.value.message == message
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    "message",
    [
        NO_FILE.format("/etc/absent"),
        NO_FILE.format("../absent"),
        NO_FILE.format("kept.txt"),
        NO_MODULE.format("numpy"),
        NO_DATABASE,
        "server.py raised ValueError: no such thing before it served",
    ],
)
def test_other_reasons_keep_their_hint(make: Make, message: str) -> None:
    with pytest.raises(InspectError) as caught, explained(make({**IGNORED, "server.py": ""})):
        raise InspectError(message, hint=OWN)
    assert (caught.value.message, caught.value.hint) == (message, OWN)
