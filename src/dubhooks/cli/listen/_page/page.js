// Everything that a delivery holds is foreign text: it goes into the page by textContent only.
"use strict";

const byId = (id) => document.getElementById(id);
const deliveries = new Map(); // number → delivery, oldest first
const buttons = new Map(); // number → its button in the list
let run = "new";
let last = 0;
let chosen = null; // the delivery that is shown; it may be gone from the list
let isFollowing = true; // the newest is shown until one is picked
let forwardTo = null;

byId("here").textContent = location.origin + "/";

function element(name, text, className) {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

function line(...parts) {
  const made = element("span", "", "line");
  made.append(...parts);
  return made;
}

const colour = (isGood) => (isGood ? "good" : "bad");
const labelOf = (delivery) => delivery.outcome || String(delivery.status);
const nameOf = (delivery) => delivery.event || "no event";
const signatureOf = (delivery) => (delivery.valid ? `valid (${delivery.family})` : "not valid");
const answerOf = (delivery) => `${delivery.status} ${delivery.outcome || ""}`.trim();

function readingOf(delivery) {
  if (delivery.event === null) return `no event: ${delivery.reading}`;
  return `${delivery.event} ${delivery.event_id}: ${delivery.reading}`;
}

// -- the list -------------------------------------------------------------------------------------

function list(delivery) {
  const button = document.createElement("button");
  button.type = "button";
  button.addEventListener("click", () => pick(delivery.number));
  const again = delivery.replay_of ? ` replay of #${delivery.replay_of}` : "";
  const name = element("span", nameOf(delivery), delivery.fits ? "name" : "name bad");
  name.prepend(element("span", `#${delivery.number} `, "faint"));
  name.append(element("span", again, "faint"));
  button.append(
    line(name, element("span", new Date(delivery.received).toLocaleTimeString(), "faint")),
    line(
      element("span", `signature ${delivery.valid ? "" : "not "}valid`, colour(delivery.valid)),
      element("span", answerOf(delivery), colour(delivery.status < 300)),
    ),
  );
  const item = document.createElement("li");
  item.append(button);
  byId("list").prepend(item);
  buttons.set(delivery.number, button);
}

const textOf = (delivery) =>
  [
    `#${delivery.number}`, nameOf(delivery), delivery.event_id, delivery.reading, delivery.outcome,
    delivery.status, `signature ${signatureOf(delivery)}`, delivery.replay_of ? "replay" : "",
  ].join(" ").toLowerCase();

function filter() {
  const wanted = byId("filter").value.trim().toLowerCase();
  let shown = 0;
  for (const [number, delivery] of deliveries) {
    const isShown = textOf(delivery).includes(wanted);
    buttons.get(number).parentElement.hidden = !isShown;
    shown += isShown;
  }
  byId("shown").textContent = `${shown} of ${deliveries.size} shown`;
  for (const button of byId("counts").children) {
    button.setAttribute("aria-pressed", String(button.value === wanted));
  }
}

function count() {
  const counts = new Map();
  for (const delivery of deliveries.values()) {
    counts.set(labelOf(delivery), (counts.get(labelOf(delivery)) || 0) + 1);
  }
  byId("counts").replaceChildren(...[...counts].map(([label, number]) => {
    const button = element("button", `${number} ${label}`);
    button.type = "button";
    button.value = label;
    button.addEventListener("click", () => {
      byId("filter").value = byId("filter").value === label ? "" : label;
      filter();
    });
    return button;
  }));
}

function drop(gone) {
  for (const number of [...deliveries.keys()].filter((one) => one <= gone)) {
    buttons.get(number).parentElement.remove();
    buttons.delete(number);
    deliveries.delete(number);
  }
  byId("gone").hidden = !gone;
  byId("gone").textContent =
    `${gone} older ${gone === 1 ? "delivery is" : "deliveries are"} gone from this list` +
    (deliveries.get(last).saved_as ? ", and saved." : ". Option --save keeps all of them.");
}

// -- the one that is shown ------------------------------------------------------------------------

function tell(id, text, className = "") {
  byId(id).textContent = text;
  byId(id).className = className;
}

function explain(id, verdict, isGood, why) {
  byId(id).replaceChildren(element("span", verdict, colour(isGood)), why && `\n${why}`);
}

function driftOf(delivery) {
  const found = delivery.differences.map((one) =>
    `${one.kind.replace("_", " ")}: ${one.path}${one.detail ? ` (${one.detail})` : ""}`);
  return found.join("\n") || (delivery.fits ? "no drift" : "");
}

function choose(number) {
  byId("newest").hidden = isFollowing;
  buttons.get(chosen?.number)?.removeAttribute("aria-current");
  buttons.get(number).setAttribute("aria-current", "true");
  chosen = deliveries.get(number);
  show(chosen);
}

function pick(number) {
  isFollowing = false;
  choose(number);
}

function show(delivery) {
  byId("detail").hidden = false;
  byId("detail").scrollTop = 0;
  const again = delivery.replay_of ? ` (replay of #${delivery.replay_of})` : "";
  tell("title", `#${delivery.number} ${nameOf(delivery)}${again}`);
  explain("signature", signatureOf(delivery), delivery.valid, delivery.valid ? "" : delivery.explanation);
  explain("event", readingOf(delivery), delivery.fits, driftOf(delivery));
  const took = delivery.seconds === null ? "" : ` after ${Math.round(delivery.seconds * 1000)} ms`;
  explain("answer", answerOf(delivery) + took, delivery.status < 300, delivery.advice || "");
  tell("saved", delivery.saved_as || "not saved (--save DIR)");
  tell("text", delivery.answer || "empty");
  tell("typed", delivery.typed || "not typed");
  tell("body", delivery.body);
  tell("headers", delivery.headers.map((pair) => pair.join(": ")).join("\n"));
  tell("done", "");
  byId("replay").hidden = !forwardTo;
  byId("copy-curl").hidden = !isPlain(curlOf(delivery));
  byId("copy-path").hidden = !delivery.saved_as;
}

async function replay() {
  const { number } = chosen;
  isFollowing = false;
  byId("newest").hidden = false;
  byId("replay").disabled = true;
  tell("done", `replaying #${number}`);
  try {
    const response = await fetch(`/_dubhooks/replay/${number}`, {
      method: "POST",
      headers: { "X-Dubhooks": "replay" },
    });
    if (!response.ok) throw new Error(await response.text());
    const again = await response.json();
    const advice = again.advice ? `: ${again.advice}` : "";
    if (chosen.number === number) {
      tell("done", `replayed as #${again.number}: ${answerOf(again)}${advice}`, colour(again.status < 300));
    }
  } catch (error) {
    tell("done", `not replayed: ${error.message}`, "bad");
  } finally {
    byId("replay").disabled = false;
  }
}

// What a terminal would obey is not offered for pasting into one.
const isPlain = (text) => !/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/.test(text);
const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function curlOf(delivery) {
  const sent = ["content-type", "dub-signature", "x-dub-signature"];
  const headers = delivery.headers.filter(([name]) => sent.includes(name));
  return [
    `curl ${quote(forwardTo || location.origin + "/")}`,
    ...headers.map((pair) => `-H ${quote(pair.join(": "))}`),
    `--data-raw ${quote(delivery.body)}`, // not --data-binary, which reads a file after @
  ].join(" \\\n  ");
}

async function copy(what, text) {
  try {
    await navigator.clipboard.writeText(text);
    tell("done", `copied the ${what}`);
  } catch {
    tell("done", `the browser does not let the page copy the ${what}`, "bad");
  }
}

byId("filter").addEventListener("input", filter);
byId("newest").addEventListener("click", () => {
  isFollowing = true;
  choose(last);
});
byId("replay").addEventListener("click", replay);
byId("copy-body").addEventListener("click", () => copy("body", chosen.body));
byId("copy-curl").addEventListener("click", () => copy("curl command", curlOf(chosen)));
byId("copy-path").addEventListener("click", () => copy("path", chosen.saved_as));
byId("list").addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const shown = [...byId("list").querySelectorAll("li:not([hidden]) > button")];
  const next = shown[shown.indexOf(document.activeElement) + step];
  next?.focus();
  next?.click();
});

// -- what comes -----------------------------------------------------------------------------------

async function take() {
  const response = await fetch(`/_dubhooks/feed/${run}/${last}`);
  if (!response.ok) throw new Error(response.statusText);
  const news = await response.json();
  if (run !== "new" && run !== news.run) location.reload(); // listen was started again
  run = news.run;
  forwardTo = news.forwardTo;
  tell("connection", "live");
  tell("target", forwardTo ? `forwarded to ${forwardTo}` : "not forwarded (--forward-to URL)");
  for (const delivery of news.deliveries) {
    deliveries.set(delivery.number, delivery);
    list(delivery);
    last = delivery.number;
  }
  byId("empty").hidden = last > 0;
  byId("tools").hidden = last === 0;
  if (!news.deliveries.length) return;
  drop(news.gone);
  count();
  filter();
  document.title = `(${last}) dubhooks: deliveries`;
  if (isFollowing) choose(last);
}

async function watch() {
  for (;;) {
    try {
      await take();
    } catch {
      tell("connection", "dubhooks listen does not answer; trying again", "bad");
      await new Promise((done) => setTimeout(done, 1000));
    }
  }
}

watch();
