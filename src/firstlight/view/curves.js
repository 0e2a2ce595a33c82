// Draws what curves.py sends: the state in words, and curves on a canvas. Nothing here decides anything about a run.
//
// The output of the cell is plain HTML with a picture (still.py), marked data-firstlight="KEY". This model has no view of
// its own kind: wherever that mark is on the page, the moving view takes the place of the picture. So a saved notebook, a
// page without widgets and a page that was loaded again while the kernel was busy still show the picture.
//
// Down, at most ten times a second:  {t: "news", all, state, curves}   and once, as an answer:  {t: "here"}
// Up:  {t: "hello", page}  until an answer comes,  {t: "all"}  when something was missed,  {t: "stop"},  {t: "pause"},
//      {t: "go_on"},  and every few seconds  {t: "still"}:  this page is there, and the picture below it need not move
// What is said about the tabs stands in tabs.py. The files of this module are put together by frontend.py.

const PAGE = Math.random().toString(36).slice(2) + Date.now().toString(36); // another page sends another name
const COLOURS = {
  light: { train: "#0072b2", val: "#008764", test: "#d05400" }, // Okabe and Ito 2008, as in drawing.py
  dark: { train: "#56b4e9", val: "#3ccfa5", test: "#f2a154" },
};
const FEW = 20; // fewer points than this are marked one by one
const HELLO_TRIES = 5;
const HELLO_EVERY_MS = 400;
const STILL_HERE_MS = 3000;
const STOP_PATIENCE_MS = 4000; // an interrupt too much takes the plots that a cell draws at its end
const FOCUS_TRIES = 30; // frames
const MOVING = ["waiting", "running", "pausing", "paused", "stopping"];

function take(store, model, message) {
  store.state = message.state;
  if (message.all) store.curves = {};
  for (const [name, news] of Object.entries(message.curves)) {
    let mine = store.curves[name];
    if (!mine || mine.generation !== news.generation || news.from === 0) {
      mine = store.curves[name] = { generation: news.generation, x: [], y: [], low: [], high: [] };
    }
    if (news.from > mine.x.length) {
      model.send({ t: "all" }); // something never arrived
      continue;
    }
    for (const part of ["x", "y", "low", "high"]) {
      mine[part].length = news.from;
      for (const value of news[part]) mine[part].push(value);
    }
  }
}

// ---- numbers and scales, as in drawing.py and series.py ----

function smooth(values) {
  if (values.length < FEW) return values;
  const keep = 1 - 1 / Math.max(1, values.length / 32);
  const gather = (list) => {
    let total = 0;
    let weight = 0;
    return list.map((value) => {
      total = total * keep + value;
      weight = weight * keep + 1;
      return [total, weight];
    });
  };
  const before = gather(values);
  const after = gather([...values].reverse()).reverse();
  return values.map((v, i) => (before[i][0] + after[i][0] - v) / (before[i][1] + after[i][1] - 1));
}

function range(curves, isShare) {
  const values = [];
  for (const curve of curves) {
    const from = curve.trend.length > 40 ? Math.floor(curve.trend.length / 20) : 0;
    for (const v of curve.trend.slice(from)) values.push(v);
    const ordered = [...curve.y].sort((a, b) => a - b);
    const edge = Math.floor(ordered.length / 25);
    values.push(ordered[edge], ordered[ordered.length - 1 - edge]);
  }
  let low = Math.min(...values);
  let high = Math.max(...values);
  const positive = low >= 0;
  const margin = (high - low) * 0.06 || Math.abs(high) * 0.1 || 0.5;
  low -= margin;
  high += margin;
  if (isShare) return [Math.max(0, low), Math.min(1, high)];
  return [positive ? Math.max(0, low) : low, high];
}

function marks(low, high, about) {
  const raw = (high - low) / about;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= raw * 0.999);
  const list = [];
  for (let i = Math.ceil(low / step - 1e-9); i <= Math.floor(high / step + 1e-9); i++) list.push(+(i * step).toPrecision(12));
  return list;
}

// With a plan the axis shows a half, a quarter, an eighth of it until the curve outgrows that: it seldom moves.
function lastStep(last, planned, running) {
  if (!running || !planned || last >= planned) return Math.max(1, last);
  let end = planned;
  while (end / 2 > last && end > 16) end /= 2;
  return Math.max(1, end);
}

function stepText(value) {
  if (value >= 1e6) return `${+(value / 1e6).toPrecision(6)}M`;
  return value >= 1e4 ? `${+(value / 1e3).toPrecision(6)}k` : `${value}`;
}

// ---- one chart ----

function drawChart(canvas, chart, store, look) {
  const drawn = penFor(canvas);
  if (!drawn) return;
  const { pen, width, height } = drawn;
  const curves = [];
  for (const { key, split } of chart.curves) {
    const mine = store.curves[key];
    if (mine && mine.x.length) curves.push({ ...mine, split, trend: smooth(mine.y) });
  }
  const left = 46;
  const right = width - 10;
  const top = 8;
  const bottom = height - 22;
  pen.font = `11px ${look.font}`;
  pen.lineWidth = 1;
  pen.lineJoin = "round";
  const isShare = chart.unit === "share";
  const [low, high] = curves.length ? range(curves, isShare) : [0, 1];
  const end = lastStep(Math.max(0, ...curves.map((c) => c.x[c.x.length - 1])), chart.steps, look.running);
  const X = (step) => left + ((right - left) * step) / end;
  const Y = (value) => bottom - ((bottom - top) * (value - low)) / (high - low);

  pen.textBaseline = "middle";
  pen.textAlign = "right";
  for (const value of curves.length ? marks(low, high, 4) : []) {
    const y = Math.round(Y(value)) + 0.5;
    pen.strokeStyle = look.grid;
    pen.beginPath();
    pen.moveTo(left, y);
    pen.lineTo(right, y);
    pen.stroke();
    pen.fillStyle = look.faint;
    pen.fillText(isShare ? `${Math.round(value * 1000) / 10}%` : `${value}`, left - 7, y);
  }
  pen.strokeStyle = look.axis;
  pen.beginPath();
  pen.moveTo(left, bottom + 0.5);
  pen.lineTo(right, bottom + 0.5);
  pen.stroke();
  pen.textBaseline = "top";
  for (const value of marks(0, end, 4)) {
    if (value !== Math.round(value)) continue;
    const x = Math.round(X(value)) + 0.5;
    pen.beginPath();
    pen.moveTo(x, bottom);
    pen.lineTo(x, bottom + 4);
    pen.stroke();
    pen.fillStyle = look.faint;
    pen.textAlign = x > right - 12 ? "right" : "center";
    pen.fillText(stepText(value), x, bottom + 8);
  }

  pen.save();
  pen.beginPath();
  pen.rect(left, top - 4, right - left + 6, bottom - top + 4);
  pen.clip();
  for (const curve of curves) {
    const colour = look.colours[curve.split];
    const n = curve.x.length;
    pen.strokeStyle = pen.fillStyle = colour;
    if (n >= FEW) {
      pen.globalAlpha = 0.14;
      pen.beginPath();
      for (let i = 0; i < n; i++) pen.lineTo(X(curve.x[i]), Y(curve.high[i]));
      for (let i = n - 1; i >= 0; i--) pen.lineTo(X(curve.x[i]), Y(curve.low[i]));
      pen.fill();
      pen.globalAlpha = 0.28;
      pen.beginPath();
      for (let i = 0; i < n; i++) pen.lineTo(X(curve.x[i]), Y(curve.y[i]));
      pen.stroke();
    }
    pen.globalAlpha = 1;
    pen.lineWidth = 2;
    pen.beginPath();
    for (let i = 0; i < n; i++) pen.lineTo(X(curve.x[i]), Y(curve.trend[i]));
    pen.stroke();
    pen.lineWidth = 1;
    for (let i = n < FEW ? 0 : n - 1; i < n; i++) {
      pen.beginPath();
      pen.arc(X(curve.x[i]), Y(curve.trend[i]), 3, 0, 2 * Math.PI);
      pen.fill();
    }
  }
  pen.restore();
}

// ---- the whole view ----

function interruptAddress(model) {
  const kernel = model.get("kernel_id");
  const config = document.getElementById("jupyter-config-data");
  if (!kernel || !config) return null;
  try {
    const base = (JSON.parse(config.textContent).baseUrl || "/").replace(/\/?$/, "/");
    return new URL(`${base}api/kernels/${kernel}/interrupt`, location.href).href;
  } catch {
    return null;
  }
}

async function interrupt(address) {
  const token = (document.cookie.match(/(?:^|; )_xsrf=([^;]*)/) || [])[1];
  try {
    const headers = token ? { "X-XSRFToken": decodeURIComponent(token) } : {};
    return (await fetch(address, { method: "POST", credentials: "same-origin", headers })).ok;
  } catch {
    return false;
  }
}

// A page keeps each model for as long as the kernel, also one that was closed: so what all of them have is there once,
// and the line of a closed one, through which the page keeps it, is let go of.
const shared = new Map();
function lighten(model) {
  const style = model.get("style");
  if (!style) return; // the page of `firstlight watch --web`, which has one model
  if (!shared.has(style)) shared.set(style, document.head.append(Object.assign(make("style", ""), { textContent: style })));
  const words = model.get("words");
  const language = JSON.stringify(words);
  if (!shared.has(language)) shared.set(language, words);
  model.set({ code: "", style: "", words: shared.get(language) });
  model.on("destroy", letGo);
}

function letGo(closed) {
  closed.comm?.on_msg(() => {});
  closed.comm?.on_close(() => {});
}

function initialize({ model }) {
  lighten(model);
  const words = model.get("words");
  const store = { state: model.get("state"), curves: {}, answered: false };
  const root = make("section", "fl-live");
  root.setAttribute("aria-label", words.region);
  root.setAttribute("data-lm-suppress-shortcuts", "true"); // JupyterLab leaves our keys to us
  const head = make("div", "fl-head", root);
  const dot = make("span", "fl-dot", head);
  dot.setAttribute("aria-hidden", "true");
  const title = make("span", "fl-title", head);
  const status = make("span", "fl-status", head);
  const hint = make("span", "fl-hint", head);
  const pause = makeButton("fl-stop fl-pause", head, words.pause, words.pause_title);
  pause.hidden = true; // until the kernel answers: without messages nothing could end the pause
  const button = make("button", "fl-stop", head);
  button.type = "button";
  const square = make("span", "fl-square", button);
  square.setAttribute("aria-hidden", "true");
  make("span", "", button).textContent = words.stop;
  button.title = words.stop_title;
  button.disabled = true;
  const bar = make("div", "fl-bar", root);
  bar.setAttribute("role", "progressbar");
  bar.setAttribute("aria-label", words.progress);
  bar.setAttribute("aria-valuemin", "0");
  bar.setAttribute("aria-valuemax", "100");
  const fill = make("div", "fl-fill", bar);
  const under = make("div", "fl-under", root);
  const done = make("span", "", under);
  const left = make("span", "", under);
  const tabs = makeTabs(root, model, words, () => soon());
  const charts = make("div", "fl-charts", tabs.box("curves"));
  const notice = make("div", "fl-notice", root);
  const foot = make("div", "fl-foot", root);
  const watching = make("div", "fl-foot fl-watching", root);
  const said = make("div", "fl-said", root);
  said.setAttribute("role", "status");
  said.setAttribute("aria-live", "polite");

  const shown = new Map(); // chart key -> its nodes
  let alive = true;
  let frame = 0;
  let saidAt = -Infinity;
  let saidStatus = "";
  const seen = root.dataset; // what tests read

  const look = () => {
    const style = getComputedStyle(root);
    const [r, g, b] = (style.color.match(/[\d.]+/g) || [0, 0, 0]).map(Number);
    const dark = 0.2126 * r + 0.7152 * g + 0.0722 * b > 128; // light text stands on a dark page
    root.dataset.theme = dark ? "dark" : "light";
    const own = getComputedStyle(root);
    return {
      dark,
      colours: COLOURS[dark ? "dark" : "light"],
      grid: own.getPropertyValue("--fl-grid").trim(),
      axis: own.getPropertyValue("--fl-axis").trim(),
      faint: own.getPropertyValue("--fl-faint").trim(),
      alarm: own.getPropertyValue("--fl-alarm").trim(),
      ink: own.color,
      paper: dark ? "#16191c" : "#ffffff",
      font: own.fontFamily,
      running: MOVING.includes(store.state.status),
    };
  };

  const chartNodes = (chart) => {
    let nodes = shown.get(chart.key);
    if (!nodes) {
      const box = make("figure", "fl-chart", charts);
      const caption = make("figcaption", "", box);
      nodes = { title: make("span", "fl-chart-title", caption), legend: make("span", "fl-legend", caption) };
      nodes.canvas = make("canvas", "", box);
      nodes.canvas.setAttribute("role", "img");
      nodes.legends = new Map();
      shown.set(chart.key, nodes);
      sizes.observe(nodes.canvas);
    }
    setText(nodes.title, chart.title);
    for (const curve of chart.curves) {
      let entry = nodes.legends.get(curve.key);
      if (!entry) {
        const item = make("span", `fl-key fl-${curve.split}`, nodes.legend);
        make("span", "fl-line", item).setAttribute("aria-hidden", "true");
        entry = { label: make("span", "", item), value: make("b", "", item) };
        nodes.legends.set(curve.key, entry);
      }
      setText(entry.label, curve.label);
      setText(entry.value, curve.value);
    }
    const alt = `${chart.title}: ${chart.curves.map((c) => `${c.label} ${c.value}`).join(", ")}`;
    nodes.canvas.setAttribute("aria-label", alt);
    return nodes;
  };

  const paint = () => {
    frame = 0;
    const state = store.state;
    if (!alive || !root.isConnected) return;
    const style = look();
    seen.status = state.status;
    seen.step = state.progress.done;
    seen.frames = +(seen.frames || 0) + 1;
    seen.points = Object.values(store.curves).reduce((sum, c) => sum + c.x.length, 0);
    root.lang = state.lang;
    setText(title, state.title);
    setText(status, state.status_text);
    const share = state.progress.share;
    bar.classList.toggle("fl-unknown", share === null);
    fill.style.width = `${share === null ? 100 : 100 * share}%`;
    if (share === null) bar.removeAttribute("aria-valuenow");
    else bar.setAttribute("aria-valuenow", Math.floor(100 * share));
    setText(done, state.progress.text);
    setText(left, state.progress.left);
    if (tabs.open === "curves") for (const chart of state.charts) drawChart(chartNodes(chart).canvas, chart, store, style);
    else tabs.paint(style);
    setText(notice, state.notice);
    const numbers = state.numbers.map((n) => `${n.label} ${n.value}`);
    setText(foot, [...numbers, state.device].filter(Boolean).join("  ·  "));
    setText(watching, state.watching || "");
    const moving = MOVING.includes(state.status);
    button.hidden = !moving;
    const holds = state.status === "paused" || state.status === "pausing";
    pause.hidden = way !== "message" || !moving || state.status === "waiting" || state.status === "stopping";
    pause.classList.toggle("fl-holds", holds);
    setText(pause, holds ? words.go_on : words.pause);
    pause.title = holds ? words.go_on_title : words.pause_title;
    button.disabled = stopping || state.status === "stopping" || !way || way === "words";
    if (!moving) setText(hint, "");
    const now = performance.now();
    if (state.status !== saidStatus || now - saidAt > 10000) {
      saidAt = now; // a voice that reads twenty states a second helps nobody
      saidStatus = state.status;
      setText(said, state.said);
    }
  };
  const soon = () => {
    if (!frame && alive) frame = requestAnimationFrame(paint);
  };
  const sizes = new ResizeObserver(soon);
  const theme = new MutationObserver(soon);
  theme.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "class"] });

  // Stop: by message where the kernel hears us while it is busy, else by the server's interrupt, else in words.
  const address = interruptAddress(model);
  let way = "";
  let stopping = false;
  let patience = 0; // until an answer comes: a loop that stopped may run again by then, and is not to be interrupted
  const offer = (name) => {
    way = seen.way = name;
    if (name === "message") tabs.greet(); // what was said before the kernel could hear us is said again
    soon();
    setText(hint, name === "words" ? words.toolbar : "");
  };
  button.addEventListener("click", async () => {
    stopping = true;
    button.disabled = true;
    setText(status, words.stopping);
    if (way === "message") {
      model.send({ t: "stop" });
      patience = setTimeout(() => {
        if (address) interrupt(address);
      }, STOP_PATIENCE_MS);
    } else if (!(address && (await interrupt(address)))) {
      offer("words");
    }
  });

  pause.addEventListener("click", () => {
    const holds = store.state.status === "paused" || store.state.status === "pausing";
    model.send({ t: holds ? "go_on" : "pause" });
    if (!holds) setText(status, words.pausing);
  });

  let tries = 0;
  let greeting = false;
  const hello = () => {
    if (!alive || way === "message") return;
    if (tries < HELLO_TRIES) {
      tries += 1; // the first may be caught in the busy main shell while the subshell is being made: say it again
      model.send({ t: "hello", page: PAGE });
      setTimeout(hello, HELLO_EVERY_MS);
    } else offer(address ? "interrupt" : "words");
  };

  // The place: a picture that this view covers. It is made anew when the kernel sends a newer picture.
  const mark = `[data-firstlight="${model.get("key")}"]`;
  const settle = () => {
    if (!alive || root.isConnected) return;
    const place = document.querySelector(mark);
    if (!place) return;
    const node = focused;
    place.replaceChildren(root);
    for (const [box, [x, y]] of scrolled) if (root.contains(box)) box.scrollTo(x, y);
    returning = node;
    refocus(FOCUS_TRIES);
    if (!greeting) {
      greeting = true;
      hello();
    }
    paint(); // at once: no frame without curves
  };
  // Taken off the page the view loses focus and places of scrolling, too; that is no wish of the person.
  let focused = null;
  const scrolled = new Map();
  let returning = null; // what is to have the focus again
  const refocus = (tries) => {
    const elsewhere = document.activeElement && document.activeElement !== document.body;
    if (!returning || !root.contains(returning) || (elsewhere && !root.contains(document.activeElement))) returning = null;
    else if (tries) {
      returning.focus({ preventScroll: true });
      // JupyterLab may show the new place a moment later only; until then it takes no focus.
      if (document.activeElement === returning) returning = null;
      else requestAnimationFrame(() => refocus(tries - 1));
    } else returning = null;
  };
  root.addEventListener("focusin", (event) => (focused = event.target));
  root.addEventListener("focusout", () => {
    setTimeout(() => {
      if (root.isConnected && !returning && !root.contains(document.activeElement)) focused = null;
    });
  });
  root.addEventListener("scroll", (event) => {
    if (root.isConnected) scrolled.set(event.target, [event.target.scrollLeft, event.target.scrollTop]);
  }, true);
  const places = new MutationObserver(settle);
  const follow = () => {
    places.disconnect();
    if (MOVING.includes(store.state.status)) {
      places.observe(document.body, { childList: true, subtree: true });
    }
  };

  let toldAt = 0;
  const hear = (message) => {
    if (message.t === "here") offer("message");
    if (tabs.hear(message)) soon();
    if (message.t !== "news") return;
    if (way === "message" && performance.now() - toldAt > STILL_HERE_MS) {
      toldAt = performance.now();
      model.send({ t: "still" });
    }
    const before = store.state.status;
    take(store, model, message);
    const after = store.state.status;
    if (before !== after) {
      stopping = false;
      if (after === "stopping" || !MOVING.includes(after)) clearTimeout(patience);
      follow();
    }
    settle();
    soon();
  };
  model.on("msg:custom", hear);
  follow();
  settle();
  return () => {
    alive = false;
    clearTimeout(patience);
    tabs.close();
    cancelAnimationFrame(frame);
    model.off("msg:custom", hear);
    places.disconnect();
    sizes.disconnect();
    theme.disconnect();
    root.remove();
  };
}

export default { initialize, render() {} };
