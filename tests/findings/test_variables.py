from __future__ import annotations

import pytest

from platform_cli.findings.variables import find_variables
from platform_cli.pipeline.code import read_code

from .conftest import Make

SETTINGS = """
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic import Field
class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="app_")
    url: str
    depth: int = 3
    token: str = Field(validation_alias="TOKEN")
    size: int = Field(default=3)
"""


def found(make: Make, text: str, shell: dict[str, str] | None = None, **fields: object) -> dict[str, str]:
    project = make({"server.py": text}, **fields)
    return {each.kind: each.text for each in find_variables(project, read_code(project), shell or {}, {"IN_DOTENV"})}


@pytest.mark.parametrize(
    "text",
    [
        'import os\nos.environ["KEY"]',
        'import os\nos.getenv("KEY")',
        'import os\nos.environ.get("KEY")',
        'from os import environ, getenv\nenviron["KEY"]\n',
        'from os import getenv\ndef f():\n    if not getenv("KEY"):\n        raise RuntimeError',
        'import os\nif os.getenv("KEY") is None: raise SystemExit',
        'import os\nkey = os.getenv("OTHER", "") or os.getenv("KEY")',
    ],
)
def test_what_is_read_without_a_default_and_set_nowhere(make: Make, text: str) -> None:
    kinds = found(make, text)
    assert list(kinds) == ["unset-variables"]
    assert "KEY (server.py:" in kinds["unset-variables"]
    assert "OTHER" not in kinds["unset-variables"]
    assert found(make, text, environment={"KEY": "x"}) == {}
    assert list(found(make, text, {"KEY": "5ecret"})) == ["shell-variables"]
    assert "5ecret" not in str(found(make, text, {"KEY": "5ecret"}))


@pytest.mark.parametrize(
    "text",
    [
        'import os\nos.environ.get("KEY", "x")',
        'import os\nos.getenv("KEY") or "x"',
        'import os\nif os.getenv("KEY"): print(1)',
        'import os\nprint(os.getenv("KEY") == "1")',
        'import os\nos.environ["KEY"] = "x"\nos.environ["KEY"]',
        'import os\nos.environ.setdefault("KEY", "x")\nos.environ["KEY"]',
        'import os\nos.environ["PATH"], os.environ["HOME"], os.environ["HOMEPORT_PROJECT"], os.environ["IN_DOTENV"]',
        'import os\nname = "KEY"\nos.environ[name]',
        "this is no Python",
        'import os\nos.environ.get("XDG_CACHE_HOME") or os.environ.get("APPDATA")',
    ],
)
def test_what_the_code_can_do_without(make: Make, text: str) -> None:
    assert found(make, text) == {}


def test_what_has_a_default_and_is_set_in_the_shell(make: Make) -> None:
    text = 'import os\nos.environ.get("KEY", "x")'
    assert found(make, text, {"KEY": "y"}) == {
        "shell-variables": "set in this shell, not for the server: KEY (server.py:2)"
    }


def test_fields_of_settings(make: Make) -> None:
    kinds = found(make, SETTINGS, {"APP_DEPTH": "1"})
    assert kinds["unset-variables"].endswith(": APP_URL (server.py:6), TOKEN (server.py:8)")
    assert kinds["shell-variables"].endswith(": APP_DEPTH (server.py:7)")


def test_local_modules_are_read_and_many_names_are_counted(make: Make) -> None:
    make({"settings.py": "import os\n" + "\n".join(f'os.environ["V{n}"]' for n in range(7))})
    text = found(make, "import settings\n")["unset-variables"]
    assert text.endswith("V4 (settings.py:6) and 2 more")
