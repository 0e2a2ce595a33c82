// The tabs: one is open, only that one is told of and drawn. Keys as in the ARIA pattern for tabs.

const TABS = ["curves", "graph", "gradients", "activations", "memory", "time"]; // as in frontend.py

function makeTabs(root, model, words, soon) {
  const list = make("div", "fl-tabs", root);
  list.setAttribute("role", "tablist");
  list.setAttribute("aria-label", words.tabs);
  const say = (message) => model.send({ ...message, page: PAGE });
  const id = `fl-${model.get("key")}-${Math.random().toString(36).slice(2, 8)}`;
  const buttons = {};
  const boxes = {};
  const panels = {};
  const told = new Set(); // tabs that the kernel has spoken of
  for (const tab of TABS) {
    const button = (buttons[tab] = makeButton("fl-tab", list, words[`tab_${tab}`]));
    button.setAttribute("role", "tab");
    button.id = `${id}-${tab}`;
    button.dataset.tab = tab;
    button.setAttribute("aria-controls", `${id}-${tab}-box`);
    const box = (boxes[tab] = make("div", `fl-box-${tab}`, root));
    box.setAttribute("role", "tabpanel");
    box.setAttribute("aria-labelledby", button.id);
    box.id = `${id}-${tab}-box`;
    box.tabIndex = 0;
    box.hidden = tab !== "curves";
    button.addEventListener("click", () => choose(tab));
  }
  panels.graph = makeGraph(boxes.graph, words, say);
  panels.gradients = makeStrips(boxes.gradients, words);
  panels.activations = makeStrips(boxes.activations, words);
  panels.memory = makeMemory(boxes.memory);
  panels.time = makeTimes(boxes.time);

  const tabs = {
    open: "curves",
    box: (tab) => boxes[tab],
    // What the kernel may not have heard yet.
    greet() {
      if (tabs.open !== "curves" && document.visibilityState !== "hidden") {
        say({ t: "open", tab: tabs.open });
        if (tabs.open === "graph") panels.graph.again();
      }
    },
    hear(message) {
      if (message.t === "tab" && panels[message.tab]) {
        told.add(message.tab);
        panels[message.tab].update(message.data);
        if (message.tab === tabs.open) tabs.dirty = true;
        return true;
      }
      if (message.t === "graph" && message.page === PAGE) {
        panels.graph.hear(message);
        return true;
      }
      return false;
    },
    paint(style) {
      const themed = JSON.stringify([style.dark, boxes[tabs.open].clientWidth]);
      if (!tabs.dirty && themed === tabs.themed) return;
      tabs.dirty = false;
      tabs.themed = themed;
      panels[tabs.open].paint(style, true);
    },
    close() {
      document.removeEventListener("visibilitychange", seen);
      sizes.disconnect();
      if (tabs.open !== "curves") say({ t: "open", tab: "" });
    },
  };
  const mark = () => {
    for (const tab of TABS) {
      const is = tab === tabs.open;
      buttons[tab].setAttribute("aria-selected", `${is}`);
      buttons[tab].tabIndex = is ? 0 : -1;
      boxes[tab].hidden = !is;
    }
    root.dataset.tab = tabs.open;
  };
  const choose = (tab) => {
    if (tab === tabs.open) return;
    tabs.open = tab;
    tabs.themed = "";
    mark();
    say({ t: "open", tab: tab === "curves" ? "" : tab });
    soon();
    setTimeout(() => {
      const empty = boxes[tab].querySelector(".fl-empty");
      if (empty && !told.has(tab)) setText(empty, words.no_answer);
    }, NO_ANSWER_MS);
  };
  list.addEventListener("keydown", (event) => {
    const at = TABS.indexOf(tabs.open);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: TABS.length - 1 }[event.key];
    if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    const tab = TABS[(to + TABS.length) % TABS.length];
    choose(tab);
    buttons[tab].focus();
  });
  const seen = () => {
    if (document.visibilityState === "hidden") {
      if (tabs.open !== "curves") say({ t: "open", tab: "" });
    } else tabs.greet();
  };
  document.addEventListener("visibilitychange", seen);
  const sizes = new ResizeObserver(soon);
  sizes.observe(root);
  mark();
  return tabs;
}
