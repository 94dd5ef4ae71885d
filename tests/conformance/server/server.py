"""Is the server that the official conformance suite talks to: it offers the tools, resources and prompts that the suite
calls by name (https://github.com/modelcontextprotocol/conformance, SDK_INTEGRATION.md).
"""

import contents
import dialogue
import protocol
import rounds
from mcp.server import MCPServer

mcp = MCPServer("homeport-conformance", version="1.0.0")
contents.register(mcp)
dialogue.register(mcp)
rounds.register(mcp)
protocol.register(mcp)
