"""Writes a request for other clients: as `homeport call`, for curl, and as a program in Python.

No token is written: what needs one reads it from the variable TOKEN.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..clients.exact import write_value
from ..clients.tool_arguments import type_names
from .eras import alone
from .wire import ACCEPT

# What a client of fastmcp calls for each method, and the parameters that it takes in this order.
_CLIENT = {"tools/call": ("call_tool", "name", "arguments"), "resources/read": ("read_resource", "uri", None)}
_CLIENT["prompts/get"] = ("get_prompt", "name", "arguments")


@dataclass(frozen=True, slots=True)
class Snippet:
    """Is a text to copy, for what `label` names."""

    label: str
    text: str


def snippets(
    project: str, url: str, method: str, params: Mapping[str, Any], schema: Mapping[str, Any], *, is_guarded: bool
) -> tuple[Snippet, ...]:
    """Returns the request in all forms; `schema` is the tool's, by which `homeport call` reads its arguments."""
    found = [Snippet("homeport call", _call(project, params, schema))] if method == "tools/call" else []
    curl = Snippet("curl", _curl(url, method, params, is_guarded))
    return (*found, curl, Snippet("Python", _python(url, method, params, is_guarded)))


def _call(project: str, params: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    properties = schema.get("properties")
    known: Mapping[str, Any] = properties if isinstance(properties, Mapping) else {}
    words = [str(params.get("name", ""))]
    for key, value in (params.get("arguments") or {}).items():
        is_text = isinstance(value, str) and type_names(known.get(key, {}), schema) == ("string",)
        words.append(f"{key}={value if is_text else write_value(value)}")
    # The server has chosen the names: none of them is an option of the command.
    end_of_options = ["--"] if any(word.startswith("-") for word in words) else []
    return shlex.join(["homeport", "call", project, *end_of_options, *words])


def _curl(url: str, method: str, params: Mapping[str, Any], is_guarded: bool) -> str:
    message, headers = alone(1, method, params)
    del message["params"]["_meta"]["progressToken"]
    sent = [f"-H {shlex.quote(f'{name}: {value}')}" for name, value in {**ACCEPT, **headers}.items()]
    sent = [each for each in sent if "Accept-Encoding" not in each]
    token = ['-H "Authorization: Bearer $TOKEN"'] if is_guarded else []
    return " \\\n  ".join([f"curl -sN {shlex.quote(url)}", *token, *sent, f"-d {shlex.quote(write_value(message))}"])


def _python(url: str, method: str, params: Mapping[str, Any], is_guarded: bool) -> str:
    call, name, more = _CLIENT[method]
    given = [repr(params.get(name, "")), *([repr(params.get(more) or {})] if more else [])]
    auth = ', auth=os.environ["TOKEN"]' if is_guarded else ""
    return (
        "import asyncio\n"
        + ("import os\n" if is_guarded else "")
        + "\nfrom fastmcp import Client\n\n\nasync def main():\n"
        + f"    async with Client({url!r}{auth}) as client:\n"
        + f"        print(await client.{call}({', '.join(given)}))\n\n\nasyncio.run(main())"
    )
