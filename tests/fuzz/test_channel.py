from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from platform_cli.supervisor.messages import Answer, Load, Relay, Relayed, read_message

from .values import JSON_VALUES, encoded, objects

EVENTS = ["idle", "stopped", "load", "relay", "relayed", "ready", "accepting", "failed", "inspected"]
MESSAGES = objects(
    event=st.sampled_from(EVENTS),
    open=st.integers(),
    number=st.integers(),
    taken=st.booleans(),
    query=st.text(),
    headers=st.lists(st.tuples(st.text(), st.text())),
    body=st.text(),
    message=st.text(),
    hint=st.text() | st.none(),
    trace=st.text(),
    kind=st.text(),
    object=st.text(),
    modules=st.lists(st.text()),
    packages=st.lists(objects(package=st.text(), seconds=st.floats())),
    seconds=st.floats(),
    contract=st.dictionaries(st.text(), JSON_VALUES),
)


@given(encoded(MESSAGES))
def test_what_a_worker_says_is_a_message_or_nothing(line: bytes) -> None:
    match read_message(line):
        case Load(open=number) | Relayed(number=number):
            assert type(number) is int
            assert number >= 0
        case Relay() as relay:
            "".join((relay.query, relay.body, *(part for pair in relay.headers for part in pair))).encode()
        case Answer(event="failed", fields=fields):
            assert isinstance(fields["message"], str)
        case Answer(event="inspected", fields=fields):
            assert isinstance(fields["contract"], dict | None)
