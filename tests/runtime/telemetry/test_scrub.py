"""Tests that secret values are found in every form in which programs print them, and nothing else changes."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus, urlencode

import pytest

from homeport_runtime.telemetry.lines import MAX_LINE, LineStream
from homeport_runtime.telemetry.scrub import Scrubber

VALUE = "pä\"ss\\w/or+d & 😀='x\tend"
PEM = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\nAQEFAASCBKcwggSjAgEAAoIB\n-----END KEY-----\n"

FORMS: list[Callable[[str], str]] = [
    str,
    repr,
    ascii,
    lambda value: repr(value.encode()),
    lambda value: repr(repr(value)),
    json.dumps,
    lambda value: json.dumps(value, ensure_ascii=False),
    lambda value: json.dumps(json.dumps({"inner": json.dumps(value)})),
    lambda value: json.dumps(value).replace("/", "\\/"),
    quote,
    lambda value: quote(value, safe=""),
    lambda value: quote(value).lower(),
    quote_plus,
    lambda value: urlencode({"key": json.dumps(value)}),
    lambda value: quote(base64.b64encode(value.encode()).decode(), safe=""),
    lambda value: value.encode().hex(),
    lambda value: value.encode().hex().upper(),
    html.escape,
    lambda value: html.escape(value, quote=False),
    lambda value: html.escape(value).encode("ascii", "xmlcharrefreplace").decode(),
    lambda value: "".join(f"&#x{ord(each):04X};" if not each.isalnum() and each != "\\" else each for each in value),
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("value", [VALUE, "hunter2hunter2", "postgres://u:p%40ss@host/db?x=1"])
def test_text_forms(form: Callable[[str], str], value: str) -> None:
    printed = form(value)
    clean = Scrubber({"KEY": value}).text(f"before {printed} after")
    assert clean.startswith("before ")
    assert clean.endswith(" after")
    assert "[secret KEY]" in clean
    assert len(clean) < len("before [secret KEY] after") + 50 - 10
    rest = clean.replace("[secret KEY]", "")
    assert not any(value[at : at + 4] in rest for at in range(len(value) - 3))


@pytest.mark.parametrize("prefix", range(7))
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("suffix", [b"", b"@", b"@host"])
def test_base64_at_every_alignment(prefix: int, encode: Callable[[bytes], bytes], suffix: bytes) -> None:
    value = "s3cr\xff\xfe?>~~value"
    encoded = encode(b"u" * prefix + value.encode() + suffix)
    for printed in (encoded, encoded.rstrip(b"=")):
        clean = Scrubber({"KEY": value}).data(b"Authorization: Basic " + printed)
        assert b"[secret KEY]" in clean
        # At each end one character may hold a few bits of the value beside bits of its neighbour.
        left = clean.removeprefix(b"Authorization: Basic ").replace(b"[secret KEY]", b"")
        assert len(left) <= len(printed) - (len(value.encode()) * 8 // 6 - 1)


def test_base64_in_lines() -> None:
    value = "".join(chr(33 + n % 90) for n in range(400))
    lines = base64.encodebytes(value.encode()).splitlines()
    clean = [Scrubber({"KEY": value}).data(line) for line in lines]
    assert clean[:-1] == [b"[secret KEY]"] * (len(lines) - 1)


def test_lines_of_a_value_with_several() -> None:
    scrubber = Scrubber({"PEM": PEM})
    assert [scrubber.text(line) for line in PEM.splitlines()] == ["[secret PEM]"] * 4
    assert scrubber.text(repr(PEM)) == "'[secret PEM]\\n'"
    assert set(scrubber.text(PEM.replace("\n", "\r\n")).split()) == {"[secret", "PEM]"}


def test_the_decoded_form_of_a_value_that_is_percent_encoded() -> None:
    assert Scrubber({"PW": "p%40ss%2Fword"}).text("u:p@ss/word@h") == "u:[secret PW]@h"


def test_the_longer_value_wins() -> None:
    scrubber = Scrubber({"SHORT": "abcdef", "LONG": "abcdef-ghijkl"})
    assert scrubber.text("abcdef-ghijkl abcdef") == "[secret LONG] [secret SHORT]"


def test_short_values_stay() -> None:
    scrubber = Scrubber({"PORT": "80", "EMPTY": "", "SPACE": "   \n ", "WORD": "abcd"})
    assert scrubber.text("80 is the port, abcd") == "80 is the port, [secret WORD]"


def test_without_secrets_nothing_changes() -> None:
    scrubber = Scrubber({})
    assert scrubber.text("text") == "text"
    assert scrubber.line(b"line\n") == b"line\n"
    assert scrubber.whole("text") == len("text")
    message = {"event": "ready"}
    assert scrubber.prose(message) is message


def test_a_record_stays_one_whatever_the_secret_is() -> None:
    record = {
        "time": 1732.1234,
        "level": "info",
        "message": "1234 message info",
        "call": {"tool": "1234", "ms": 1.1234},
    }
    line = b"\x1e" + json.dumps(record).encode() + b"\n"
    for value in ("1234", "message", "info", '"level"', "call", "time"):
        clean = Scrubber({"KEY": value}).line(line)
        assert clean.startswith(b"\x1e")
        assert clean.endswith(b"\n")
        found = json.loads(clean[1:])
        assert (found["time"], found["level"], found["call"]["ms"]) == (1732.1234, "info", 1.1234)
        assert value not in found["message"]
        assert value not in found["call"]["tool"]


def test_a_secret_in_a_record_of_quotes_and_backslashes() -> None:
    line = b"\x1e" + json.dumps({"time": 1, "level": "info", "message": f"is {VALUE}"}, ensure_ascii=False).encode()
    assert json.loads(Scrubber({"KEY": VALUE}).line(line)[1:])["message"] == "is [secret KEY]"


def test_what_is_no_record_is_scrubbed_as_text() -> None:
    scrubber = Scrubber({"KEY": "hunter2"})
    assert scrubber.line(b"\xff hunter2\n") == b"\xff [secret KEY]\n"
    assert scrubber.line(b"\x1e{hunter2\n") == b"\x1e{[secret KEY]\n"
    assert scrubber.line(b"\x1e[1, hunter2]\n") == b"\x1e[1, [secret KEY]]\n"


def test_a_contract_keeps_its_names() -> None:
    schema = {"properties": {"url": {"type": "string", "default": "x-admin"}, "title": {"type": "string"}}}
    tool = {"name": "admin", "description": "of admin", "inputSchema": schema}
    clean = Scrubber({"USER": "admin"}).prose({"event": "inspected", "contract": {"tools": [tool]}})
    found = clean["contract"]["tools"][0]
    assert (found["name"], found["description"]) == ("admin", "of [secret USER]")
    assert found["inputSchema"]["properties"] == {
        "url": {"type": "string", "default": "x-[secret USER]"},
        "title": {"type": "string"},
    }


@pytest.mark.parametrize("value", ["x" * 65536, '"\\/\n' * 4096, "é" * 32768, "\n".join(["a line of it"] * 5000)])
def test_values_of_any_size(value: str) -> None:
    scrubber = Scrubber({"KEY": value})
    for form in (value.strip(), json.dumps(value.strip()), quote(value.strip())):
        assert "[secret KEY]" in scrubber.text(form)
    assert b"[secret KEY]" in scrubber.data(base64.b64encode(value.encode()))


def test_nothing_makes_it_slow() -> None:
    """A pattern that backtracks would not end within the lifetime of the test run."""
    scrubber = Scrubber({"KEY": '\\"' * 30 + "x"})
    assert "[secret" not in scrubber.text("\\" * 20_000 + "x")
    assert scrubber.text('\\"' * 20_000 + "x").endswith("[secret KEY]")


@pytest.mark.parametrize("size", [37, 1000, MAX_LINE])
def test_a_value_is_never_divided_between_two_records(size: int) -> None:
    """A line without an end is handed over in pieces, wherever the server's writes divide the value."""
    value = VALUE + "0123456789" * 3
    scrubber = Scrubber({"KEY": value})
    lines: list[str] = []
    stream = LineStream(1, "<stdout>", lambda text, _request: lines.append(text), lambda: None, scrubber)
    filler = "." * (MAX_LINE // 2 - 17)
    text = "".join(filler + form(value) for form in (str, json.dumps, quote) for _ in range(14))
    for at in range(0, len(text), size):
        stream.write(text[at : at + size])
    stream.finish()
    assert "".join(lines) == text
    assert len(lines) > 1
    clean = "".join(scrubber.text(line) for line in lines)
    assert clean.count("[secret KEY]") == 3 * 14
    assert "0123456789" not in clean


def test_one_of_many_pieces_is_found_wherever_it_is() -> None:
    lines = [f"{number:04d} of a long certificate {number * 7919 % 10007}" for number in range(500)]
    scrubber = Scrubber({"PEM": "\n".join(lines), "PW": "!a!"})
    for line in (lines[0], lines[137], lines[-1]):
        for form in (line, json.dumps(line), quote(line)):
            assert line[5:30] not in scrubber.text(f"... {form} ..."), form
            assert "[secret PEM]" in scrubber.text(f"... {form} ..."), form
    clean = scrubber.text(f"{lines[3]} and {lines[4]}")
    assert clean == "[secret PEM] and [secret PEM]"
    assert scrubber.text("nothing of it") == "nothing of it"


@pytest.mark.parametrize("depth", [400, 900, 100_000])
def test_a_deep_record_is_clean_all_the_same(depth: int) -> None:
    line = b'\x1e{"a":' + b"[" * depth + b'"hunter2hunter2"' + b"]" * depth + b"}\n"
    assert b"hunter2" not in Scrubber({"PW": "hunter2hunter2"}).line(line)
