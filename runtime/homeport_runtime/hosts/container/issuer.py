"""Fetches the keys of the authorization server whose tokens callers of an image show, as a platform does elsewhere, and
where that is a platform's, the sign-ins that have ended there.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

# The seconds after which keys are fetched anew, and those before which they are not, whatever tokens say. Sign-ins at a
# platform end more often than keys change.
FRESH_S = 3600.0
ENDED_S = 60.0
AGAIN_S = 60.0


class IssuerWatch:
    """Knows what is at `url`, the issuer's `jwks_uri`; `access` is what the worker is told of callers, with the keys
    that came with the image.
    """

    def __init__(self, url: str, access: Mapping[str, Any]) -> None:
        self._url = url
        self._access = dict(access)
        self._wanted = threading.Event()
        self._lock = threading.Lock()
        self._has_changed = False
        self._fresh_s = ENDED_S if access["oauth"].get("is_platform") else FRESH_S
        self._is_away = False

    def start(self, changed: Callable[[], object]) -> None:
        """Fetches the keys now, once an hour (of a platform: once a minute), and when they are wanted; calls `changed`
        when something is different.
        """
        threading.Thread(target=self._watch, args=(changed,), name="issuer-keys", daemon=True).start()

    def want(self) -> None:
        """Has the keys fetched, since a token has one that is unknown, but at most once a minute."""
        self._wanted.set()

    def take_changed(self) -> Mapping[str, Any] | None:
        """Returns what the worker has to be told, None if it knows that already."""
        with self._lock:
            has_changed, self._has_changed = self._has_changed, False
            return dict(self._access) if has_changed else None

    def _watch(self, changed: Callable[[], object]) -> None:
        while True:
            self._wanted.clear()
            asked_at = time.monotonic()
            if self._fetched():
                changed()
            self._wanted.wait(self._fresh_s)
            time.sleep(max(asked_at + AGAIN_S - time.monotonic(), 0.0))

    def _fetched(self) -> bool:
        """Fetches the keys, and tells whether something is different from before."""
        # Imported in this thread, since TLS takes long and the worker's start would wait for it.
        from ...guard.issuer_keys import UNAVAILABLE, fetch_key_set, warn

        try:
            said = fetch_key_set(self._url)
        except UNAVAILABLE as error:
            if not self._is_away:
                warn(error)
            self._is_away = True
            return False
        self._is_away = False
        oauth = self._access["oauth"]
        heard = {**oauth, "jwks": said.keys, "ended": sorted(said.ended)}
        with self._lock:
            if not said.keys or heard == {"ended": [], **oauth}:
                return False
            self._access = {**self._access, "oauth": heard}
            self._has_changed = True
        return True
