from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

from hypothesis import given
from hypothesis import strategies as st

from homeport_runtime.telemetry.scrub import MIN_CHARACTERS, Scrubber

FORMS: list[Callable[[str], str]] = [
    str, repr, ascii, json.dumps, quote, quote_plus, html.escape,
    lambda value: json.dumps(json.dumps(value)),
    lambda value: value.encode().hex(),
    lambda value: base64.b64encode(value.encode()).decode(),
]  # fmt: skip
SECRETS = st.text(st.characters(exclude_categories=["Cs"]), min_size=8, max_size=60).filter(
    lambda text: len(text.strip()) >= MIN_CHARACTERS and text == text.strip()
)


@given(SECRETS, st.sampled_from(FORMS), st.text(max_size=10), st.text(max_size=10))
def test_a_secret_is_found_in_each_form(secret: str, form: Callable[[str], str], before: str, after: str) -> None:
    clean = Scrubber({"KEY": secret}).text(f"{before} {form(secret)} {after}")
    assert "[secret KEY]" in clean


@given(st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=80), max_size=3), st.binary(max_size=300))
def test_nothing_that_is_printed_breaks_it(secrets: dict[str, str], line: bytes) -> None:
    scrubber = Scrubber(secrets)
    for printed in (line, b"\x1e" + line):
        scrubber.line(printed)
    text = line.decode("utf-8", "replace")
    assert 0 <= scrubber.whole(text) <= len(text)


@given(SECRETS, st.text(max_size=20))
def test_a_record_stays_one(secret: str, text: str) -> None:
    record = {"time": 1.0, "level": "info", "message": text + secret, "request": "0123"}
    line = b"\x1e" + json.dumps(record).encode() + b"\n"
    clean = json.loads(Scrubber({"KEY": secret}).line(line)[1:])
    assert clean.keys() == record.keys()
    assert secret not in clean["message"]
