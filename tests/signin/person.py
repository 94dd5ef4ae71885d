"""Is a person with a browser: opens the page that a client wants opened, consents, and approves as the owner."""

from __future__ import annotations

import re
import ssl
from urllib.parse import urljoin, urlsplit

import httpx2

from tests.api.surface import check_json
from tests.e2e.probing import wait_for
from tests.support import Platform

# Nothing is left open that a test would have to close.
NOT_KEPT = httpx2.Limits(max_keepalive_connections=0)


class Person:
    """Has a browser with cookies, and the command line of `platform`'s machine."""

    def __init__(self, platform: Platform, verify: ssl.SSLContext | bool = True) -> None:
        self._platform = platform
        self.browser = httpx2.Client(
            follow_redirects=False, timeout=60, verify=verify, trust_env=False, limits=NOT_KEPT
        )

    def sign_in(self, url: str, decision: str = "allow") -> str:
        """Opens a client's page, answers it, and returns where the browser goes with the answer."""
        page = self.browser.get(url)
        if page.status_code == 303:
            return page.headers["location"]
        assert page.status_code == 200, page.text
        found = re.search(r'name="sign_in" value="([^"]+)"', page.text)
        assert found, page.text
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(url))
        form = {"sign_in": found[1], "decision": decision}
        answer = self.browser.post(urljoin(url, "/authorize/consent"), data=form, headers={"origin": origin})
        place = urljoin(url, answer.headers["location"])
        if not urlsplit(place).path.startswith("/authorize/wait"):
            return place
        code = re.search(r"homeport approve ([A-Z]{4}-[A-Z]{4})", self.browser.get(place).text)
        assert code
        check_json("approve", self._platform.run("approve", code[1]))
        done = self.browser.get(place)
        assert done.status_code == 303, done.text
        return done.headers["location"]

    def go_through(self, url: str) -> None:
        """Signs in, and delivers the answer to the client, which may listen for it a little later."""
        place = self.sign_in(url)
        arrived = wait_for(lambda: self._delivered(place))
        assert arrived.status_code < 400, arrived.text

    def _delivered(self, place: str) -> httpx2.Response | None:
        try:
            return self.browser.get(place)
        except httpx2.ConnectError:
            return None

    def open_link(self, url: str) -> None:
        """Opens a one-time link, which makes this browser the owner's."""
        page = self.browser.get(url)
        found = re.search(r'name="link" value="([^"]+)"', page.text)
        assert found, page.text
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(url))
        answer = self.browser.post(urljoin(url, "/authorize/link"), data={"link": found[1]}, headers={"origin": origin})
        assert answer.status_code == 200, answer.text
