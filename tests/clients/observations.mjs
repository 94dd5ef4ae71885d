// What every JavaScript client is asked to do against a deployment: the same steps as observations.py.
import { randomUUID } from "node:crypto";
import { createInterface } from "node:readline";

const DEADLINE_MS = 60_000;
const PROGRESS_DEADLINE_MS = 20_000;
const STEPS = 3;

async function observe(client, callTool) {
  const call = async (name, given, options) => {
    const result = await callTool(client, { name, arguments: given }, options);
    return { text: result.content[0].text, failed: result.isError ?? false };
  };
  const seen = { tools: (await client.listTools()).tools.map((tool) => tool.name).sort() };
  seen.add = await call("add", { a: 2, b: 3 });
  seen.fail = await call("fail", {});
  Object.assign(seen, await slow(call));
  const note = randomUUID();
  await call("remember", { text: note });
  seen.recalled = (await call("recall", {})).text === note;
  seen.whoami = (await call("whoami", {})).text;
  seen.prompt = (await client.getPrompt({ name: "greet", arguments: { name: "Ada" } })).messages[0].content.text;
  seen.resource = (await client.readResource({ uri: "config://app" })).contents[0].text;
  seen.item = (await client.readResource({ uri: "item://7" })).contents[0].text;
  return seen;
}

// `slow` stops after its first step until `release` is called, and that is called once the step was heard of.
async function slow(call) {
  const token = randomUUID();
  const progress = [];
  let running = true;
  let heard;
  const first = new Promise((resolve) => (heard = resolve));
  const onprogress = (notification) => {
    progress.push(notification.progress);
    heard(true);
  };
  const result = call("slow", { steps: STEPS, token }, { onprogress }).finally(() => (running = false));
  const arrived = await within(PROGRESS_DEADLINE_MS, first).catch(() => false);
  const early = arrived && running;
  await call("release", { token });
  return { slow: await result, progress, progress_while_running: early };
}

function within(ms, promise) {
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error(`nothing within ${ms} ms`)), ms)));
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// For each line on stdin, the /mcp and the /sse URL of a deployment, prints one line of JSON: what `see` answers.
export async function forEachDeployment(see) {
  for await (const line of createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(await see(...line.split(" "))));
  }
  process.exit(0);
}

// Runs the cases of each deployment one after another: case name to what was seen, or its `error`.
// A case makes [client, transport, about]; `about` tells what the client knows of the server once connected.
// `callTool` is how this SDK takes (client, params, options).
export function run(cases, callTool) {
  return forEachDeployment((mcpUrl, sseUrl) => runAll(cases(mcpUrl, sseUrl), callTool));
}

async function runAll(cases, callTool) {
  const results = {};
  for (const [name, make] of Object.entries(cases)) {
    try {
      const [client, transport, about] = make();
      await within(DEADLINE_MS, client.connect(transport));
      results[name] = { ...about(client), ...(await within(DEADLINE_MS, observe(client, callTool))) };
      await client.close();
    } catch (error) {
      results[name] = { error: error.stack ?? String(error) };
    }
  }
  return results;
}
