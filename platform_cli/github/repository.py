"""Names a repository on github.com or on a GitHub Enterprise Server."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from ..addresses import is_readable_on_the_way, read_http_url
from ..errors import InputError

# GitHub's own runners set these variables: https://docs.github.com/actions/reference/workflows-and-actions/variables
SERVER_VARIABLE = "GITHUB_SERVER_URL"
API_VARIABLE = "GITHUB_API_URL"
SERVER_URL = "https://github.com"
API_URL = "https://api.github.com"
_PART = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9_-])?")


@dataclass(frozen=True, slots=True)
class GitHub:
    """Is one GitHub: `server_url` has its pages and its git, `api_url` its REST API."""

    server_url: str
    api_url: str


@dataclass(frozen=True, slots=True)
class Repository:
    """Is one repository; `name` is its present `owner/name`."""

    github: GitHub
    name: str

    @property
    def url(self) -> str:
        return f"{self.github.server_url}/{self.name}"

    @property
    def clone_url(self) -> str:
        return f"{self.url}.git"


def chosen_github() -> GitHub:
    """Returns the GitHub that GITHUB_SERVER_URL and GITHUB_API_URL name, else github.com.

    Raises InputError for an address that is malformed or not encrypted.
    """
    server = _address(SERVER_VARIABLE, SERVER_URL)
    # An Enterprise Server has its API below /api/v3: https://docs.github.com/enterprise-server/rest/using-the-rest-api
    default = API_URL if server == SERVER_URL else f"{server}/api/v3"
    return GitHub(server, _address(API_VARIABLE, default))


def read_repository(text: str, github: GitHub) -> Repository:
    """Parses `https://github.com/owner/name`, with or without .git.

    Raises InputError for anything else.
    """
    prefix, _, path = text.partition("//")
    host, _, path = path.partition("/")
    parts = path.rstrip("/").removesuffix(".git").split("/")
    if f"{prefix}//{host}".lower() != github.server_url.lower() or len(parts) != 2 or not all(map(is_part, parts)):
        raise InputError(
            f"{text!r} is not the address of a repository on {github.server_url}",
            hint=f"for example {github.server_url}/you/expense-tracker; {SERVER_VARIABLE} names another GitHub",
        )
    return Repository(github, "/".join(parts))


def is_part(text: str) -> bool:
    return _PART.fullmatch(text) is not None


def is_full_name(text: object) -> bool:
    return isinstance(text, str) and len(parts := text.split("/")) == 2 and all(map(is_part, parts))


def check_address(url: str, where: str) -> str:
    """Returns the address of a GitHub without a final slash.

    Raises InputError if it is malformed, or would send a token unencrypted to another machine.
    """
    parts = read_http_url(url)
    if parts is None or is_readable_on_the_way(parts) or parts.username or parts.query or parts.fragment:
        raise InputError(f"{where}: {url!r} is not the address of a GitHub", hint="for example https://github.com")
    return url.rstrip("/")


def _address(variable: str, default: str) -> str:
    return check_address(os.environ.get(variable) or default, variable)
