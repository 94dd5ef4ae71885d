"""Tests files of a project: fastmcp.toml, .env, requirements.txt."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

import tomlkit
from hypothesis import given
from hypothesis import strategies as st

from platform_cli.config.schema import TABLES
from platform_cli.config.toml import read_toml
from platform_cli.errors import HomeportError, InputError
from platform_cli.pipeline.requirements_txt import read_text
from platform_cli.secrets.dotenv import parse_dotenv

VALUES = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
TABLE_NAMES = st.sampled_from([*TABLES, "environment", "scopes"]) | st.text(max_size=8)
KEYS = st.sampled_from([key for keys in TABLES.values() for key in keys]) | st.text(max_size=8)
DOCUMENTS = st.dictionaries(TABLE_NAMES, st.dictionaries(KEYS, VALUES, max_size=4) | VALUES, max_size=3)


def _read(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fastmcp.toml"
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        with contextlib.suppress(HomeportError):
            read_toml(path)


@given(st.text())
def test_any_text_is_a_configuration_or_an_error_of_ours(text: str) -> None:
    _read(text)


@given(DOCUMENTS)
def test_any_document_is_a_configuration_or_an_error_of_ours(document: dict[str, object]) -> None:
    with contextlib.suppress(UnicodeEncodeError):
        _read(tomlkit.dumps(document))


LINES = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "export ", "#", " "]) | st.text(max_size=5),
    st.sampled_from(["A", "A B", ""]),
    st.sampled_from(["=", " = ", "='", '="', '="\\']),
    st.text(max_size=10),
)


@given(st.text() | st.lists(LINES).map("\n".join))
def test_a_dotenv_file_has_values_or_an_error_of_ours(text: str) -> None:
    with contextlib.suppress(InputError):
        values = parse_dotenv(text, ".env")
        assert all(isinstance(value, str) for value in values.values())


REQUIREMENTS = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "-r ", "-e ", "-c", "--index-url=", "--hash=", "./", "six @ ", "git+https://", "file://"]),
    st.sampled_from(["six", ".", "..", "/", "~", "a.whl", "\0", "a" * 300]) | st.text(max_size=10),
    st.sampled_from(["", "\\", " ; python_version<'3'", " --hash=sha256:0", "[x]", " # x"]),
)


@given(st.text() | st.lists(REQUIREMENTS, max_size=4).map("\n".join))
def test_requirements_are_read_or_an_error_of_ours(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(HomeportError):
        read_text(Path(folder), text, "requirements.txt")
