// The console's only script. It keeps the key, fetches pages as fragments, follows links and logs, and sends what
// buttons ask for. The key is in this origin's own storage: a cookie would go to every port of this machine.
const KEY = "homeport-console-key";
const policy = window.trustedTypes?.createPolicy("homeport", { createHTML: (html) => html });
const main = document.querySelector("main");
let leaving = new AbortController();

// What cannot be seen, or turns the direction of writing (platform_cli.console.text has the same).
const INVISIBLE = /[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]/g;
export const visible = (text) =>
  text.toWellFormed().replace(/[\u{e0000}-\u{e007f}]/gu, code).replace(INVISIBLE, code);
const code = (found) => `\\u${found.codePointAt(0).toString(16).padStart(4, "0")}`;

function say(text) {
  const status = document.querySelector("#status");
  status.textContent = text;
  setTimeout(() => status.textContent === text && (status.textContent = ""), 4000);
}

function signedOut(why) {
  localStorage.removeItem(KEY);
  leaving.abort();
  main.replaceChildren(document.querySelector("#signed-out").content.cloneNode(true));
  if (why) main.querySelector("#why").textContent = why;
  document.title = "Sign in · homeport";
  document.body.dataset.signedOut = "";
}

// Asks the platform, and returns its answer; null if the browser is signed out, or has left the page meanwhile.
export async function ask(method, path, body, signal = leaving.signal) {
  const key = localStorage.getItem(KEY);
  if (!key) return signedOut(), null;
  const headers = { authorization: `Bearer ${key}` };
  if (body !== undefined) headers["content-type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, { method, headers, body, signal, credentials: "omit", redirect: "error" });
  } catch (error) {
    if (!signal.aborted) say("The platform does not answer.");
    return null;
  }
  if (answer.status !== 401) return answer;
  signedOut("The key of this browser has ended.");
  return null;
}

async function show({ focus = true } = {}) {
  leaving.abort();
  leaving = new AbortController();
  const place = location.pathname.replace(/^\/console\/?/, "/").replace(/\/$/, "") || "/";
  main.setAttribute("aria-busy", "true");
  const answer = await ask("GET", `/console/f${place}${location.search}`);
  if (!answer) return;
  const html = await answer.text();
  main.removeAttribute("aria-busy");
  delete document.body.dataset.signedOut;
  put(main, html);
  document.title = `${main.querySelector("h1")?.textContent ?? "Console"} · homeport`;
  for (const time of main.querySelectorAll("time")) localize(time);
  if (focus) main.focus({ preventScroll: true });
  for (const place of main.querySelectorAll("[data-stream]")) follow(place);
  for (const place of main.querySelectorAll("[data-module]")) {
    const { start } = await import(place.dataset.module);
    start(place, { ask, say, visible, put, signal: leaving.signal });
  }
}

// Shows HTML that the console has made.
const put = (place, html) => (place.innerHTML = policy ? policy.createHTML(html) : html);

// Times are shown as those of this browser's place.
function localize(time) {
  const at = new Date(time.dateTime);
  time.title = at.toLocaleString();
  if ("clock" in time.dataset) time.textContent = at.toLocaleString([], { dateStyle: "short", timeStyle: "medium" });
}

function go(url) {
  history.pushState(null, "", url);
  scrollTo(0, 0);
  show();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href]");
  const button = event.target.closest("button");
  if (link && link.origin === location.origin && link.pathname.startsWith("/console") && link.hash !== "#main") {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    go(link.href);
  } else if (button?.dataset.copy) {
    navigator.clipboard.writeText(button.dataset.copy).then(() => say("Copied."));
  } else if (button?.dataset.opens) {
    document.getElementById(button.dataset.opens).showModal();
  }
});

// A form with the method `get` leads to a page, with `dialog` it closes its dialog, and with data-method it asks for a
// change and shows the page anew.
document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.method === "dialog") return;
  event.preventDefault();
  if (!form.dataset.method) {
    const query = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
    return go(`${location.pathname}?${query}`);
  }
  const button = event.submitter;
  if (button) button.disabled = true;
  const answer = await ask(form.dataset.method, form.getAttribute("action"), form.dataset.body);
  if (!answer) return void (button && (button.disabled = false));
  const said = answer.ok ? form.dataset.done : (await answer.json()).error.message;
  await show();
  say(said);
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea, dialog")) return;
  const tab = main.querySelectorAll(".tabs a")[Number(event.key) - 1];
  const search = event.key === "/" && main.querySelector("input[type=search]");
  if (search) event.preventDefault();
  search ? search.focus() : tab?.click();
});

document.querySelector("#log-out").addEventListener("click", async () => {
  await ask("POST", "/console/logout");
  signedOut("You have signed out.");
});

// The link of `homeport console` has its code behind the #, which no server, proxy or log gets to see.
async function begin() {
  const login = location.hash.match(/^#login=([\w-]+)$/);
  if (!login) return show({ focus: false });
  history.replaceState(null, "", location.pathname);
  const body = JSON.stringify({ code: login[1] });
  const answer = await fetch("/console/login", { method: "POST", body, credentials: "omit" });
  if (!answer.ok) return localStorage.getItem(KEY) ? show() : signedOut((await answer.json()).error.message);
  localStorage.setItem(KEY, (await answer.json()).key);
  show();
}

function follow() {}

addEventListener("popstate", () => show());
addEventListener("hashchange", () => location.hash.startsWith("#login=") && begin());
begin();
