from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from platform_cli.clients.config_file import with_server, write_server
from platform_cli.errors import InputError

ENTRY = {"url": "http://127.0.0.1:8700/mcp"}


def merged(text: str) -> str:
    return with_server(text, "servers", "new", ENTRY, where="file")


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        " {\n}\n",
        '{"servers": {}}',
        '{"servers":{"old":{"a":[1,2]}},"inputs":[]}',
        '{\n    "x": 1.50,\n    "servers": {\n        "old": {"é": "\\u00e9 \\" } ,"}\n    }\n}',
        '{\r\n  "servers": {\r\n    "new": {"gone": true},\r\n    "old": {}\r\n  }\r\n}\r\n',
        '{"nested": {"servers": {"new": 1}}, "big": 1e300, "lone": "\\ud800", "servers": {"s": "servers"}}',
        '\t{"a": "servers", "servers": {"old": {"servers": {"new": {}}}}, "z": null}',
    ],
)
def test_only_the_entry_changes(text: str) -> None:
    document: dict[str, Any] = json.loads(text)
    document.setdefault("servers", {})["new"] = ENTRY
    assert json.loads(merged(text)) == document
    assert list(json.loads(merged(text))) == list(document)
    assert merged(merged(text)) == merged(text)


def test_the_manner_of_the_file_is_kept() -> None:
    text = '{\n    "x": "é",\n    "servers": {\n        "old": {"a": 1}\n    }\n}'
    assert merged(text) == (
        '{\n    "x": "é",\n    "servers": {\n        "old": {\n            "a": 1\n        },\n        "new": {\n'
        '            "url": "http://127.0.0.1:8700/mcp"\n        }\n    }\n}'
    )
    assert merged("{}") + "\n" == merged("") == merged(" \n")
    assert "\n" not in merged('{\r\n  "servers": {}\r\n}').replace("\r\n", "")
    assert '"\\u00e9"' in merged('{"x": "\\u00e9"}')


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "null",
        '{"servers": []}',
        '{"servers": {},}',
        '{"servers": {} /* mine */}',
        '{"servers": {}, "servers": {}}',
        '{"servers": {"a": NaN}}',
        '{"servers": {"a": 1e400}}',
        "[" * 100_000,
        "\ufeff{}",
    ],
)
def test_what_is_not_plain_json_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"^file is not plain JSON, so it was left as it is: "):
        merged(text)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    path.write_bytes(b'{"a": "\xff"}')
    with pytest.raises(InputError, match="UTF-8"):
        write_server(path, "servers", "new", ENTRY)
    assert path.read_bytes() == b'{"a": "\xff"}'


def test_links_and_modes_stay(tmp_path: Path) -> None:
    dotfiles = tmp_path / "dotfiles"
    dotfiles.mkdir()
    (dotfiles / "mcp.json").write_text("{}")
    (dotfiles / "mcp.json").chmod(0o640)
    link = tmp_path / "mcp.json"
    link.symlink_to(dotfiles / "mcp.json")
    backup = write_server(link, "servers", "new", ENTRY)
    assert link.is_symlink()
    assert json.loads(link.read_text()) == {"servers": {"new": ENTRY}}
    assert backup
    assert backup.parent == dotfiles.resolve()
    assert [stat.S_IMODE(file.stat().st_mode) for file in (link, backup)] == [0o640, 0o640]


def test_a_new_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "mcp.json"
    assert write_server(path, "servers", "new", ENTRY) is None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
