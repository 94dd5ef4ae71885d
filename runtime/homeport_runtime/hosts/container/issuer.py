"""Fetches the keys of the authorization server whose tokens callers of an image show, as a platform does elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

# The seconds after which keys are fetched anew, and those before which they are not, whatever tokens say.
FRESH_S = 3600.0
AGAIN_S = 60.0


class IssuerWatch:
    """Knows the keys at `url`, the issuer's `jwks_uri`; `access` is what the worker is told of callers, with the keys
    that came with the image.
    """

    def __init__(self, url: str, access: Mapping[str, Any]) -> None:
        self._url = url
        self._access = dict(access)
        self._wanted = threading.Event()
        self._lock = threading.Lock()
        self._has_changed = False

    def start(self, changed: Callable[[], object]) -> None:
        """Fetches the keys now, once an hour, and when they are wanted; calls `changed` when there are others."""
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
            self._wanted.wait(FRESH_S)
            time.sleep(max(asked_at + AGAIN_S - time.monotonic(), 0.0))

    def _fetched(self) -> bool:
        """Fetches the keys, and tells whether they are others than before."""
        # Imported in this thread, since TLS takes long and the worker's start would wait for it.
        from ...guard.issuer_keys import UNAVAILABLE, fetch_keys, warn

        try:
            keys = fetch_keys(self._url)
        except UNAVAILABLE as error:
            warn(error)
            return False
        oauth = self._access["oauth"]
        with self._lock:
            if not keys or keys == oauth["jwks"]:
                return False
            self._access = {**self._access, "oauth": {**oauth, "jwks": keys}}
            self._has_changed = True
        return True
