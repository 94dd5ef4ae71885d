"""Checks that the tests which SECURITY.md names for its promises are there."""

from __future__ import annotations

import re

import pytest

from tests.support import ROOT

PROOFS = sorted(set(re.findall(r"`([\w/]+\.py(?:::\w+)?)`", (ROOT / "SECURITY.md").read_text())))


@pytest.mark.parametrize("proof", PROOFS)
def test_proofs_exist(proof: str) -> None:
    path, _, name = proof.partition("::")
    assert re.search(rf"^(?:async )?def {name}\(" if name else "", (ROOT / "tests" / path).read_text(), re.MULTILINE)


def test_each_promise_has_one() -> None:
    rows = re.findall(r"^\| (?!promise|---)(.+) \|$", (ROOT / "SECURITY.md").read_text(), re.MULTILINE)
    assert [row for row in rows if not re.search(r"`[\w/]+\.py", row.rpartition(" | ")[2])] == []
