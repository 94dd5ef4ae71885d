from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from platform_cli.bearer import PREFIX
from platform_cli.controlplane.store import Store
from platform_cli.controlplane.tokens import Tokens
from platform_cli.errors import InputError, NotFoundError


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "store.db")
    yield opened
    opened.close()


@pytest.fixture
def tokens(store: Store) -> Tokens:
    return Tokens(store.db)


def test_a_token_opens_until_it_is_revoked(tokens: Tokens) -> None:
    token = tokens.create("laptop")
    other = tokens.create("ci")
    assert tokens.accept(token)
    assert tokens.accept(other)
    tokens.revoke("laptop")
    assert not tokens.accept(token)
    assert tokens.accept(other)
    with pytest.raises(NotFoundError):
        tokens.revoke("laptop")


@pytest.mark.parametrize("wrong", ["", "homeport_", "x", "Ünïcode", "\udcff"])
def test_nothing_else_opens(tokens: Tokens, wrong: str) -> None:
    token = tokens.create("laptop")
    assert not tokens.accept(wrong)
    assert not tokens.accept(token + wrong if wrong else token[:-1])


def test_only_a_hash_is_kept(tokens: Tokens, store: Store, tmp_path: Path) -> None:
    token = tokens.create("laptop")
    store.close()
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert token.encode() not in kept
    assert token.removeprefix(PREFIX).encode() not in kept


def test_tokens_are_256_bits_and_differ(tokens: Tokens) -> None:
    made = {tokens.create(f"t{number}") for number in range(20)}
    assert len(made) == 20
    assert all(len(token.removeprefix(PREFIX)) == 43 for token in made)


def test_names(tokens: Tokens) -> None:
    tokens.create("laptop")
    for name in ("laptop", "", "A", "a b", "../x", "x" * 64):
        with pytest.raises(InputError):
            tokens.create(name)
    assert [token["name"] for token in tokens.list_tokens()] == ["laptop"]


def test_a_use_is_noted_once_a_minute(tokens: Tokens, monkeypatch: pytest.MonkeyPatch) -> None:
    token = tokens.create("laptop")
    assert tokens.list_tokens()[0]["used_at"] is None
    for now, noted in ((1000.0, 1000.0), (1030.0, 1000.0), (1061.0, 1061.0), (500.0, 500.0)):
        monkeypatch.setattr("time.time", lambda now=now: now)
        assert tokens.accept(token)
        assert tokens.list_tokens()[0]["used_at"] == noted


def test_a_restart_keeps_them(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    token = Tokens(store.db).create("laptop")
    store.close()
    again = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    assert Tokens(again).accept(token)
    again.close()
