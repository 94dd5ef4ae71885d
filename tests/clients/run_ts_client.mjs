// The TypeScript SDK v2 (@modelcontextprotocol/client) in each of its modes.
import { Client, SSEClientTransport, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { run } from "./observations.mjs";

const connect = (transport, mode) => [
  new Client({ name: "ts-client", version: "1.0.0" }, { versionNegotiation: { mode } }),
  transport,
  (client) => ({ server: client.getServerVersion()?.name ?? null, protocol: client.getNegotiatedProtocolVersion() }),
];
const http = (url, mode) => () => connect(new StreamableHTTPClientTransport(new URL(url)), mode);
const sse = (url, mode) => () => connect(new SSEClientTransport(new URL(url)), mode);

await run(
  (mcpUrl, sseUrl) => ({
    "http legacy": http(mcpUrl, "legacy"),
    "http auto": http(mcpUrl, "auto"),
    "http 2026-07-28": http(mcpUrl, { pin: "2026-07-28" }),
    "sse legacy": sse(sseUrl, "legacy"),
    "sse auto": sse(sseUrl, "auto"),
  }),
  (client, params, options) => client.callTool(params, options),
);
