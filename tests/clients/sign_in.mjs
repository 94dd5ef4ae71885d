// What the TypeScript SDKs share that sign in, as sign_in.py does for Python's: the provider, and the person's browser.
import { createInterface } from "node:readline";

const [target, document] = process.argv.slice(2);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const kept = {};

const provider = {
  clientMetadataUrl: document,
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

// `sdk` has the classes, and `finish(transport, parameters)` what it does when the browser comes back.
export async function signIn({ Client, SSEClientTransport, StreamableHTTPClientTransport, UnauthorizedError }, finish) {
  const url = new URL(target);
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
      await finish(transport, new URL(answer).searchParams);
      return await work();
    }
  }

  await withPerson(connect);
  const text = async (name, given) =>
    (await withPerson(() => client.callTool({ name, arguments: given }))).content[0].text;
  const texts = [await text("whoami", {}), await text("add", { a: 1, b: 2 }), await text("whoami", {})];
  console.log(JSON.stringify({ texts }));
  process.exit(0);
}
