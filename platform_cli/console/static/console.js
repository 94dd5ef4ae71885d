// The console's only script. It keeps the key, fetches pages as fragments, follows links and logs, and sends what
// buttons ask for. The key is in this origin's own storage: a cookie would go to every port of this machine.
const KEY = "homeport-console-key";
const policy = window.trustedTypes?.createPolicy("homeport", { createHTML: (html) => html });
const main = document.querySelector("main");
let leaving = new AbortController();

// What cannot be seen, or turns the direction of writing (platform_cli.console.text has the same).
const INVISIBLE =
  /[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\u{e0000}-\u{e007f}]/gu;
const visible = (text) =>
  text.replace(INVISIBLE, (found) => `\\u${found.codePointAt(0).toString(16).padStart(4, "0")}`);

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
}

// Asks the platform, and returns its answer; null if the browser is signed out, or has left the page meanwhile.
async function ask(method, path, body, signal = leaving.signal) {
  const key = localStorage.getItem(KEY);
  if (!key) return signedOut(), null;
  const headers = { authorization: `Bearer ${key}` };
  if (body !== undefined) headers["content-type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, { method, headers, body, signal, credentials: "omit", redirect: "error" });
  } catch {
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
  const { signal } = leaving;
  const place = location.pathname.replace(/^\/console\/?/, "/").replace(/\/$/, "") || "/";
  main.setAttribute("aria-busy", "true");
  const answer = await ask("GET", `/console/f${place}${location.search}`);
  const html = await answer?.text().catch(() => null);
  if (signal.aborted) return;
  main.removeAttribute("aria-busy");
  if (!html) return refresh(signal);
  if (!answer.headers.get("content-type").startsWith("text/html")) return say("The platform cannot show this page.");
  put(main, html);
  document.title = `${main.querySelector("h1")?.textContent ?? "Console"} · homeport`;
  for (const time of main.querySelectorAll("time")) localize(time);
  main.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  if (focus) main.focus({ preventScroll: true });
  if (main.querySelector("[data-refresh]")) refresh(signal);
  for (const place of main.querySelectorAll("[data-stream]")) follow(place);
  for (const place of main.querySelectorAll("[data-module]")) {
    const { start } = await import(place.dataset.module);
    start(place, { ask, say, visible, put, signal });
  }
}

// Shows the page anew after a while, unless somebody reads it more closely then.
const REFRESH_MS = 15_000;
function refresh(signal) {
  setTimeout(() => {
    if (signal.aborted) return;
    const isRead = document.hidden || !getSelection().isCollapsed || main.querySelector(":focus, [open]");
    isRead ? refresh(signal) : show({ focus: false });
  }, REFRESH_MS);
}

// Shows HTML that the console has made.
const put = (place, html) => (place.innerHTML = policy ? policy.createHTML(html) : html);

// Times are shown as those of this browser's place, as wide in each line.
const CLOCK = { timeStyle: "medium", hourCycle: "h23" };
function localize(time) {
  const at = new Date(time.dateTime);
  time.title = at.toLocaleString();
  if (!("clock" in time.dataset)) return;
  const isToday = at.toDateString() === new Date().toDateString();
  time.textContent = at.toLocaleString([], { dateStyle: isToday ? undefined : "short", ...CLOCK });
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
  } else if (button?.dataset.download) {
    download(button.dataset.download, button.dataset.name);
  }
});

// A form leads to a page, with what was filled in as its query. One with data-method asks for a change instead, and
// then the page is shown anew.
document.addEventListener("submit", async (event) => {
  const { target: form, submitter: button } = event;
  if (button?.formMethod === "dialog") return;
  event.preventDefault();
  if (!form.dataset.method) {
    const query = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
    return go(`${location.pathname}?${query}`);
  }
  if (button) button.disabled = true;
  const answer = await ask(form.dataset.method, form.getAttribute("action"), form.dataset.body);
  if (button) button.disabled = false;
  if (!answer) return;
  const said = answer.ok ? form.dataset.done : await reason(answer);
  form.closest("dialog")?.close();
  await show();
  say(said);
});

const reason = async (answer) => (await answer.json().catch(() => null))?.error?.message ?? `It failed (${answer.status}).`;

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
  if (!answer.ok) return localStorage.getItem(KEY) ? show() : signedOut(await reason(answer));
  localStorage.setItem(KEY, (await answer.json()).key);
  show();
}

async function download(path, name) {
  const answer = await ask("GET", path);
  if (!answer) return;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await answer.blob());
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

// Shows the records of a log as they come: lines are only ever added, and the oldest go beyond MOST.
const MOST = 2000;
async function follow(list) {
  const { signal } = leaving;
  const tail = document.querySelector("#tail");
  const pause = document.querySelector("#pause");
  let waiting = [];
  let since = 0;
  pause.onclick = () => {
    pause.setAttribute("aria-pressed", pause.textContent === "Pause");
    pause.textContent = pause.textContent === "Pause" ? "Go on" : "Pause";
    add([]);
  };
  const add = (records) => {
    waiting = waiting.concat(records).slice(-MOST);
    const isPaused = pause.textContent !== "Pause";
    tail.textContent = isPaused ? `paused, ${waiting.length} new` : "live";
    if (isPaused) return;
    const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    list.append(...waiting.map((record) => line(record, list.dataset.calls)));
    waiting = [];
    while (list.childElementCount > MOST) list.firstElementChild.remove();
    if (isAtEnd) list.scrollTop = list.scrollHeight;
  };
  while (!signal.aborted) {
    const answer = await ask("GET", `${list.dataset.stream}&since=${since}`, undefined, signal);
    if (answer && !answer.ok) return void (tail.textContent = await reason(answer));
    if (answer) await records(answer.body, (found) => {
      // What is asked for again after a break follows what is here already; a server may write any time.
      since = Math.max(since, ...found.map((record) => Math.min(record.time, Date.now() / 1000) + 0.0005));
      add(found);
    }).catch(() => {});
    if (signal.aborted || !localStorage.getItem(KEY)) return;
    tail.textContent = "the platform has ended this: asking again …";
    await new Promise((done) => setTimeout(done, 1000));
  }
}

// Calls `each` with the records of each piece of a stream of JSON lines.
async function records(body, each) {
  let rest = "";
  for await (const text of chunks(body.pipeThrough(new TextDecoderStream()).getReader())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop();
    each(lines.map(parsed).filter(Boolean));
  }
}
async function* chunks(reader) {
  for (let part; !(part = await reader.read()).done; ) yield part.value;
}
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function element(name, text, className = "") {
  const made = document.createElement(name);
  made.textContent = visible(text);
  made.className = className;
  return made;
}

function line(record, calls) {
  const made = element("li", "", record.level);
  const at = new Date(record.time * 1000);
  const time = element(record.request ? "a" : "time", at.toLocaleString([], CLOCK));
  time.title = at.toLocaleString();
  if (record.request) time.href = calls + encodeURIComponent(String(record.request).toWellFormed());
  const whole = String(record.message);
  const message = element("span", whole.slice(0, SHOWN));
  made.append(time, " ", element("b", record.level), " ", element("i", String(record.release)), " ", message);
  if (whole.length > SHOWN) {
    const more = element("button", `and ${whole.length - SHOWN} characters more`, "quiet");
    more.type = "button";
    more.onclick = () => more.replaceWith(visible(whole.slice(SHOWN)));
    message.append(" ", more);
  }
  if (record.call) message.append(element("small", `  ${record.call.ms} ms, ${record.call.client}`));
  return made;
}
const SHOWN = 2000;

addEventListener("popstate", () => show());
addEventListener("hashchange", () => location.hash.startsWith("#login=") && begin());
begin();
