// Drives the TypeScript SDK v2 (@modelcontextprotocol/client).
import { Client, SSEClientTransport, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { drive } from "./driven.mjs";

async function connect(url, headers) {
  const Transport = url.pathname.endsWith("/sse") ? SSEClientTransport : StreamableHTTPClientTransport;
  const client = new Client({ name: "driven", version: "1" }, { versionNegotiation: { mode: "auto" } });
  await client.connect(new Transport(url, { requestInit: { headers } }));
  return client;
}

await drive(connect, (client, params) => client.callTool(params, { timeout: 15_000 }));
