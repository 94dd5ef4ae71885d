"""Guards every server: each request is checked once, and each JSON-RPC message is parsed once.

The parsed message is in the scope under MESSAGE, for everything that needs it. App and hosts import this room.
"""
