// Everything that a delivery holds is foreign text: it goes into the page by textContent only.
"use strict";

const byId = (id) => document.getElementById(id);
const deliveries = new Map();
const buttons = new Map();
let chosen = null;
let canReplay = false;

byId("here").textContent = location.origin + "/";

function element(name, text, className) {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

function nameOf(delivery) {
  return delivery.event || delivery.problem || "no event in it";
}

function list(delivery) {
  let button = buttons.get(delivery.number);
  if (!button) {
    button = document.createElement("button");
    button.type = "button";
    button.addEventListener("click", () => choose(delivery.number));
    const item = document.createElement("li");
    item.value = delivery.number;
    item.append(button);
    byId("list").prepend(item);
    buttons.set(delivery.number, button);
  }
  button.replaceChildren(
    element("span", nameOf(delivery), "name"),
    element("span", new Date(delivery.received).toLocaleTimeString(), "time"),
    element("span", delivery.valid ? "valid" : "not valid", delivery.valid ? "good" : "bad"),
    element("span", String(delivery.status), delivery.status < 300 ? "good" : "bad"),
  );
}

function fill(id, texts, none) {
  byId(id).replaceChildren(...(texts.length ? texts : [none]).map((text) => element("li", text)));
}

const WORDS = {
  unknown_event: "event this version does not know",
  unknown_key: "unknown key",
  unknown_value: "unknown value",
  absent_key: "absent",
  invalid: "does not fit",
};

function show(delivery) {
  byId("detail").hidden = false;
  byId("title").textContent = `#${delivery.number} ${nameOf(delivery)}`;
  const verdict = byId("verdict");
  verdict.textContent = delivery.valid
    ? `The signature is valid (${delivery.family}). Event id ${delivery.event_id}.`
    : "The signature is not valid.";
  verdict.className = delivery.valid ? "good" : "bad";
  byId("causes").textContent = delivery.explanation || "";
  const took = delivery.seconds === null ? "" : ` after ${Math.round(delivery.seconds * 1000)} ms`;
  byId("answer").textContent = `${delivery.status}${took}\n${delivery.answer}`;
  fill(
    "differences",
    delivery.differences.map((one) =>
      `${WORDS[one.kind] || one.kind}: ${one.path}${one.detail ? ` (${one.detail})` : ""}`,
    ),
    "no difference",
  );
  byId("model").textContent = delivery.model || "";
  byId("typed").textContent = delivery.typed || delivery.problem || "not typed";
  byId("body").textContent = delivery.body;
  byId("headers").textContent = delivery.headers.map((pair) => pair.join(": ")).join("\n");
  byId("replay").hidden = !canReplay;
}

function choose(number) {
  chosen = number;
  for (const [one, button] of buttons) {
    button.setAttribute("aria-current", one === number ? "true" : "false");
  }
  show(deliveries.get(number));
}

function take(delivery) {
  byId("empty").hidden = true;
  deliveries.set(delivery.number, delivery);
  list(delivery);
  if (chosen === null || chosen === delivery.number) choose(delivery.number);
}

byId("replay").addEventListener("click", async () => {
  const button = byId("replay");
  button.disabled = true;
  try {
    const answer = await fetch(`/_dubhooks/replay/${chosen}`, {
      method: "POST",
      headers: { "X-Dubhooks": "replay" },
    });
    if (!answer.ok) byId("connection").textContent = `not replayed: ${await answer.text()}`;
  } catch {
    byId("connection").textContent = "not replayed: dubhooks listen does not answer";
  } finally {
    button.disabled = false;
  }
});

const feed = new EventSource("/_dubhooks/events");
feed.addEventListener("open", () => { byId("connection").textContent = "live"; });
feed.addEventListener("error", () => { byId("connection").textContent = "disconnected"; });
feed.addEventListener("settings", (event) => { canReplay = JSON.parse(event.data).canReplay; });
feed.addEventListener("delivery", (event) => take(JSON.parse(event.data)));
