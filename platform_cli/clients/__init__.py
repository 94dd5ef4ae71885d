"""The MCP clients that `homeport connect` knows: what each wants to read about a server, and in which file."""
