// Memory and time: bars with their numbers beside them. panels.py says what stands there.

const PHASE_COLOURS = {
  light: { data: "#80868b", forward: "#0072b2", backward: "#d98a00", optimizer: "#008764", other: "#c5cad0", before: "#80868b", after: "#c5cad0" },
  dark: { data: "#a5abb1", forward: "#56b4e9", backward: "#f0b045", optimizer: "#3ccfa5", other: "#5b6269", before: "#a5abb1", after: "#5b6269" },
};
const PART_COLOURS = {
  light: { parameters: "#0072b2", gradients: "#d98a00", state: "#008764", saved: "#b2588f" },
  dark: { parameters: "#56b4e9", gradients: "#f0b045", state: "#3ccfa5", saved: "#d98abb" },
};

function cells(row, tag, ...texts) {
  return texts.map((text, at) => {
    const cell = make(at === 0 && tag === "td" ? "th" : tag, at ? "fl-number" : "", row);
    if (cell.tagName === "TH") cell.scope = tag === "th" ? "col" : "row";
    cell.textContent = text;
    return cell;
  });
}

function makeMemory(box) {
  const empty = make("p", "fl-empty", box);
  const body = make("div", "", box);
  const said = make("p", "fl-headline", body);
  const intro = make("div", "fl-intro", body);
  const title = make("h4", "", body);
  const canvas = make("canvas", "fl-memory-curve", body);
  canvas.setAttribute("role", "img");
  const phases = make("p", "fl-legends", body);
  const heading = make("h4", "", body);
  const table = make("table", "fl-bars", body);
  let data = null;

  const update = (news) => {
    data = news;
    setText(empty, data.empty);
    empty.hidden = !data.empty;
    body.hidden = data.peak === null;
    if (data.peak === null) return;
    box.dataset.peak = data.peak;
    setText(said, data.said);
    intro.replaceChildren(...data.intro.map((one) => Object.assign(make("p"), { textContent: one })));
    setText(title, data.titles.curve);
    setText(heading, data.titles.bars);
    canvas.hidden = !data.curve.length;
    title.hidden = !data.curve.length;
    canvas.setAttribute("aria-label", `${data.titles.curve}: ${data.phases.map((p) => `${p.title} ${p.text}`).join(", ")}. ${data.said}`);
    phases.replaceChildren();
    for (const phase of data.phases) {
      const item = make("span", "fl-key", phases);
      make("span", "fl-swatch", item).dataset.phase = phase.key;
      make("span", "", item).textContent = `${phase.title} · ${data.titles.peak} `;
      make("b", "", item).textContent = phase.text;
    }
    table.replaceChildren();
    cells(make("tr", "", make("thead", "", table)), "th", data.titles.part, "", data.titles.bytes);
    const rows = make("tbody", "", table);
    let group = "";
    for (const part of data.parts) {
      if (part.group === "saved" && group !== "saved") {
        const row = make("tr", "fl-group", rows);
        const cell = make("th", "", row);
        cell.colSpan = 3;
        cell.scope = "rowgroup";
        cell.textContent = data.titles.saved;
      }
      group = part.group;
      const row = make("tr", "", rows);
      const [name, bar] = cells(row, "td", part.name, "", part.text);
      if (part.group === "saved") name.classList.add("fl-inner");
      bar.className = "fl-of-bar";
      const fill = make("div", "fl-fill-bar", bar);
      fill.dataset.part = part.group;
      fill.style.width = `${Math.max(0.4, 100 * part.share)}%`;
    }
  };

  const paint = (look) => {
    if (!data || data.peak === null) return;
    const theme = look.dark ? "dark" : "light";
    for (const node of box.querySelectorAll("[data-part]")) node.style.background = PART_COLOURS[theme][node.dataset.part];
    for (const node of box.querySelectorAll("[data-phase]")) node.style.background = PHASE_COLOURS[theme][node.dataset.phase];
    const drawn = data.curve.length ? penFor(canvas) : null;
    if (!drawn) return;
    const { pen, width, height } = drawn;
    const most = Math.max(data.peak, ...data.curve.map(([, bytes]) => bytes), 1);
    const [left, right, top, bottom] = [8, width - 8, 22, height - 22];
    const X = (at) => left + ((right - left) * at) / Math.max(1, data.curve.length - 1);
    const Y = (bytes) => bottom - ((bottom - top) * bytes) / most;
    pen.font = `11px ${look.font}`;
    for (let from = 0; from < data.curve.length; ) {
      const phase = data.curve[from][0];
      let end = from;
      while (end + 1 < data.curve.length && data.curve[end + 1][0] === phase) end += 1;
      const stop = Math.min(end + 1, data.curve.length - 1);
      pen.fillStyle = PHASE_COLOURS[theme][phase] || look.axis;
      pen.globalAlpha = 0.22;
      pen.beginPath();
      pen.moveTo(X(from), bottom);
      for (let at = from; at <= stop; at++) pen.lineTo(X(at), Y(data.curve[at][1]));
      pen.lineTo(X(stop), bottom);
      pen.fill();
      pen.globalAlpha = 1;
      pen.strokeStyle = pen.fillStyle;
      pen.lineWidth = 2;
      pen.beginPath();
      for (let at = from; at <= stop; at++) pen.lineTo(X(at), Y(data.curve[at][1]));
      pen.stroke();
      const name = data.phase_titles[phase] || phase;
      if (pen.measureText(name).width < X(stop) - X(from) + 8) {
        pen.fillStyle = look.faint;
        pen.textAlign = "center";
        pen.textBaseline = "top";
        pen.fillText(name, Math.min(Math.max((X(from) + X(stop)) / 2, 30), right - 22), bottom + 6);
      }
      from = end + 1;
    }
    pen.strokeStyle = look.axis;
    pen.lineWidth = 1;
    pen.setLineDash([4, 4]);
    pen.beginPath();
    pen.moveTo(left, Y(data.peak));
    pen.lineTo(right, Y(data.peak));
    pen.stroke();
    pen.setLineDash([]);
    pen.fillStyle = look.ink;
    pen.textAlign = "left";
    pen.textBaseline = "bottom";
    pen.fillText(`${data.titles.peak} ${data.peak_text}`, left, Y(data.peak) - 3);
  };
  return { update, paint };
}

function makeTimes(box) {
  const empty = make("p", "fl-empty", box);
  const body = make("div", "", box);
  const said = make("div", "fl-headline", body);
  const bar = make("div", "fl-shares", body);
  bar.setAttribute("role", "img");
  const table = make("table", "fl-bars", body);

  const update = (data) => {
    setText(empty, data.empty);
    empty.hidden = !data.empty;
    body.hidden = !data.phases.length;
    if (!data.phases.length) return;
    said.replaceChildren(...data.said.map((one) => Object.assign(make("p"), { textContent: one })));
    bar.setAttribute("aria-label", data.phases.map((phase) => `${phase.title} ${phase.share_text}`).join(", "));
    bar.replaceChildren();
    table.replaceChildren();
    cells(make("tr", "", make("thead", "", table)), "th", data.titles.phase, data.titles.share, data.titles.time);
    const rows = make("tbody", "", table);
    for (const phase of data.phases) {
      const part = make("div", "", bar);
      part.dataset.phase = phase.key;
      part.style.flexGrow = phase.share;
      part.title = `${phase.title} ${phase.share_text}, ${phase.text}`;
      if (phase.share > 0.12) make("span", "", part).textContent = phase.title;
      const row = make("tr", "", rows);
      row.dataset.share = phase.share;
      const [name] = cells(row, "td", phase.title, phase.share_text, phase.text);
      const swatch = make("span", "fl-swatch");
      swatch.dataset.phase = phase.key;
      name.prepend(swatch);
    }
    cells(make("tr", "", make("tfoot", "", table)), "td", data.titles.all, "", data.total);
  };
  const paint = (look) => {
    const theme = look.dark ? "dark" : "light";
    for (const node of box.querySelectorAll("[data-phase]")) node.style.background = PHASE_COLOURS[theme][node.dataset.phase];
  };
  return { update, paint };
}
