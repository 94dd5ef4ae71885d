"""Asks GitHub who somebody is by its device flow, which needs no secret and no address that leads back: the person
types a code at GitHub.

See https://docs.github.com/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps#device-flow.
"""

from __future__ import annotations

import time

from . import identities
from .devices import Device
from .identities import answered, ask_client, text_of
from .model import OAuthError
from .pending import LIFE_S

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
# The seconds between two questions whether the person has typed the code, at least, and by how much a service that is
# asked too often lengthens them (RFC 8628, sections 3.2 and 3.5).
INTERVAL_S = 5.0


async def begin(client_id: str) -> Device:
    """Returns a new sign-in.

    Raises OAuthError if GitHub does not begin one: the owner's app there must allow the device flow.
    """
    server = identities.GITHUB_URL
    async with ask_client() as http:
        said = await answered(http, "POST", f"{server}/login/device/code", data={"client_id": client_id})
    if "device_code" not in said:
        raise OAuthError("server_error", "The owner's app at GitHub does not allow the device flow.", 502)
    page, now = text_of(said, "verification_uri"), time.time()
    if not page.startswith(f"{server}/"):
        raise OAuthError("server_error", "GitHub's answer leads elsewhere.", 502)
    interval = max(_seconds(said.get("interval")), INTERVAL_S)
    return Device(
        client_id,
        page,
        text_of(said, "user_code"),
        text_of(said, "device_code"),
        interval,
        now + interval,
        now + min(_seconds(said.get("expires_in")) or LIFE_S, LIFE_S),
    )


async def find_user(device: Device) -> str | None:
    """Returns who has typed the code, None if nobody has yet; GitHub is asked as often as it wants to be.

    Raises OAuthError if nobody will.
    """
    now = time.time()
    if now >= device.ends_at:
        raise OAuthError("access_denied", "the code has expired")
    if now < device.next_at:
        return None
    # Before it is asked, since another tab may show the page, too.
    device.next_at = now + device.interval_s
    form = {"client_id": device.client_id, "device_code": device.secret, "grant_type": GRANT}
    async with ask_client() as http:
        said = await answered(http, "POST", f"{identities.GITHUB_URL}/login/oauth/access_token", data=form)
        if "access_token" in said:
            headers = {"authorization": f"Bearer {text_of(said, 'access_token')}"}
            return text_of(await answered(http, "GET", f"{identities.GITHUB_API}/user", headers=headers), "login")
    if said.get("error") == "slow_down":
        device.interval_s += INTERVAL_S
    elif said.get("error") != "authorization_pending":
        raise OAuthError("access_denied", "the sign-in was refused at GitHub")
    return None


def _seconds(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else 0.0
