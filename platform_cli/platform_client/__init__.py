"""Contains what a laptop needs to reach a platform: the API's client, ways to connect to it, and builds that happen
there.

The platform is this machine's, reached by its Unix socket, or one elsewhere, by HTTPS with a token. Commands and the
local target import this room; the platform itself only what both sides must agree on (upload, connections).
"""
