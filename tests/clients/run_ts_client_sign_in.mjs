// Signs in with the OAuth provider of TypeScript SDK 2 (@modelcontextprotocol/client).
import * as sdk from "@modelcontextprotocol/client";
import { signIn } from "./sign_in.mjs";

await signIn(sdk, (transport, parameters) => transport.finishAuth(parameters));
