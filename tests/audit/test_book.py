"""Tests the audit log: each line is bound to the one before it, and whatever is done to the files is found."""

from __future__ import annotations

import json
import os
import resource
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from platform_cli.api.audit_query import AuditQuery
from platform_cli.audit import book as book_module
from platform_cli.audit import files
from platform_cli.audit.book import AuditBook, durable
from platform_cli.audit.chain import NOTHING, Checked, Head
from platform_cli.audit.entry import Entry, entry_of, read_audited, read_entry
from platform_cli.audit.heads import Heads
from platform_cli.audit.ocsf import ocsf
from platform_cli.audit.search import search
from platform_cli.audit.verify import report, verify
from tests.small_disks import fill, small_disk

CALL = Entry(
    time=1_769_437_395.0,
    client_id="claude-ai-prod",
    tool_name="add_expense",
    arguments='{"amount":50,"category":"food","description":"coffee"}',
    result="success",
    scopes_used=("expense:write",),
    user_id="alice@company.com",
    ip_address="192.168.1.100",
    method="tools/call",
    request="0011223344556677",
    ms=6.5,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "audit"


@pytest.fixture
def heads() -> Iterator[Heads]:
    db = sqlite3.connect(":memory:", isolation_level=None)
    yield Heads(db)
    db.close()


def written(folder: Path, heads: Heads, count: int = 5) -> AuditBook:
    """Returns a book with `count` lines more, the last of which is in the store."""
    book = AuditBook(folder, "expenses", heads.head("expenses"))
    for number in range(count):
        book.write([(CALL._replace(arguments=f'{{"amount":{number}}}'), "v1")])
    head, descriptor = book.unsynced()
    durable(descriptor)
    heads.put({"expenses": head})
    return book


def checked(folder: Path, heads: Heads) -> Checked:
    return verify(folder, heads.start("expenses"), heads.head("expenses"))


def entries(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in files.lines(folder)]


def test_a_line_says_who_called_what(folder: Path) -> None:
    """The seed guide's eight fields, exactly."""
    book = AuditBook(folder, "expenses", NOTHING)
    book.write([(CALL, "v3")])
    book.close()
    (line,) = entries(folder)
    assert {key: line[key] for key in list(line)[1:9]} == {
        "timestamp": "2026-01-26T14:23:15.000Z",
        "client_id": "claude-ai-prod",
        "tool_name": "add_expense",
        "arguments": {"amount": 50, "category": "food", "description": "coffee"},
        "result": "success",
        "scopes_used": ["expense:write"],
        "user_id": "alice@company.com",
        "ip_address": "192.168.1.100",
    }
    assert (line["seq"], line["project"], line["release"], line["prev"]) == (1, "expenses", "v3", NOTHING.hash)


def test_the_whole_log_is_verified(folder: Path, heads: Heads) -> None:
    written(folder, heads).close()
    assert report("expenses", checked(folder, heads)) == {
        "project": "expenses", "ok": True, "lines": 5, "first": 1, "last": 5, "broken_at": None, "problem": None,
    }  # fmt: skip


def edited(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], lines[2].replace(b'"amount":2', b'"amount":9'), *lines[3:]]


def removed(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], *lines[3:]]


def swapped(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], lines[3], lines[2], lines[4]]


def cut(lines: list[bytes]) -> list[bytes]:
    return lines[:2]


def emptied(_lines: list[bytes]) -> list[bytes]:
    return []


def forged(lines: list[bytes]) -> list[bytes]:
    """Returns a log that was written anew from the third line on, each line with the right hash."""
    folder = Path(os.environ["PYTEST_FORGED"])
    other = AuditBook(folder, "expenses", NOTHING)
    for number in (0, 1, 7, 8, 9):
        other.write([(CALL._replace(arguments=f'{{"amount":{number}}}'), "v1")])
    other.close()
    return [*lines[:2], *list(files.lines(folder))[2:]]


@pytest.mark.parametrize(
    ("change", "at"), [(edited, 3), (removed, 3), (swapped, 3), (cut, 3), (emptied, 1), (forged, 5)]
)
def test_what_was_done_to_the_files_is_found(
    folder: Path,
    heads: Heads,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[list[bytes]], list[bytes]],
    at: int,
) -> None:
    monkeypatch.setenv("PYTEST_FORGED", str(tmp_path / "forged"))
    written(folder, heads).close()
    path = files.path_of(folder, 1)
    path.write_bytes(b"".join(line + b"\n" for line in change(list(files.lines(folder)))))
    found = checked(folder, heads).broken
    assert found is not None
    assert found.seq == at


def test_what_somebody_has_made_unreadable_hides_nothing_else(folder: Path, heads: Heads) -> None:
    written(folder, heads).close()
    path = files.path_of(folder, 1)
    path.write_bytes(path.read_bytes().replace(b'"amount":2}', b'"amount":2'))
    assert [json.loads(line)["seq"] for line in search(folder, AuditQuery())] == [1, 2, 4, 5]


def test_it_goes_on_where_it_ended(folder: Path, heads: Heads) -> None:
    """After a crash the files have a second's lines more than the store, and perhaps a part of one."""
    book = written(folder, heads)
    book.write([(CALL, "v1")])
    book.close()
    with files.path_of(folder, 1).open("ab") as file:
        file.write(b'{"seq":7,"timest')
    assert checked(folder, heads).broken is None
    assert [line["seq"] for line in entries(folder)] == [1, 2, 3, 4, 5, 6]
    written(folder, heads, 2).close()
    assert [line["seq"] for line in entries(folder)] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert checked(folder, heads).broken is None


def test_a_cut_is_still_seen_after_more_lines(folder: Path, heads: Heads) -> None:
    written(folder, heads).close()
    path = files.path_of(folder, 1)
    path.write_bytes(b"".join(line + b"\n" for line in list(files.lines(folder))[:3]))
    written(folder, heads, 2).close()
    found = checked(folder, heads).broken
    assert found is not None
    assert (found.seq, found.problem) == (4, "it is followed by line 6")


def test_calls_whose_lines_had_no_room_are_counted(folder: Path, heads: Heads) -> None:
    book = written(folder, heads, 1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (files.path_of(folder, 1).stat().st_size + 10, hard))
        for _ in range(3):
            book.write([(CALL, "v1")])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    book.write([(CALL, "v1")])
    book.close()
    assert [line.get("lost") for line in entries(folder)] == [None, 3, None]
    assert checked(folder, heads).broken is None


def test_of_lines_that_are_written_together_as_many_are_as_there_is_room_for(folder: Path, heads: Heads) -> None:
    book = written(folder, heads, 1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = files.path_of(folder, 1).stat().st_size
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size * 5 // 2, hard))
        book.write([(CALL._replace(arguments=f'{{"amount":{number}}}'), "v1") for number in range(3)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    book.write([(CALL, "v1"), (CALL, "v1")])
    book.close()
    assert [line.get("lost") for line in entries(folder)] == [None, None, 2, None, None]
    assert checked(folder, heads).broken is None


def test_calls_under_way_have_room(tmp_path: Path, heads: Heads) -> None:
    """On a disk that is full: a file system of 8 MB of which nothing is left."""
    folder = tmp_path / "small" / "audit"
    with small_disk(tmp_path / "small", 8) as disk:
        book = AuditBook(folder, "expenses", NOTHING)
        fulls: list[str] = []
        book.on_full = lambda: fulls.append("full")
        book.write([(CALL, "v1")])
        assert book.keep_room()
        filler = fill(disk)
        for _ in range(100):
            book.write([(CALL._replace(arguments=f'{{"note":"{"x" * 1000}"}}'), "v1")])
        assert fulls == ["full"]
        assert not book.keep_room()
        filler.unlink()
        assert book.keep_room()
        book.close()
        assert [line.get("lost") for line in entries(folder)] == [None] * 101


def test_what_is_older_than_is_kept_goes(folder: Path, heads: Heads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_module, "MAX_FILE_BYTES", 1000)
    book = written(folder, heads, 9)
    count = len(files.numbers(folder))
    assert count > 2
    assert book.outdated(keep_s=1e6) == []
    for number in files.numbers(folder)[:2]:
        os.utime(files.path_of(folder, number), (0, 0))
    old = book.outdated(keep_s=1e6)
    heads.start_after("expenses", old[-1][1])
    assert checked(folder, heads).broken is None, "not yet removed"
    for path, _ in old:
        path.unlink()
    book.close()
    found = checked(folder, heads)
    assert (found.broken, found.first) == (None, old[-1][1].seq + 1)


def test_a_line_of_another_age_begins_another_file(folder: Path, heads: Heads) -> None:
    book = written(folder, heads, 1)
    book.rotate(keep_s=1e12)
    assert len(files.numbers(folder)) == 1
    book.rotate(keep_s=0)
    book.write([(CALL, "v1")])
    book.close()
    assert len(files.numbers(folder)) == 2
    heads.put({"expenses": book.head})
    assert checked(folder, heads).broken is None


def test_the_store_knows_the_last_line(folder: Path, heads: Heads) -> None:
    book = written(folder, heads, 1)
    assert book.is_dirty
    book.stored(heads.head("expenses"))
    assert not book.is_dirty
    book.write([(CALL, "v1")])
    assert book.is_dirty
    book.close()
    heads.forget("expenses")
    assert heads.head("expenses") == Head(0, NOTHING.hash)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (AuditQuery(), 2),
        (AuditQuery(client="claude-*"), 1),
        (AuditQuery(user="bob"), 1),
        (AuditQuery(tool="add_*"), 2),
        (AuditQuery(result="denied"), 1),
        (AuditQuery(since=CALL.time + 1), 1),
    ],
)
def test_lines_are_found(folder: Path, query: AuditQuery, found: int) -> None:
    book = AuditBook(folder, "expenses", NOTHING)
    book.write([(CALL, "v1")])
    book.write([(CALL._replace(client_id=None, user_id="bob", result="denied", time=CALL.time + 5), "v1")])
    book.close()
    assert len(list(search(folder, query))) == found


def test_ocsf(folder: Path) -> None:
    book = AuditBook(folder, "expenses", NOTHING)
    book.write([(CALL._replace(result="denied", reason="insufficient_scope"), "v1")])
    book.close()
    event = ocsf(json.loads(next(files.lines(folder))))
    assert (event["type_uid"], event["status_id"], event["status_detail"]) == (600399, 2, "insufficient_scope")
    assert (event["actor"]["app_uid"], event["api"]["operation"]) == ("claude-ai-prod", "add_expense")
    assert event["time"] == CALL.time * 1000


SAID = (
    '{"time":1.5,"audit":{"client_id":"c","tool_name":"t","arguments":{"a":1},"result":"success","scopes_used":["s"],'
    '"user_id":null,"ip_address":"127.0.0.1","method":"tools/call","request":"r","ms":1}}'
)


def test_what_a_worker_says_is_read() -> None:
    entry = read_entry(SAID)
    assert entry is not None
    assert (entry.client_id, entry.tool_name, entry.arguments, entry.scopes_used) == ("c", "t", '{"a":1}', ("s",))


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        "[]",
        '{"time":1}',
        '{"audit":5,"time":1}',
        SAID.replace("1.5", '"x"'),
        SAID.replace("1.5", "1e99"),
        SAID.replace('"ms":1', '"ms":-1'),
        SAID.replace('"ms":1', '"ms":true'),
        SAID.replace('"success"', '"fine"'),
        SAID.replace('"success"', '["success"]'),
        SAID.replace('["s"]', '"s"'),
        SAID.replace('["s"]', "[1]"),
        "[" * 100_000,
    ],
)
def test_what_no_worker_says_is_no_entry(line: str) -> None:
    assert read_entry(line) is None


def test_arguments_that_are_too_deep_to_encode_cost_no_line() -> None:
    deep: list[object] = []
    for _ in range(2000):
        deep = [deep]
    said = json.loads(SAID)
    entry = entry_of({**said["audit"], "arguments": deep}, said["time"])
    assert entry is not None
    assert entry.arguments == "null"


WHO = json.dumps({"client_id": "c", "tool_name": "t", "scopes_used": [], "method": "tools/call"}).encode()


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("null", "null"),
        ("{}", "{}"),
        ('{"a":1,"b":"ä, }:{","c":-20,"d":0,"e":true,"f":false,"g":null}', None),
        ('{"a":{"b":[1,"x"]}}', None),
        ('{ "a" : 1 }', '{"a":1}'),
        ('{"a":-0}', '{"a":0}'),
        (r'{"a":"\u00e4\n\u001e"}', r'{"a":"ä\n\u001e"}'),
        ('{"a":1.50}', '{"a":1.5}'),
        ('{"a":12345678901234567890}', None),
        ("[1]", None),
    ],
)
def test_arguments_are_kept_as_json_of_one_form(said: str, kept: str | None) -> None:
    audited = read_audited(WHO, said.encode())
    assert audited is not None
    assert audited.arguments == (kept or said)


@pytest.mark.parametrize(
    "said",
    [
        "",
        "x",
        "{",
        "{}{}",
        "{,}",
        '{"a":1,}',
        '{"a":1 "b":2}',
        '{"a":01}',
        '{"a":-}',
        '{"a":٣}',
        '{"a":"\n"}',
        '{"a":1}\n',
    ],
)
def test_what_are_no_arguments_makes_no_line(said: str) -> None:
    assert read_audited(WHO, said.encode()) is None


def test_an_entry_has_bounds() -> None:
    entry = read_entry(SAID.replace('"t"', json.dumps("t" * 9999)).replace('{"a":1}', json.dumps("a" * 99_999)))
    assert entry is not None
    assert (len(entry.tool_name or ""), entry.arguments) == (256, "null")
