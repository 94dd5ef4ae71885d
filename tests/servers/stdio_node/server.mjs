// A program in plain JavaScript, without a package, that speaks MCP over stdio: one JSON-RPC message a line.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";

const number = { type: "integer" };
const text = { type: "string" };
const schema = (properties = {}, required = []) => ({ type: "object", properties, required });

const tools = {
  add: schema({ a: number, b: number }, ["a", "b"]),
  slow: schema({ steps: number, token: text }, ["steps"]),
  release: schema({ token: text }, ["token"]),
  fail: schema(),
  remember: schema({ text }, ["text"]),
  recall: schema(),
  whoami: schema(),
};

const handlers = {
  add: ({ a, b }) => String(a + b),
  release: ({ token }) => (writeFileSync(`released-${token}`, ""), "released"),
  remember: ({ text }) => (writeFileSync("notes.txt", text), "remembered"),
  recall: () => readFileSync("notes.txt", "utf8"),
  whoami: () => `${process.pid} ${process.env.GREETING ?? ""}`,
  fail: () => {
    throw new Error("this tool always fails");
  },
  async slow({ steps, token }, progressToken) {
    for (let progress = 1; progress <= steps; progress++) {
      if (progressToken !== undefined) {
        send({ method: "notifications/progress", params: { progressToken, progress, total: steps } });
      }
      while (token && progress === 1 && !existsSync(`released-${token}`)) {
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    }
    return `${steps} steps`;
  },
};

class RpcError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

const methods = {
  initialize: ({ protocolVersion }) => ({
    protocolVersion,
    capabilities: { tools: {}, prompts: {}, resources: {} },
    serverInfo: { name: "stdio_node", version: "1.0.0" },
  }),
  ping: () => ({}),
  "tools/list": () => ({ tools: Object.entries(tools).map(([name, inputSchema]) => ({ name, inputSchema })) }),
  async "tools/call"({ name, arguments: given = {}, _meta }) {
    if (!handlers[name]) throw new RpcError(-32602, `Unknown tool: ${name}`);
    try {
      return { content: [{ type: "text", text: await handlers[name](given, _meta?.progressToken) }] };
    } catch (error) {
      return { content: [{ type: "text", text: error.message }], isError: true };
    }
  },
  "prompts/list": () => ({ prompts: [{ name: "greet", arguments: [{ name: "name", required: true }] }] }),
  "prompts/get": ({ arguments: { name } }) => ({
    messages: [{ role: "user", content: { type: "text", text: `Greet ${name} warmly.` } }],
  }),
  "resources/list": () => ({ resources: [{ uri: "config://app", name: "config" }] }),
  "resources/templates/list": () => ({ resourceTemplates: [{ uriTemplate: "item://{id}", name: "item" }] }),
  "resources/read": ({ uri }) => ({
    contents: [{ uri, mimeType: "text/plain", text: uri === "config://app" ? "theme = dark" : uri.replace("item://", "item ") }],
  }),
};

function send(message) {
  process.stdout.write(JSON.stringify({ jsonrpc: "2.0", ...message }) + "\n");
}

for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, params = {} } = JSON.parse(line);
  if (id === undefined) continue;
  answer(id, method, params);
}

async function answer(id, method, params) {
  try {
    if (!methods[method]) throw new RpcError(-32601, `Method not found: ${method}`);
    send({ id, result: await methods[method](params) });
  } catch (error) {
    send({ id, error: { code: error.code ?? -32603, message: error.message } });
  }
}
