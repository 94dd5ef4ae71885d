"""Contains both sides of an MCP client: configuration files of other clients, and a client of homeport's own.

`homeport connect` writes the files (formats.py, config_file.py); `homeport tools` and `call` are the client
(mcp_client.py). Only commands import this room, which knows no project and no platform: it gets URLs and headers.
"""
