// The TypeScript SDK v2 (@modelcontextprotocol/client) in each of its modes: `node run_ts_client.mjs MCP_URL SSE_URL`.
import { Client, SSEClientTransport, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { run } from "./observations.mjs";

const [mcpUrl, sseUrl] = process.argv.slice(2);
const connect = (transport, mode) => [
  new Client({ name: "ts-client", version: "1.0.0" }, { versionNegotiation: { mode } }),
  transport,
  (client) => ({ server: client.getServerVersion()?.name ?? null, protocol: client.getNegotiatedProtocolVersion() }),
];
const http = (mode) => () => connect(new StreamableHTTPClientTransport(new URL(mcpUrl)), mode);

await run(
  {
    "http legacy": http("legacy"),
    "http auto": http("auto"),
    "http 2026-07-28": http({ pin: "2026-07-28" }),
    "sse legacy": () => connect(new SSEClientTransport(new URL(sseUrl)), "legacy"),
    "sse auto": () => connect(new SSEClientTransport(new URL(sseUrl)), "auto"),
  },
  (client, params, options) => client.callTool(params, options),
);
