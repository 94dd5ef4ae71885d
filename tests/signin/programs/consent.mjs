// Consents to a sign-in in a headless Chromium: node consent.mjs CHROMIUM URL.
// Prints the code that the page shows, and then where the browser ended up, a line each.
import { chromium } from "playwright-core";

const [executablePath, url] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--ignore-certificate-errors"] });
// Whoever waits for this would wait for the browser, too, which has the same output.
setTimeout(() => browser.close().finally(() => process.exit(1)), 60_000).unref();
const context = await browser.newContext({ ignoreHTTPSErrors: true });
const page = await context.newPage();
const problems = [];
page.on("console", (message) => message.type() === "error" && problems.push(message.text()));

// What listens for the answer is the client's own, and not there in a test.
const answer = new Promise((resolve) => {
  page.on("request", (request) => request.url().startsWith("http://localhost:3030/") && resolve(request.url()));
});

// A page of another site cannot show it within itself.
await page.setContent(`<iframe src="${url}"></iframe>`);
await page.waitForTimeout(0);
await page.goto(url);
await page.getByRole("button", { name: "Allow" }).click();
console.log(await page.locator("p.code").innerText());
console.log(await answer);
console.log(JSON.stringify({ cookies: (await context.cookies()).map((cookie) => cookie.name), problems }));
await browser.close();
