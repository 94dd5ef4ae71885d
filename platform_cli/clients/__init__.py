"""The two sides of an MCP client: files that tell other clients where a server is, and a client of our own.

`homeport connect` writes the files (formats, config_file); `homeport tools` and `call` are the client (mcp_client).
Only commands import it, and it knows no project and no platform: it is given URLs and headers.
"""
