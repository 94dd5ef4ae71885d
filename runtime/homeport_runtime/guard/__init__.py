"""What stands in front of every server: each request is checked once, and each JSON-RPC message is parsed once.

The parsed message is left in the scope under MESSAGE for everything that hangs off that parse.
"""
