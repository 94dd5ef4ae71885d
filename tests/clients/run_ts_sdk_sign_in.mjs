// Signs in with the OAuth provider of TypeScript SDK 1, as run_mcp2_sign_in.py does.
import { createInterface } from "node:readline";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js";
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const url = new URL(process.argv[2]);
const kept = {};

const provider = {
  get redirectUrl() {
    return "http://localhost:3030/callback";
  },
  get clientMetadata() {
    return { redirect_uris: [this.redirectUrl], client_name: "TypeScript SDK" };
  },
  clientInformation: () => kept.client,
  saveClientInformation: (client) => void (kept.client = client),
  tokens: () => kept.tokens,
  saveTokens: (tokens) => void (kept.tokens = tokens),
  saveCodeVerifier: (verifier) => void (kept.verifier = verifier),
  codeVerifier: () => kept.verifier,
  redirectToAuthorization: (page) => console.log(JSON.stringify({ open: page.href })),
  invalidateCredentials: (scope) => {
    if (scope !== "client") delete kept.tokens;
    if (scope !== "tokens") delete kept.client;
  },
};

let client, transport;

async function connect() {
  const Transport = url.pathname.endsWith("/sse") ? SSEClientTransport : StreamableHTTPClientTransport;
  transport = new Transport(url, { authProvider: provider });
  client = new Client({ name: "sign-in", version: "1" });
  await client.connect(transport);
}

// Does something that may need the person, and does it again when the person was there.
async function withPerson(work) {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof UnauthorizedError)) throw error;
    const answer = (await lines.next()).value;
    await transport.finishAuth(new URL(answer).searchParams.get("code"));
    return await work();
  }
}

await withPerson(connect);
const text = async (name, given) =>
  (await withPerson(() => client.callTool({ name, arguments: given }))).content[0].text;
const texts = [await text("whoami", {}), await text("add", { a: 1, b: 2 }), await text("whoami", {})];
console.log(JSON.stringify({ texts }));
process.exit(0);
