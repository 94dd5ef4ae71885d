// Opens an Inspector's page in a headless Chromium: node inspector.mjs CHROMIUM URL.
// Prints the names of the tools that it shows once it is connected, as JSON.
import { chromium } from "playwright-core";

const [executablePath, url] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
try {
  const page = await browser.newPage();
  page.setDefaultTimeout(120_000);
  await page.goto(url, { waitUntil: "domcontentloaded" });
  await page.getByText("Connected", { exact: false }).first().waitFor();
  await page.getByText("Tools", { exact: true }).first().click();
  await page.getByText("whoami", { exact: true }).first().waitFor();
  console.log(JSON.stringify({ text: await page.locator("body").innerText() }));
} finally {
  await browser.close();
}
