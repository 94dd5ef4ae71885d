// Has a JavaScript client do one thing after another, as driven.py does.
import { createInterface } from "node:readline";

const HANG_MS = 30_000;

function within(ms, promise) {
  let timer;
  const late = new Promise((resolve) => (timer = setTimeout(() => resolve({ hang: true }), ms)));
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

function told(error) {
  const { code, data, message } = error;
  return data?.reason ? { code, data, message } : { message: `${error.name}: ${message}` };
}

// `connect(url, headers)` returns a connected client, and `callTool` is how this SDK takes (client, params).
export async function drive(connect, callTool) {
  let client;
  const work = {
    connect: async (order) => {
      client = await connect(new URL(order.connect), order.headers);
      return { connected: true };
    },
    call: async (order) => {
      const result = await callTool(client, { name: order.call, arguments: order.arguments });
      return { text: result.content[0].text };
    },
    close: async () => {
      await client?.close();
      return { closed: true };
    },
  };
  for await (const line of createInterface({ input: process.stdin })) {
    const order = JSON.parse(line);
    const done = work[Object.keys(work).find((name) => name in order)](order).catch(told);
    console.log(JSON.stringify(await within(HANG_MS, done)));
  }
  process.exit(0);
}
