"""The version of the API, which both sides compare.

It is raised when a command of the version before could not ask or read any more, since a route or a key of an answer
was taken away, or means something else. What is only added leaves it as it is.
"""

from __future__ import annotations

API_VERSION = 1
