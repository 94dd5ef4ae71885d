// Drives a headless Chromium: node drive.mjs CHROMIUM. Each line of the input is the body of an async function, as a
// JSON string, that has `page`, `context` and `seen`; its result is printed as a line of JSON.
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const browser = await chromium.launch({ executablePath: process.argv[2], args: ["--no-sandbox"] });
const context = await browser.newContext({ ignoreHTTPSErrors: true });
const page = await context.newPage();
page.setDefaultTimeout(60_000);
// What a person would not see: dialogs that no page of ours opens, what the policy has refused, and who was asked.
const seen = { dialogs: [], problems: [], origins: [] };
context.on("page", watch);
watch(page);
function watch(opened) {
  opened.on("dialog", (dialog) => (seen.dialogs.push(dialog.message()), dialog.dismiss()));
  opened.on("pageerror", (error) => seen.problems.push(error.message));
  opened.on("console", (message) => message.type() === "error" && seen.problems.push(message.text()));
  opened.on("request", (request) => seen.origins.push(new URL(request.url()).origin));
}

const AsyncFunction = (async () => {}).constructor;
for await (const line of createInterface({ input: process.stdin })) {
  try {
    const result = await new AsyncFunction("page", "context", "seen", JSON.parse(line))(page, context, seen);
    console.log(JSON.stringify({ result: result ?? null }));
  } catch (error) {
    console.log(JSON.stringify({ error: String(error) }));
  }
}
await browser.close();
