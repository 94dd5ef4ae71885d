// The TypeScript SDK v1 (@modelcontextprotocol/sdk).
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { run } from "./observations.mjs";

const connect = (transport) => [
  new Client({ name: "ts-sdk", version: "1.0.0" }),
  transport,
  (client) => ({ server: client.getServerVersion().name, protocol: transport.protocolVersion ?? null }),
];

await run(
  (mcpUrl, sseUrl) => ({
    http: () => connect(new StreamableHTTPClientTransport(new URL(mcpUrl))),
    sse: () => connect(new SSEClientTransport(new URL(sseUrl))),
  }),
  (client, params, options) => client.callTool(params, undefined, options),
);
