// What firstlight adds to a page of JupyterLab or Notebook 7: an extension without a build step. home.py copies this
// file into the folder of each lab.
//
// - A notebook that is opened while its kernel runs shows what the cells have printed so far, and follows them:
//   the server tells what it has heard (keeping.py), and the kernel's messages reach every page.
// - A notebook is saved a few seconds after it changes, and when a cell starts or ends; what changes while it is being
//   saved is saved after that.
// - Why a kernel ended is shown below the cell that ran, with buttons for what to do next (deaths.py).

const DEATH = "application/vnd.firstlight.death+json";
const SAVE_MS = 3000; // after a change
const SLOW_MS = 6000; // where saving takes long
const SOON_MS = 500; // after a cell was started or has ended
const AGAIN_MS = 30000; // after a failure, which has said what to do: not every few seconds
const LOOK_MS = 500;
const TURN_MS = 20000; // the longest that a save waits for another, which may hang, as on a network that is gone

let scope;

async function shared(name) {
  const versions = Object.values(scope[name] ?? {});
  if (!versions.length) throw new Error(`firstlight: this page has no ${name}`);
  return (await versions[0].get())();
}

// The cells of one notebook that run without this page having started them.
class Follower {
  constructor(panel, services) {
    this.panel = panel;
    this.services = services;
    this.own = new Set(); // requests of this page: JupyterLab follows them itself
    this.followed = new Map(); // by request: { cell, future, newest, count }
    this.explained = new Set(); // deaths of kernels that this page has shown
    this.waiting = null; // messages that arrive before the server has answered
    panel.sessionContext.kernelChanged.connect(() => this.join());
    this.joined = false;
    let apart = false;
    panel.sessionContext.connectionStatusChanged.connect((_, status) => {
      if (status !== "connected") apart = this.joined;
      else if (apart) {
        apart = false;
        this.join(true);
      }
    });
    panel.context.ready.then(() => this.join());
  }

  // `again`: the same kernel after the network, or the computer, slept. What was said meanwhile may not have come.
  async join(again = false) {
    const kernel = this.panel.sessionContext.session?.kernel;
    if (!kernel || (kernel === this.kernel) !== again) return;
    this.waiting = [];
    this.joined = false;
    if (!again) {
      this.kernel = kernel;
      this.followed.clear();
      kernel.anyMessage.connect((_, { msg, direction }) => this.hear(msg, direction));
      kernel.statusChanged.connect((_, status) => {
        if (status.endsWith("restarting") || status === "dead") this.leave();
      });
    }
    await this.panel.context.ready;
    await this.panel.revealed;
    const { executions, death } = await this.ask(kernel, kernel.clientId);
    executions.forEach((execution) => this.take(execution, again));
    if (this.own.has(death?.message)) this.show(death); // the kernel ended before the server answered
    else if (death) this.explained.add(death.id); // it stands among the outputs
    const waiting = this.waiting ?? [];
    this.waiting = null;
    waiting.forEach((message) => this.route(message));
    this.joined = true;
  }

  // With its own name, this page is told when it hears the kernel by itself: what is said later then comes here too.
  async ask(kernel, page = "") {
    const { ServerConnection } = this.services;
    const settings = kernel.serverSettings;
    const url = `${settings.baseUrl}firstlight/api/outputs/${kernel.id}?page=${encodeURIComponent(page)}`;
    for (let attempt = 0; attempt < 10; attempt += 1) {
      try {
        const response = await ServerConnection.makeRequest(url, {}, settings);
        if (response.ok) return await response.json();
      } catch (error) {
        console.warn("firstlight: the server does not answer", error);
      }
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
    return { executions: [], death: null };
  }

  take(execution, again) {
    const cell = this.panel.content.widgets.find((one) => one.model.id === execution.cell);
    if (cell?.model.type !== "code") return;
    if (again) {
      // Of a cell whose end this page has heard it has all; what still waits will be told to it.
      if (cell.model.executionState !== "running" || execution.state === "waiting") return;
      this.own.delete(execution.message);
    } else if (this.own.has(execution.message)) return;
    const shows = execution.outputs.some((output) => output.transient?.display_id); // may be drawn anew by later cells
    if (!again && !execution.fresh && !(shows && cell.model.outputs.length === execution.outputs.length)) return;
    const nothing = () => {};
    const followed = { cell, newest: execution.newest, count: execution.count, state: execution.state };
    followed.future = {
      msg: { header: { msg_id: execution.message } },
      done: new Promise(nothing),
      dispose: () => this.followed.delete(execution.message), // the cell was run anew
      registerMessageHook: nothing,
      removeMessageHook: nothing,
    };
    cell.outputArea.future = followed.future; // it puts in what is to be done with messages, as for a run of its own
    cell.model.trusted = true;
    for (const output of execution.outputs) {
      followed.future.onIOPub({ header: { msg_type: output.output_type }, content: output });
    }
    this.followed.set(execution.message, followed);
    if (execution.state === "done") this.done(followed);
    else {
      cell.model.executionCount = null;
      cell.model.executionState = "running";
    }
  }

  hear(message, direction) {
    if (direction === "send") {
      if (message.header.msg_type === "execute_request") this.own.add(message.header.msg_id);
    } else if (message.channel === "iopub") {
      if (this.waiting) this.waiting.push(message);
      else this.route(message);
    }
  }

  route(message) {
    const kind = message.header.msg_type;
    if (kind === "update_display_data") {
      for (const { future } of [...this.followed.values()]) future.onIOPub(message); // each knows its own places
    } else {
      const followed = this.followed.get(message.parent_header?.msg_id);
      if (!followed || String(message.header.date) <= followed.newest) return;
      if (kind === "execute_input") followed.count = message.content.execution_count;
      else if (kind === "status" && message.content.execution_state === "idle") this.done(followed);
      else followed.future.onIOPub(message);
    }
  }

  done(followed) {
    followed.state = "done";
    followed.cell.model.executionState = "idle";
    followed.cell.model.executionCount = followed.count;
  }

  leave() {
    for (const followed of this.followed.values()) if (followed.state !== "done") this.done(followed);
    this.followed.clear();
    this.explain();
  }

  // Asked for, not sent as a message of the kernel: JupyterLab drops those that still wait when it hears of a restart.
  async explain() {
    const { death } = await this.ask(this.kernel);
    if (death) this.show(death);
  }

  show(death) {
    if (this.explained.has(death.id)) return;
    this.explained.add(death.id);
    const cell = this.panel.content.widgets.find((one) => one.model.id === death.cell);
    if (cell?.model.type !== "code") return;
    cell.model.trusted = true;
    cell.model.outputs.add({ data: death.data, metadata: {}, output_type: "display_data" });
  }
}

// JupyterLab asks whose a file is that changed since it was read: also what this page has just written itself, where a
// save begins before another one is through. So a save waits for the one that is on its way, and stands for all that
// were asked for meanwhile; where the person has been asked and said no, they are not asked again.
const inTurn = new WeakSet();
function saveInTurn(context) {
  if (inTurn.has(context)) return; // of another view of the same notebook
  inTurn.add(context);
  const save = context.save.bind(context);
  let running = null; // the save that is on its way; tells in the end whether the person said no
  let next = null;
  const start = () => {
    const saved = save();
    const ended = saved.then(() => null, (error) => (error?.name === "ModalCancelError" ? error : null));
    running = ended;
    ended.then(() => {
      if (running === ended) running = null;
    });
    return saved;
  };
  context.save = () => {
    if (!running && !next) return start();
    next ??= Promise.race([running, new Promise((go) => setTimeout(go, TURN_MS, null))]).then((refused) => {
      next = null;
      if (refused) throw refused;
      return context.isDisposed ? undefined : start();
    });
    return next;
  };
}

// Saves one notebook. JupyterLab's own timer goes on beside it, slower; switched off there, it is off here.
function keepSaved(panel, NotebookActions, documents) {
  const context = panel.context;
  let due = 0;
  let pause = SAVE_MS;
  let busy = false;
  const hasten = (_, { notebook }) => {
    if (notebook === panel.content) due = Math.min(due || Infinity, Date.now() + SOON_MS);
  };
  const save = async () => {
    const begun = Date.now();
    busy = true;
    due = 0;
    try {
      await context.save();
      pause = Math.min(SLOW_MS, Math.max(SAVE_MS, 3 * (Date.now() - begun)));
    } catch {
      due = Date.now() + AGAIN_MS;
    }
    busy = false;
  };
  // JupyterLab takes what changes while a save is on its way for saved, though that save no longer took it along.
  let changed = false;
  context.model.contentChanged.connect(() => {
    changed = true;
  });
  context.saveState.connect((_, state) => {
    if (state === "started") changed = false;
    else if (changed && state.startsWith("completed")) context.model.dirty = true;
  });
  const timer = setInterval(() => {
    if (busy || !context.isReady || documents?.autosave === false || !context.model?.dirty || !context.canSave) return;
    due = due || Date.now() + pause;
    if (Date.now() >= due) save();
  }, LOOK_MS);
  NotebookActions.executionScheduled.connect(hasten);
  NotebookActions.executed.connect(hasten);
  panel.disposed.connect(() => {
    clearInterval(timer);
    NotebookActions.executionScheduled.disconnect(hasten);
    NotebookActions.executed.disconnect(hasten);
  });
}

function deathRenderer(Widget, app, tracker) {
  const run = (node, code) => {
    const panel = tracker.find((one) => one.node.contains(node));
    if (!panel) return;
    const index = panel.content.widgets.findIndex((cell) => cell.node.contains(node)) + 1;
    panel.model.sharedModel.insertCell(index, { cell_type: "code", source: code });
    panel.content.activeCellIndex = index;
    app.commands.execute("notebook:run-cell");
  };
  return class extends Widget {
    constructor(mime) {
      super();
      this.mime = mime;
    }

    async renderModel(model) {
      const told = model.data[this.mime];
      const add = (parent, tag, text) => {
        const node = document.createElement(tag);
        node.textContent = text;
        return parent.appendChild(node);
      };
      this.node.replaceChildren();
      this.node.className = "fl-death";
      this.node.setAttribute("role", "alert");
      this.node.style.cssText =
        "border-left: 4px solid var(--jp-error-color1); padding: 4px 12px; font-family: var(--jp-content-font-family)";
      told.sentences.forEach((text, index) => add(add(this.node, "p", ""), index ? "span" : "strong", text));
      for (const { label, code } of told.actions) {
        const button = add(this.node, "button", label);
        button.type = "button";
        button.className = "jp-mod-styled jp-mod-accept";
        button.title = code;
        button.onclick = () => run(this.node, code);
      }
      if (told.words) {
        const details = add(this.node, "details", "");
        add(details, "summary", told.words_title);
        add(details, "pre", told.words);
      }
    }
  };
}

async function plugin() {
  const { INotebookTracker, NotebookActions } = await shared("@jupyterlab/notebook");
  const { IRenderMimeRegistry } = await shared("@jupyterlab/rendermime");
  const { IDocumentManager } = await shared("@jupyterlab/docmanager");
  const services = await shared("@jupyterlab/services");
  const { Widget } = await shared("@lumino/widgets");
  return {
    id: "firstlight:survive",
    autoStart: true,
    requires: [INotebookTracker, IRenderMimeRegistry],
    optional: [IDocumentManager],
    activate: (app, tracker, rendermime, documents) => {
      const Death = deathRenderer(Widget, app, tracker);
      const factory = { safe: true, mimeTypes: [DEATH], createRenderer: ({ mimeType }) => new Death(mimeType) };
      rendermime.addFactory(factory, 0);
      const attend = (panel) => {
        new Follower(panel, services);
        saveInTurn(panel.context);
        keepSaved(panel, NotebookActions, documents);
      };
      tracker.forEach(attend);
      tracker.widgetAdded.connect((_, panel) => attend(panel));
    },
  };
}

window._JUPYTERLAB = window._JUPYTERLAB ?? {};
window._JUPYTERLAB.firstlight = {
  init: async (given) => {
    scope = given;
  },
  get: async () => {
    const found = await plugin();
    return () => ({ __esModule: true, default: found });
  },
};
