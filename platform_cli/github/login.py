"""Logs in by the device flow, in which the person types a code at GitHub.

See https://docs.github.com/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps#device-flow.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import httpx

from ..errors import GitHubError
from .repository import GitHub

CLIENT_ID_VARIABLE = "HOMEPORT_GITHUB_CLIENT_ID"
# The scopes for private repositories and their webhooks, statuses and deployments.
SCOPE = "repo admin:repo_hook"
TIMEOUT_S = 30.0
SLOW_DOWN_S = 5.0
GRANT = "urn:ietf:params:oauth:grant-type:device_code"


def client_id() -> str | None:
    return os.environ.get(CLIENT_ID_VARIABLE)


def log_in(
    github: GitHub, client: str, show: Callable[[str, str], None], pause: Callable[[float], None] = time.sleep
) -> str:
    """Returns the token of a login, after `show` got the address to open and the code to type there.

    Raises GitHubError if the login is refused, or the code expires.
    """
    with httpx.Client(base_url=github.server_url, headers={"Accept": "application/json"}, timeout=TIMEOUT_S) as http:
        device = _ask(http, "/login/device/code", {"client_id": client, "scope": SCOPE})
        if "device_code" not in device:
            raise GitHubError(f"GitHub began no login: {_reason(device)}", hint=f"check {CLIENT_ID_VARIABLE}")
        show(str(device["verification_uri"]), str(device["user_code"]))
        interval, left = float(device.get("interval", 5)), float(device.get("expires_in", 900))
        while left > 0:
            pause(interval)
            left -= interval
            wanted = {"client_id": client, "device_code": str(device["device_code"]), "grant_type": GRANT}
            answer = _ask(http, "/login/oauth/access_token", wanted)
            if token := answer.get("access_token"):
                return str(token)
            match answer.get("error"):
                case "authorization_pending":
                    pass
                case "slow_down":
                    interval = float(answer.get("interval", interval + SLOW_DOWN_S))
                case "expired_token":
                    break
                case "access_denied":
                    raise GitHubError("the login was refused at GitHub")
                case _:
                    raise GitHubError(f"GitHub gave no token: {_reason(answer)}")
    raise GitHubError("the code has expired", hint="homeport login")


def _ask(http: httpx.Client, path: str, form: dict[str, str]) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = http.post(path, data=form).json()
    except (httpx.HTTPError, ValueError) as error:
        raise GitHubError(f"GitHub at {http.base_url} does not answer: {error}") from None
    return answer


def _reason(answer: dict[str, Any]) -> str:
    return str(answer.get("error_description") or answer.get("error") or "no reason given")
