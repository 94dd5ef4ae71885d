"""Defines the version of the API, which both sides compare.

It increases when a command of the version before could not ask or read any more, since a route or a key of an answer
was removed or has another meaning. Additions leave it as it is.
"""

from __future__ import annotations

API_VERSION = 1
