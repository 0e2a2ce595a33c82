// The page of `firstlight watch RUN --web`. It gives the view of the notebook (view.js) what anywidget gives it there, a
// model, and asks the server (page.py) for news: never more than ten times a second, seldom while nobody can see it.
//
// POST talk  {page, after, say: [messages of the view], open: the newest of them that named a tab}
//         ->  {serial, hear: [messages for the view], again_ms, lost: what ails the record, model: once}

import view from "./view.js";

const PAGE = Math.random().toString(36).slice(2) + Date.now().toString(36);
const AT_LEAST_MS = 100;
const HIDDEN_MS = 2000;
const RETRY_MS = 1000;
const PATIENCE_MS = 15000;
const MOST_UNSAID = 50; // while the server is away

const alarm = document.getElementById("alarm");
const ears = new Map(); // event -> functions
let values = null; // the model's values; null until the server has told them
let unsaid = [];
let after = 0; // the newest answer that arrived
let open = null; // the message that says which tab is open, for a server that has forgotten this page
let asking = false;
let asked = -Infinity;
let timer = 0;

const model = {
  get: (name) => values[name],
  set(name, value) {
    values[name] = value;
    emit(`change:${name}`, model, value);
    emit("change", model);
  },
  save_changes() {},
  send(message) {
    unsaid = [...unsaid, message].slice(-MOST_UNSAID);
    if (message.t === "open") open = message;
    plan(0);
  },
  on(event, hear) {
    if (!ears.has(event)) ears.set(event, new Set());
    ears.get(event).add(hear);
  },
  off(event, hear) {
    if (event === undefined || event === null) ears.clear();
    else if (hear === undefined || hear === null) ears.delete(event);
    else ears.get(event)?.delete(hear);
  },
};

function emit(event, ...what) {
  for (const hear of [...(ears.get(event) || [])]) {
    try {
      hear(...what);
    } catch (error) {
      reportError(error); // one view that stumbles does not keep the others from the news
    }
  }
}

function plan(wait) {
  if (asking) return; // what came up meanwhile is said with the next question
  clearTimeout(timer);
  timer = setTimeout(ask, Math.max(wait, asked + AT_LEAST_MS - performance.now()));
}

function say(text) {
  if (alarm.textContent !== text) alarm.textContent = text;
  alarm.hidden = !text;
}

async function ask() {
  asking = true;
  asked = performance.now();
  const saying = unsaid;
  unsaid = [];
  const answer = await fetched({ page: PAGE, after, say: saying, open });
  document.body.dataset.connected = answer ? "yes" : "no";
  if (answer) {
    after = answer.serial;
    say(answer.lost);
    if (answer.model && !values) await begin(answer.model);
    for (const message of answer.hear) {
      if (message.t === "news") name(message.state);
      emit("msg:custom", message, []);
    }
  } else unsaid = [...saying, ...unsaid].slice(-MOST_UNSAID);
  asking = false;
  if (answer && unsaid.length) plan(0);
  else plan(Math.max(answer ? answer.again_ms : RETRY_MS, document.hidden ? HIDDEN_MS : 0));
}

async function fetched(question) {
  try {
    const response = await fetch("talk", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(question),
      signal: AbortSignal.timeout(PATIENCE_MS),
      credentials: "omit",
      cache: "no-store",
    });
    if (response.ok) return await response.json();
    say(alarm.dataset.gone); // another server has this address now
  } catch {
    say(alarm.dataset.away);
  }
  return null;
}

async function begin(told) {
  values = told;
  document.getElementById("place").dataset.firstlight = values.key;
  name(values.state);
  const widget = typeof view === "function" ? await view() : view;
  await widget.initialize?.({ model });
}

function name(state) {
  document.documentElement.lang = state.lang;
  const share = state.progress.share;
  const parts = [share !== null && share < 1 ? `${Math.floor(100 * share)}%` : "", state.title, state.status_text];
  document.title = parts.filter(Boolean).join(" · ");
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) plan(0);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", (now) => {
  document.body.classList.toggle("dark", now.matches); // the view looks at its colours when the body's class changes
});
ask();
