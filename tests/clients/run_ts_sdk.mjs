// The TypeScript SDK v1 (@modelcontextprotocol/sdk): `node run_ts_sdk.mjs MCP_URL SSE_URL`.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { run } from "./observations.mjs";

const [mcpUrl, sseUrl] = process.argv.slice(2);
const connect = (transport) => [
  new Client({ name: "ts-sdk", version: "1.0.0" }),
  transport,
  (client) => ({ server: client.getServerVersion().name, protocol: transport.protocolVersion ?? null }),
];

await run(
  {
    http: () => connect(new StreamableHTTPClientTransport(new URL(mcpUrl))),
    sse: () => connect(new SSEClientTransport(new URL(sseUrl))),
  },
  (client, params, options) => client.callTool(params, undefined, options),
);
