"""Gets tokens of a running platform, as a client does that is only HTTP."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx2

from tests.support import Platform

from .conftest import CHALLENGE, REDIRECT, VERIFIER
from .person import NOT_KEPT


@dataclass
class SignedIn:
    """Holds the tokens that a user was given."""

    http: httpx2.Client
    client_id: str
    access_token: str
    refresh_token: str

    def refresh(self) -> tuple[int, str | None]:
        """Refreshes the tokens, and returns the answer's status and error."""
        form = {"grant_type": "refresh_token", "client_id": self.client_id, "refresh_token": self.refresh_token}
        answer = self.http.post("/token", data=form)
        said = answer.json()
        if answer.status_code == 200:
            self.access_token, self.refresh_token = said["access_token"], said["refresh_token"]
        return answer.status_code, said.get("error")


def signed_in(platform: Platform, resource: str, user: str, scope: str | None = None) -> SignedIn:
    issuer = platform.api.platform()["api_url"] or ""
    http = httpx2.Client(base_url=issuer, timeout=60, trust_env=False, limits=NOT_KEPT)
    registered = http.post("/register", json={"client_name": "by hand", "redirect_uris": [REDIRECT]}).json()
    asked = {
        "response_type": "code",
        "client_id": registered["client_id"],
        "redirect_uri": REDIRECT,
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        "resource": resource,
        **({"scope": scope} if scope else {}),
    }
    page = http.get("/authorize", params=asked)
    secret = re.search(r'name="sign_in" value="([^"]+)"', page.text)
    assert secret, page.text
    form = {"sign_in": secret[1], "decision": "allow"}
    place = http.post("/authorize/consent", data=form, headers={"origin": issuer}).headers["location"]
    code = re.search(r"homeport approve ([A-Z-]+)", http.get(urljoin(issuer, place)).text)
    assert code
    platform.run("approve", code[1], "--user", user)
    done = http.get(urljoin(issuer, place)).headers["location"]
    form = {
        "grant_type": "authorization_code",
        "client_id": registered["client_id"],
        "code": parse_qs(urlsplit(done).query)["code"][0],
        "redirect_uri": REDIRECT,
        "code_verifier": VERIFIER,
    }
    said = http.post("/token", data=form).json()
    return SignedIn(http, registered["client_id"], said["access_token"], said["refresh_token"])
