"""Contains both sides of an MCP client: configuration files of other clients, and a client of homeport's own.

`homeport connect` writes the files (formats.py, config_file.py); `homeport tools` and `call` are the client
(mcp_client.py, tool_arguments.py). JSON that a person types is read by exact.py, in the playground as well. The room
knows no project and no platform: it gets URLs and headers.
"""
