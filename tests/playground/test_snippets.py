from __future__ import annotations

import json
import shlex

from platform_cli.clients.tool_arguments import split_pairs, typed_arguments
from platform_cli.playground.snippets import snippets

URL = "http://127.0.0.1:8400/mcp"
SCHEMA = {"properties": {"what": {"type": "string"}, "size": {"type": "integer"}, "tags": {"type": "array"}}}
ARGUMENTS = {"what": "$(rm -rf /) 'x'", "size": 9007199254740993, "tags": ["a b", None]}


def made(method: str, params: dict[str, object], *, is_guarded: bool = True) -> dict[str, str]:
    return {each.label: each.text for each in snippets("shop", URL, method, params, SCHEMA, is_guarded=is_guarded)}


def test_homeport_call_reads_the_same_arguments() -> None:
    text = made("tools/call", {"name": "order", "arguments": ARGUMENTS})["homeport call"]
    words = shlex.split(text)
    assert words[:4] == ["homeport", "call", "shop", "order"]
    assert typed_arguments({"name": "order", "inputSchema": SCHEMA}, split_pairs(words[4:])) == ARGUMENTS


def test_no_name_of_a_server_is_an_option() -> None:
    text = made("tools/call", {"name": "--token=x", "arguments": {}})["homeport call"]
    assert shlex.split(text) == ["homeport", "call", "shop", "--", "--token=x"]


def test_curl_and_python_have_the_request_and_no_token() -> None:
    texts = made("tools/call", {"name": "order", "arguments": ARGUMENTS})
    words = shlex.split(texts["curl"])
    assert json.loads(words[words.index("-d") + 1])["params"]["arguments"] == ARGUMENTS
    assert "Authorization: Bearer $TOKEN" in words
    compile(texts["Python"], "snippet", "exec")
    assert repr(ARGUMENTS) in texts["Python"]
    assert "TOKEN" not in made("tools/call", {"name": "x"}, is_guarded=False)["curl"]


def test_resources_and_prompts() -> None:
    assert set(made("resources/read", {"uri": "config://app"})) == {"curl", "Python"}
    assert "client.read_resource('config://app')" in made("resources/read", {"uri": "config://app"})["Python"]
    assert (
        "client.get_prompt('greet', {'name': 'x'})"
        in (made("prompts/get", {"name": "greet", "arguments": {"name": "x"}})["Python"])
    )
