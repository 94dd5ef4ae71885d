// Runs a journey through the console in a headless Chromium, and notes whatever a page should never do.
import { chromium } from "playwright-core";

export async function journey(executablePath, work) {
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  // Whoever waits for this would wait for the browser, too, which has the same output.
  setTimeout(() => browser.close().finally(() => process.exit(1)), 240_000).unref();
  const problems = [];
  try {
    const context = await browser.newContext({ viewport: { width: 1200, height: 900 } });
    const page = await context.newPage();
    page.setDefaultTimeout(60_000);
    page.on("dialog", (dialog) => (problems.push(`dialog: ${dialog.message()}`), dialog.dismiss()));
    page.on("pageerror", (error) => problems.push(`error: ${error.message}`));
    // What the platform refuses is said on the page, too.
    const isRefusal = (text) => text.startsWith("Failed to load resource") && text.includes("409");
    page.on("console", (message) => {
      if (message.type() === "error" && !isRefusal(message.text())) problems.push(message.text());
    });
    page.on("request", (request) => {
      if (!/^(http:\/\/127\.0\.0\.1:|blob:)/.test(request.url())) problems.push(`asked: ${request.url()}`);
    });
    const seen = await work(page);
    const cookies = await context.cookies();
    console.log(JSON.stringify({ ...seen, problems, cookies }));
  } finally {
    await browser.close();
  }
}
