"""Values that more than one fuzzer makes up."""

from __future__ import annotations

import json

from hypothesis import strategies as st

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


def objects(**fields: st.SearchStrategy[object]) -> st.SearchStrategy[dict[str, object]]:
    """Returns JSON objects with some of these fields, each as it should be or anything else."""
    return st.fixed_dictionaries({}, optional={name: value | JSON_VALUES for name, value in fields.items()})


def encoded(values: st.SearchStrategy[object]) -> st.SearchStrategy[bytes]:
    """Returns the values as JSON, now and then cut, nested deeply or changed by a byte; or any bytes."""

    def spoilt(text: bytes, at: int, byte: int) -> bytes:
        place = at % (len(text) + 1)
        return text[:place] + bytes([byte]) + text[place + 1 :]

    whole = values.map(lambda value: json.dumps(value).encode())
    return (
        whole
        | st.builds(spoilt, whole, st.integers(0, 10_000), st.integers(0, 255))
        | st.builds(lambda text, depth: b"[" * depth + text, whole, st.sampled_from([1, 900, 100_000]))
        | st.binary(max_size=200)
    )
