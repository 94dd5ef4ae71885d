// Drives the TypeScript SDK v1 (@modelcontextprotocol/sdk).
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { drive } from "./driven.mjs";

async function connect(url, headers) {
  const Transport = url.pathname.endsWith("/sse") ? SSEClientTransport : StreamableHTTPClientTransport;
  const client = new Client({ name: "driven", version: "1" });
  await client.connect(new Transport(url, { requestInit: { headers } }));
  return client;
}

await drive(connect, (client, params) => client.callTool(params, undefined, { timeout: 15_000 }));
