// Signs in with the OAuth provider of TypeScript SDK 1 (@modelcontextprotocol/sdk).
import { UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { signIn } from "./sign_in.mjs";

const sdk = { Client, SSEClientTransport, StreamableHTTPClientTransport, UnauthorizedError };
await signIn(sdk, (transport, parameters) => transport.finishAuth(parameters.get("code")));
