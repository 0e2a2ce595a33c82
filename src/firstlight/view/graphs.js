// The graph of a step: a slider over the looks, the drawing with zoom, what changed, a tree that folds, and a search.
// The kernel draws (graphs.py); here it is moved, searched and read.

const NO_ANSWER_MS = 4000;
const ASK_EVERY_MS = 500; // while it follows the newest look
const ZOOM = 1.25;

function makeGraph(box, words, ask) {
  const empty = make("p", "fl-empty", box);
  const body = make("div", "", box);
  const steps = make("div", "fl-tools", body);
  const earlier = makeButton("fl-tool", steps, "‹", words.earlier);
  const label = make("label", "fl-slider", steps);
  make("span", "", label).textContent = words.step_slider;
  const slider = make("input", "", label);
  slider.type = "range";
  slider.min = 0;
  const later = makeButton("fl-tool", steps, "›", words.later);
  const where = make("output", "fl-where", steps);
  const follow = makeButton("fl-tool fl-follow", steps, words.follow, words.follow_title);
  for (const [node, name] of [[earlier, words.earlier], [later, words.later]]) node.setAttribute("aria-label", name);

  const tools = make("div", "fl-tools", body);
  const search = make("input", "fl-search", tools);
  search.type = "search";
  search.placeholder = words.search_hint;
  search.setAttribute("aria-label", words.search);
  const next = makeButton("fl-tool", tools, "↓", words.next_hit);
  next.setAttribute("aria-label", words.next_hit);
  const hits = make("output", "fl-hits", tools);
  hits.setAttribute("role", "status");
  const zooms = make("span", "fl-zooms", tools);
  const tool = (text, title, act) => {
    const node = makeButton("fl-tool", zooms, text, title);
    node.setAttribute("aria-label", title);
    node.addEventListener("click", act);
    return node;
  };
  tool("−", words.zoom_out, () => zoom(currentScale() / ZOOM));
  tool("+", words.zoom_in, () => zoom(currentScale() * ZOOM));
  tool("⤢", words.zoom_fit, () => zoom(null));
  const coarser = tool("⊟", words.coarser, () => change({ level: shown.coarser }));
  const finer = tool("⊞", words.finer, () => change({ level: shown.finer }));

  const said = make("p", "fl-headline", body);
  said.setAttribute("role", "status");
  const crumbs = make("nav", "fl-crumbs", body);
  const graph = make("div", "fl-graph", body);
  const style = make("div", "", graph);
  const drawing = make("div", "fl-drawing", graph);
  const hover = make("pre", "fl-hover", graph);
  const changes = make("details", "fl-part", graph);
  changes.open = true;
  const changesTitle = make("summary", "", changes);
  const list = make("div", "fl-list", changes);
  const all = make("details", "fl-part", graph);
  all.open = true;
  const allTitle = make("summary", "", all);
  const foldTools = make("div", "fl-tools", all);
  const tree = make("div", "fl-list fl-tree", all);
  const foldAll = (open) => { for (const node of tree.querySelectorAll("details")) node.open = open; };
  makeButton("fl-tool", foldTools, words.unfold_all).addEventListener("click", () => foldAll(true));
  makeButton("fl-tool", foldTools, words.fold_all).addEventListener("click", () => foldAll(false));
  setText(hover, words.hover);

  let looks = [];
  let following = true;
  let wanted = { step: null, within: null, level: null };
  let shown = { step: null, within: null };
  let number = 0; // of the newest question
  let asked = 0; // when; 0 once it is answered
  let timer = 0; // a question that waits for its turn
  let scale = null; // null fits the width
  let found = []; // hits of the search
  let at = -1;

  const index = () => {
    if (following || wanted.step === null) return looks.length - 1;
    let last = 0;
    looks.forEach(([step], i) => { if (step <= wanted.step) last = i; });
    return last;
  };
  const steer = () => {
    const i = index();
    slider.max = Math.max(0, looks.length - 1);
    slider.value = i;
    if (!looks.length) return;
    const [step, operations, changed] = looks[i];
    slider.setAttribute("aria-valuetext", filled(words.step_value, { step, value: operations }));
    setText(where, `${step.toLocaleString("en-US")}  (${i + 1}/${looks.length})${changed ? "  ~" : ""}`);
    follow.setAttribute("aria-pressed", `${following}`);
    earlier.disabled = i === 0;
    later.disabled = i === looks.length - 1;
  };

  const question = () => {
    clearTimeout(timer);
    number += 1;
    asked = performance.now();
    const mine = number;
    ask({ t: "graph", ask: number, ...wanted, step: following ? null : wanted.step });
    timer = setTimeout(() => {
      if (mine === number && asked) setText(said, words.no_answer);
    }, NO_ANSWER_MS);
  };
  const change = (wish) => {
    wanted = { ...wanted, ...wish };
    steer();
    question();
  };
  const move = (to) => {
    const i = Math.min(Math.max(0, to), looks.length - 1);
    if (!looks[i]) return;
    following = false;
    const step = looks[i][0];
    // A call's number is that of one graph: in another it may be another call.
    change({ step, within: null });
    setText(said, filled(words.fetching, { step: step.toLocaleString("en-US") }));
  };
  slider.addEventListener("input", () => move(+slider.value));
  // By ourselves: JupyterLab keeps some arrow keys from doing what they do by default.
  slider.addEventListener("keydown", (event) => {
    const i = index();
    const to = { ArrowLeft: i - 1, ArrowDown: i - 1, ArrowRight: i + 1, ArrowUp: i + 1, PageDown: i - 10, PageUp: i + 10,
                 Home: 0, End: looks.length - 1 }[event.key];
    if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    move(to);
  });
  earlier.addEventListener("click", () => move(index() - 1));
  later.addEventListener("click", () => move(index() + 1));
  follow.addEventListener("click", () => {
    following = true;
    change({ step: null, within: null });
  });

  // The drawing.
  const svg = () => drawing.querySelector("svg");
  const zoom = (to) => {
    const node = svg();
    if (!node) return;
    const [, , width, height] = node.getAttribute("viewBox").split(" ").map(Number);
    const room = drawing.querySelector(".fl-draw").clientWidth - 4;
    scale = to === null ? null : Math.min(4, Math.max(0.1, to));
    const used = scale === null ? Math.min(1, Math.max(0.35, room / width)) : scale;
    node.setAttribute("width", width * used);
    node.setAttribute("height", height * used);
    box.dataset.zoom = used.toFixed(3);
    if (to !== null) scale = used;
  };
  // Larger and smaller begin at what is seen now.
  const currentScale = () => (scale === null ? +box.dataset.zoom || 1 : scale);
  const boxes = () => [...drawing.querySelectorAll("g[data-ops]")];
  const describe = (node) => {
    if (!node) return;
    const more = node.dataset.call !== undefined ? `\n${words.enter_inside}` : "";
    setText(hover, `${node.getAttribute("aria-label") || node.textContent}${more}`);
  };
  const inside = (node) => {
    if (node && node.dataset.call !== undefined) change({ within: +node.dataset.call, level: null });
  };
  const out = () => {
    const list = shown.crumbs || [];
    if (shown.within !== null) change({ within: list.length > 1 ? list[list.length - 2].call : null, level: null });
  };
  drawing.addEventListener("pointerover", (event) => describe(event.target.closest("g[data-ops]")));
  drawing.addEventListener("focusin", (event) => describe(event.target.closest("g[data-ops]")));
  drawing.addEventListener("dblclick", (event) => inside(event.target.closest("g[data-call]")));
  const stop = (node) => {
    for (const one of boxes()) one.setAttribute("tabindex", one === node ? "0" : "-1"); // one stop of the Tab key
  };
  drawing.addEventListener("keydown", (event) => {
    const node = event.target.closest("g[data-ops]");
    const list = boxes();
    const here = list.indexOf(node);
    const go = (to) => {
      const one = list[Math.min(Math.max(0, to), list.length - 1)];
      if (!one) return;
      stop(one);
      one.focus();
      one.scrollIntoView({ block: "nearest", inline: "nearest" });
    };
    const keys = {
      ArrowDown: () => go(here + 1), ArrowRight: () => go(here + 1),
      ArrowUp: () => go(here - 1), ArrowLeft: () => go(here - 1),
      Home: () => go(0), End: () => go(list.length - 1),
      Enter: () => inside(node), " ": () => inside(node),
      Backspace: out, Escape: out,
    };
    if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    keys[event.key]();
  });
  box.addEventListener("keydown", (event) => {
    if (event.target === search || event.ctrlKey || event.metaKey || event.altKey) return;
    const keys = { "+": () => zoom(currentScale() * ZOOM), "=": () => zoom(currentScale() * ZOOM),
                   "-": () => zoom(currentScale() / ZOOM), 0: () => zoom(null), "/": () => search.focus() };
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });

  // The search, and going from a line to its place in tree and drawing.
  const show = (id, focus) => {
    for (const node of graph.querySelectorAll(".fl-at")) node.classList.remove("fl-at");
    const line = tree.querySelector(`[data-op="${id}"]`);
    if (line) {
      for (let up = line.parentElement; up && up !== tree; up = up.parentElement) if (up.tagName === "DETAILS") up.open = true;
      all.open = true;
      line.classList.add("fl-at");
      tree.scrollTop += line.getBoundingClientRect().top - tree.getBoundingClientRect().top - tree.clientHeight / 3;
    }
    const node = boxes().find((one) => one.dataset.ops.split(" ").includes(`${id}`));
    if (node) {
      node.classList.add("fl-at");
      const frame = drawing.querySelector(".fl-draw");
      const [a, b] = [node.getBoundingClientRect(), frame.getBoundingClientRect()];
      frame.scrollTop += a.top - b.top - frame.clientHeight / 3;
      frame.scrollLeft += a.left - b.left - frame.clientWidth / 3;
      describe(node);
      if (focus) {
        stop(node);
        node.focus({ preventScroll: true });
      }
    }
  };
  const look = (step) => {
    const text = search.value.trim().toLocaleLowerCase();
    if (!step) {
      for (const node of graph.querySelectorAll(".fl-hit")) node.classList.remove("fl-hit");
      found = text ? [...tree.querySelectorAll("[data-op]")].filter((line) => {
        const module = line.closest("ul").parentElement.querySelector(":scope > summary");
        return `${line.textContent} ${line.title} ${module ? module.textContent : ""}`.toLocaleLowerCase().includes(text);
      }) : [];
      const ids = new Set(found.map((line) => line.dataset.op));
      for (const line of found) line.classList.add("fl-hit");
      if (ids.size) for (const one of boxes()) if (one.dataset.ops.split(" ").some((id) => ids.has(id))) one.classList.add("fl-hit");
      at = -1;
      step = 1;
    }
    if (!text) {
      setText(hits, "");
      return;
    }
    if (!found.length) {
      setText(hits, words.no_hits);
      return;
    }
    at = (at + step + found.length) % found.length;
    show(found[at].dataset.op, false);
    setText(hits, filled(words.hits, { at: at + 1, count: found.length }));
  };
  search.addEventListener("input", () => look(0));
  search.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Enter") {
      event.preventDefault();
      look(event.shiftKey ? -1 : 1);
    }
  });
  next.addEventListener("click", () => look(1));
  const toOperation = (event) => {
    const line = event.target.closest("[data-op]");
    if (line && (event.type === "click" || event.key === "Enter")) show(line.dataset.op, event.type !== "click");
  };
  list.addEventListener("click", toOperation);
  list.addEventListener("keydown", toOperation);
  tree.addEventListener("click", toOperation);

  const fill = (answer) => {
    shown = answer;
    const parsed = make("template");
    parsed.innerHTML = answer.html;
    const whole = parsed.content.querySelector(".fl-graph");
    const pick = (parent, ...names) => names.flatMap((name) => [...parent.children].filter((one) => one.matches(name)));
    if (!style.firstChild) style.append(...pick(whole, "style"));
    drawing.replaceChildren(...pick(whole, ".fl-draw", ".fl-key", "p:not(.fl-head):not(.fl-key)"));
    tree.replaceChildren(...pick(whole, "ul"));
    setText(allTitle, (whole.querySelector(".fl-head") || {}).textContent || "");
    setText(said, answer.said);
    setText(changesTitle, answer.changes_title);
    parsed.innerHTML = answer.changes;
    const rows = parsed.content.querySelector(".fl-diff");
    list.replaceChildren(...(rows ? [rows] : []));
    for (const line of list.querySelectorAll("[data-op]")) line.tabIndex = 0;
    changes.classList.toggle("fl-none", !rows);
    crumbs.replaceChildren();
    if (answer.crumbs.length) {
      makeButton("fl-crumb", crumbs, words.whole).addEventListener("click", () => change({ within: null, level: null }));
      answer.crumbs.forEach(({ call, title }) => {
        make("span", "", crumbs).textContent = " › ";
        makeButton("fl-crumb", crumbs, title).addEventListener("click", () => change({ within: call, level: null }));
      });
    }
    coarser.disabled = answer.coarser === null;
    finer.disabled = !answer.level || answer.finer === null;
    for (const one of boxes()) one.setAttribute("tabindex", "-1");
    const [first] = boxes();
    if (first) first.setAttribute("tabindex", "0");
    zoom(scale);
    setText(hover, words.hover);
    if (search.value) look(0);
    box.dataset.step = answer.step;
    box.dataset.operations = answer.operations;
    box.dataset.changed = answer.changed;
    steer();
  };

  return {
    update(data) {
      looks = data.looks;
      setText(empty, data.empty);
      empty.hidden = !data.empty;
      body.hidden = !looks.length;
      if (!looks.length) return;
      steer();
      const newest = looks[looks.length - 1][0];
      // Who reads in it with the keyboard, or has begun to search, is not disturbed.
      const busy = graph.contains(document.activeElement) || search.value;
      if (following && shown.step !== newest && !busy && !asked) {
        clearTimeout(timer);
        timer = setTimeout(question, shown.step === null ? 0 : ASK_EVERY_MS);
      }
    },
    hear(answer) {
      if (answer.ask !== number) return;
      asked = 0;
      clearTimeout(timer);
      if (answer.problem) setText(said, answer.problem);
      else fill(answer);
      if (following && looks.length && answer.step !== looks[looks.length - 1][0]) this.update({ looks, empty: "" });
    },
    again() {
      asked = 0;
      if (shown.step === null && looks.length) question();
    },
    paint() {
      if (scale === null) zoom(null);
    },
  };
}
