// The MCP Inspector's command line in each of its eras.
// One command is one connection, so it sees the tools and two answers; it cannot watch a tool while it runs.
import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { forEachDeployment } from "./observations.mjs";

const home = dirname(createRequire(import.meta.url).resolve("@modelcontextprotocol/inspector/package.json"));
const program = join(home, "clients/launcher/build/index.js");

function inspect(target, ...rest) {
  const command = [program, "--cli", ...target, "--format", "json", "-q", "--method", ...rest];
  try {
    return JSON.parse(execFileSync(process.execPath, command, { encoding: "utf8", timeout: 60_000, stdio: "pipe" })).result;
  } catch (error) {
    // A failed tool is exit code 5, with the result on stdout all the same.
    if (error.status === 5 && error.stdout) return JSON.parse(error.stdout).result;
    throw new Error(`${error.message}\n${error.stdout}\n${error.stderr}`);
  }
}

function observe(target) {
  const call = (...rest) => {
    const result = inspect(target, "tools/call", "--tool-name", ...rest);
    return { text: result.content[0].text, failed: result.isError ?? false };
  };
  return {
    tools: inspect(target, "tools/list").tools.map((tool) => tool.name).sort(),
    add: call("add", "--tool-arg", "a=2", "b=3"),
    fail: call("fail"),
  };
}

const cases = (mcpUrl, sseUrl) => ({
  "http legacy": [mcpUrl, "--transport", "http", "--protocol-era", "legacy"],
  "http auto": [mcpUrl, "--transport", "http", "--protocol-era", "auto"],
  "http 2026-07-28": [mcpUrl, "--transport", "http", "--protocol-era", "modern"],
  "sse legacy": [sseUrl, "--transport", "sse"],
});
await forEachDeployment((mcpUrl, sseUrl) => {
  const results = {};
  for (const [name, target] of Object.entries(cases(mcpUrl, sseUrl))) {
    try {
      results[name] = observe(target);
    } catch (error) {
      results[name] = { error: error.stack };
    }
  }
  return results;
});
