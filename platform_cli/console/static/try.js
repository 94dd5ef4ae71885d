// The page Try: what is typed becomes JSON on the platform, since numbers of JavaScript are not those of JSON, and the
// JSON is what is sent. Whatever a server says is text.
const SHOWN = 200_000;
const ACTIONS = [
  ["Accept", "accept", "Accepted"],
  ["Decline", "decline", "Declined"],
  ["Cancel", "cancel", "Cancelled"],
];

export function start(place, { ask, say, visible, put, signal }) {
  const { project, method, kind } = place.dataset;
  const key = decodeURIComponent(place.dataset.key);
  const at = (id) => place.querySelector(`#${id}`);
  const [fields, raw, send, cancel, sure, events] = ["fields", "raw", "send", "cancel", "sure", "events"].map(at);
  let filling = Promise.resolve();
  let filled = 0;
  let run = null;

  const post = (path, body) => ask("POST", `/console/f/projects/${project}/try/${path}`, JSON.stringify(body), signal);

  // Has the platform make JSON of a form, and shows what is wrong at its fields. Returns the JSON, null if it is wrong.
  async function fill(form, path, more) {
    const each = [...form.querySelectorAll("[data-field]")];
    const typed = each.map((field) => ({
      text: field.querySelector("[data-text]").value,
      mode: field.querySelector("[data-mode]")?.value ?? "absent",
    }));
    const answer = await post(path, { ...more, typed });
    if (!answer) return null;
    const said = await answer.json();
    if (!answer.ok) return say(said.error.message), null;
    said.errors.forEach((error, number) => {
      each[number].querySelector("[data-error]").textContent = error ? visible(error) : "";
      const input = each[number].querySelector("[data-text]");
      error ? input.setAttribute("aria-invalid", "true") : input.removeAttribute("aria-invalid");
    });
    form.dataset.wrong = said.errors.some(Boolean) ? "1" : "";
    return said.json;
  }

  function refill() {
    const number = ++filled;
    at("by-hand").textContent = "";
    filling = new Promise((done) => setTimeout(done, 120)).then(async () => {
      if (number !== filled) return;
      const json = await fill(fields, "params", { kind, key });
      if (json !== null && number === filled) raw.value = json;
    });
  }
  fields.addEventListener("input", (event) => {
    const mode = event.target.closest("[data-field]")?.querySelector("[data-mode]");
    if (mode?.value === "null" && event.target !== mode) mode.value = "value";
    refill();
  });
  raw.addEventListener("input", () => {
    filled++;
    fields.dataset.wrong = "";
    at("by-hand").textContent = "Written by hand. A change in the form writes it anew.";
  });

  send.onclick = async () => {
    if (!at("by-hand").textContent && fields.querySelector("[data-field]")) refill();
    await filling;
    if (fields.dataset.wrong) return fields.querySelector("[aria-invalid]")?.focus();
    if (fields.dataset.asks !== "true") return begin();
    sure.returnValue = "no";
    sure.showModal();
  };
  sure.onclose = () => sure.returnValue === "yes" && begin();
  cancel.onclick = () => run?.abort();

  async function begin() {
    run = new AbortController();
    const until = AbortSignal.any([run.signal, signal]);
    events.replaceChildren();
    send.disabled = true;
    cancel.hidden = false;
    const body = JSON.stringify({ method, params: raw.value });
    try {
      const answer = await ask("POST", `/v1/projects/${project}/try`, body, until);
      if (answer && !answer.ok) failed((await answer.json()).error);
      else if (answer) await read(answer.body, shown());
    } catch {
      if (!signal.aborted) failed({ message: run.signal.aborted ? "Cancelled." : "The platform has ended this." });
    }
    send.disabled = false;
    cancel.hidden = true;
  }

  async function read(body, each) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (let part; !(part = await reader.read()).done; ) {
      const lines = (rest + part.value).split("\n");
      rest = lines.pop();
      for (const line of lines) each(JSON.parse(line));
    }
  }

  // Returns what shows the events of one request.
  function shown() {
    let id = "";
    const bar = element("progress");
    const done = element("p");
    return (event) => {
      if (event.event === "start") id = event.id;
      else if (event.event === "request") folded("Request", `POST ${event.url}`, event.headers, event.body);
      else if (event.event === "progress") {
        if (event.total) [bar.max, bar.value] = [event.total, event.progress];
        done.replaceChildren(bar, visible(event.message ?? `${event.progress}${event.total ? ` of ${event.total}` : ""}`));
        events.append(done);
      } else if (event.event === "log") events.append(element("p", `${event.level}: ${event.text}`, "mute"));
      else if (event.event === "elicitation") asked(event, id);
      else if (event.event === "answer") answered(event);
      else failed(event);
    };
  }

  function element(name, text = "", className = "") {
    const made = document.createElement(name);
    const more = text.length - SHOWN;
    made.textContent = visible(text.slice(0, SHOWN)) + (more > 0 ? ` … and ${more} characters more` : "");
    made.className = className;
    return made;
  }

  function folded(title, first, headers, body) {
    const made = element("details");
    const head = [first, ...headers.map(([name, value]) => `${name}: ${value}`)].join("\n");
    made.append(element("summary", title), element("pre", head), element("pre", body));
    events.append(made);
  }

  function failed(error) {
    events.append(element("p", error.message + (error.hint ? ` (${error.hint})` : ""), "notice bad"));
  }

  function answered(event) {
    const size = event.is_complete ? "" : ", too large to be shown whole";
    const title = `HTTP ${event.status}, ${event.ms} ms${size}`;
    let said = null;
    try {
      said = JSON.parse(event.body);
    } catch {}
    const result = said?.result;
    if (said?.error) failed({ message: `Error ${said.error.code}: ${said.error.message}` });
    else if (result?.isError) events.append(element("p", "The tool says that it failed:", "notice bad"));
    else if (!result) events.append(element("p", title, event.is_complete && event.status < 400 ? "mute" : "notice bad"));
    const blocks = [...objects(result?.content), ...objects(result?.contents)];
    for (const message of objects(result?.messages)) blocks.push({ ...message.content, role: message.role });
    for (const each of blocks) block(each);
    folded(`Answer: ${title}`, `HTTP ${event.status}`, event.headers, event.body);
  }

  // Returns the objects of a list, none of what is something else.
  const objects = (given) => (Array.isArray(given) ? given.filter((each) => each instanceof Object) : []);

  function block(given) {
    const inner = given.resource ?? given;
    if (given.role) events.append(element("p", String(given.role), "mute"));
    if (typeof inner.text === "string") return events.append(element("pre", inner.text, "text"));
    const data = inner.data ?? inner.blob;
    const kind = `${given.type ?? "resource"} ${inner.mimeType ?? ""} ${inner.uri ?? ""}`;
    if (typeof data !== "string") return events.append(element("p", kind, "mute"));
    const note = element("p", `${kind}, ${Math.floor((data.length * 3) / 4)} bytes `, "mute");
    const save = element("button", "Download");
    save.type = "button";
    save.onclick = () => {
      const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([bytes]));
      link.download = "answer";
      link.click();
      URL.revokeObjectURL(link.href);
    };
    note.append(save);
    events.append(note);
  }

  // A server that asks back waits for what the person says.
  async function asked(event, id) {
    const made = element("article");
    const form = element("form");
    made.append(element("h3", event.message), form);
    if (event.url) made.append(element("p", "Visit this address, if you trust it: "), element("code", event.url));
    events.append(made);
    const schema = event.schema && { asked: JSON.stringify(event.schema) };
    if (schema) {
      const answer = await post("form", schema);
      if (answer?.ok) put(form, await answer.text());
      else if (answer) failed((await answer.json()).error);
    }
    const row = element("p", "", "actions");
    for (const [label, action, past] of ACTIONS) {
      const button = element("button", label, action === "accept" ? "main" : "");
      button.type = "button";
      button.onclick = async () => {
        const content = action === "accept" && schema ? await fill(form, "content", schema) : null;
        if (form.dataset.wrong && action === "accept") return form.querySelector("[aria-invalid]")?.focus();
        const reply = JSON.stringify({ elicitation: event.id, action, content });
        const answer = await ask("POST", `/v1/projects/${project}/try/${id}/replies`, reply, signal);
        if (!answer) return;
        made.replaceWith(element("p", `${event.message} ${past}.`, "mute"));
        if (!answer.ok) failed((await answer.json()).error);
      };
      row.append(button);
    }
    made.append(row);
    form.onsubmit = (submit) => (submit.preventDefault(), submit.stopPropagation());
    made.querySelector("[data-text], button").focus();
  }

  at("elsewhere").ontoggle = async (event) => {
    if (!event.target.open) return;
    await filling;
    const answer = await post("snippets", { kind, key, params: raw.value });
    if (answer?.ok) put(at("elsewhere").querySelector("div"), await answer.text());
    else if (answer) say((await answer.json()).error.message);
  };
  place.dataset.isReady = "";
  fields.onsubmit = (event) => (event.preventDefault(), event.stopPropagation(), send.click());
}
