// Tries what the server tests/servers/playground offers, as a person would, on the page Try; tests/console/chromium.py runs
// it. Returns what the page said.
const said = {};
const raw = async () => JSON.parse(await page.locator("#raw").inputValue());
const tool = async (name) => {
  await page.getByRole("link", { name, exact: true }).click();
  await page.locator(`section[data-key="${name}"][data-is-ready]`).waitFor();
};
const typed = (name) => page.locator("#fields").getByRole("textbox", { name, exact: true });
const send = () => page.getByRole("button", { name: "Send" }).click();
const answer = async () => {
  await page.locator("#events details", { hasText: "Answer" }).last().waitFor();
  await page.locator("#cancel").waitFor({ state: "hidden" });
  return page.locator("#events").innerText();
};
const filled = (text) => page.waitForFunction((wanted) => document.querySelector("#raw").value.includes(wanted), text);


// What is optional and untouched is absent; a choice may be called anything.
await tool("arguments");
said.untouched = await raw();
await page.locator("#fields").getByLabel("kind", { exact: true }).selectOption({ index: 1 });
await filled("onerror");
said.chosen = await raw();
await page.getByLabel("How count is sent").selectOption("null");
await typed("tags").fill("a\nb");
await filled('"tags"');
await typed("share").fill("1e400");
await send();
await page.locator("[data-error]", { hasText: "1e400" }).waitFor();
said.refused = await page.locator("[data-error]:not(:empty)").allInnerTexts();
// Typing alone shows what is wrong, too; the focus comes with the answer to the button.
const focused = await page.waitForFunction(() => document.activeElement.getAttribute("aria-invalid"));
said.focused = await focused.jsonValue();
await typed("share").fill("0.25");
await filled("0.25");
await send();
said.arguments = await answer();

// Large integers stay what they are, in the form and by hand.
await tool("number");
await typed("value").fill("9007199254740993");
await filled("9007199254740993");
await send();
said.large = await answer();
await page.locator("#raw").fill('{"name": "number", "arguments": {"value": 123456789012345678901}}');
await send();
said.by_hand = await answer();
await page.locator("#raw").fill('{"name": ');
await send();
await page.getByText("this is not JSON").waitFor();

await tool("steps");
await typed("count").fill("3");
await filled("3");
await send();
said.progress = await answer();

await tool("much");
await typed("size").fill("10000000");
await filled("10000000");
await send();
said.much = (await answer()).slice(0, 2000);

// It asks before, and the server asks back.
await tool("order");
await typed("what").fill("tea");
await filled("tea");
await send();
await page.getByRole("button", { name: "Not now" }).click();
said.kept = await page.locator("#events").innerText();
await send();
await page.getByRole("button", { name: "Call it" }).click();
await page.getByRole("button", { name: "Accept" }).click();
await page.locator("article [data-error]", { hasText: "required" }).waitFor();
await page.locator("article").getByLabel("size").selectOption({ label: "large" });
await page.getByRole("button", { name: "Accept" }).click();
await page.locator("pre.text").waitFor();
said.ordered = await page.locator("pre.text").innerText();

await tool("forever");
await send();
await page.getByRole("button", { name: "Call it" }).click();
await page.locator("#events details", { hasText: "Request" }).waitFor();
await page.locator("#cancel").click();
await page.getByText("Cancelled.").waitFor();

await tool("greet");
await typed("name").fill("Mia");
await filled("Mia");
await send();
said.prompt = await answer();
await page.getByRole("link", { name: "item://{id}" }).click();
await typed("id").fill("a b");
await filled("item://a%20b");
await send();
said.resource = await answer();
await page.getByText("The same as homeport call").click();
await page.getByText("curl -sN").waitFor();
return said;
