"""Holds what the Python clients share that sign in: what they keep, and the person's browser.

What the browser has to open is a line of JSON on stdout; where it ends up is a line on stdin. Imported by the programs
beside it, each in an environment of its own: only the standard library here.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any
from urllib.parse import parse_qs, urlsplit

REDIRECT = "http://localhost:3030/callback"


class Kept:
    """Keeps tokens and registration in memory."""

    def __init__(self) -> None:
        self.tokens: Any = None
        self.client: Any = None

    async def get_tokens(self) -> Any:
        return self.tokens

    async def set_tokens(self, tokens: Any) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> Any:
        return self.client

    async def set_client_info(self, client: Any) -> None:
        self.client = client


def arguments() -> tuple[str, str | None]:
    """Returns the URL of the server, and that of the client's own metadata document if it has one."""
    return sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None


async def open_page(url: str) -> None:
    print(json.dumps({"open": url}), flush=True)


async def answered() -> dict[str, str]:
    """Returns the parameters with which the browser came back."""
    said = parse_qs(urlsplit((await asyncio.to_thread(sys.stdin.readline)).strip()).query)
    return {name: values[0] for name, values in said.items()}


async def use(client: Any) -> None:
    """Calls what a first scope allows, what needs another, and the first again, and prints the texts."""
    texts = []
    for tool, given in (("whoami", {}), ("add", {"a": 1, "b": 2}), ("whoami", {})):
        texts.append((await client.call_tool(tool, given)).content[0].text)
    print(json.dumps({"texts": texts}), flush=True)
