"""Shows in a browser what a platform's projects do: HTML fragments, fetched by a script of our own with a bearer key.

A page is a module in `pages` and a template of its name; `page` says what a page is, `source` what all of them are made
from, in the API's shapes. `app` serves them, `security` guards them, and `sessions` stores who may see them. The
control plane serves this room, which has no way to its stores but `sessions`. It is loaded at the first request.
"""
