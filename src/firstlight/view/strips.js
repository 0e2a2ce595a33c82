// Gradients and activations: a row for each layer, a column for each look. panels.py says what stands there.

const ZERO = -99999; // as in panels.py
const BROKEN = 99999;
const WIDEST = 14; // pixels of one look

function makeStrips(box, words) {
  const empty = make("p", "fl-empty", box);
  const body = make("div", "", box);
  const intro = make("div", "fl-intro", body);
  const notable = make("ul", "fl-notable", body);
  const scroll = make("div", "fl-scroll", body);
  const table = make("table", "fl-strips", scroll);
  const head = make("tr", "", make("thead", "", table));
  const rows = make("tbody", "", table);
  const readout = make("p", "fl-readout", body);
  readout.setAttribute("role", "status");
  const keys = make("div", "fl-scales", body);
  let data = null;
  let lines = []; // of each row: its nodes
  let shape = ""; // what the table was made for
  let cursor = null; // {row, strip, column} that is read out
  let dirty = false;

  const ramp = (strip, look) => {
    const theme = look.dark ? "dark" : "light";
    return strip.scale === "log" ? CIVIDIS : strip.scale === "about" ? ABOUT[theme] : SHARE[theme];
  };
  const text = (strip, value) => {
    if (value === null) return words.nothing;
    if (strip.scale === "share") return `${+(value / 10).toFixed(1)}%`;
    if (value === BROKEN) return words.not_finite;
    return value === ZERO ? "0" : shortNumber(10 ** (value / 1000));
  };
  const cell = (canvas) => Math.min(WIDEST, canvas.clientWidth / Math.max(1, data.steps.length));

  const read = (row, strip, column) => {
    const line = data.rows[row];
    const kind = data.strips[strip];
    if (!line || !kind || !data.steps.length) return;
    column = Math.min(Math.max(0, column), data.steps.length - 1);
    cursor = { row, strip, column };
    const value = text(kind, line.values[kind.key][column]);
    const said = filled(words.step_value, { step: data.steps[column].toLocaleString("en-US"), value: `${kind.title} ${value}` });
    setText(readout, `${line.name} · ${said}`);
    dirty = true;
    if (lastLook) paint(lastLook);
  };

  const paintStrip = (canvas, strip, values, look, marked) => {
    const drawn = penFor(canvas);
    if (!drawn) return;
    const { pen, height } = drawn;
    const wide = cell(canvas);
    const colours = ramp(strip, look);
    values.forEach((value, at) => {
      const [x, end] = [Math.round(at * wide), Math.round((at + 1) * wide)];
      const over = wide > 5 ? -1 : 1; // a gap, or no seam on screens with 1.5 pixels for each of ours
      if (value === null) {
        pen.fillStyle = look.axis;
        pen.fillRect(x, height / 2 - 0.5, end - x + over, 1);
        return;
      }
      if (value === BROKEN) {
        pen.fillStyle = look.alarm;
        pen.fillRect(x, 0, end - x + over, height);
        return;
      }
      pen.fillStyle = colourAt(colours, value === ZERO ? 0 : (value - strip.low) / (strip.high - strip.low));
      pen.fillRect(x, 0, end - x + over, height);
      if (value === ZERO) {
        pen.fillStyle = look.paper;
        pen.fillRect(x, height - 4, end - x + over, 2);
      }
    });
    if (marked !== null) {
      pen.strokeStyle = look.ink;
      pen.lineWidth = 2;
      pen.strokeRect(Math.round(marked * wide) + 1, 1, Math.max(3, Math.round(wide) - 2), height - 2);
    }
  };

  let lastLook = null;
  const paint = (look) => {
    lastLook = look;
    if (!data || !dirty) return;
    dirty = false;
    lines.forEach((line, row) => {
      data.strips.forEach((strip, at) => {
        const here = cursor && cursor.row === row && cursor.strip === at && box.matches(":focus-within, :hover");
        paintStrip(line.canvases[at], strip, data.rows[row].values[strip.key], look, here ? cursor.column : null);
      });
    });
    for (const [canvas, strip] of scales) {
      const drawn = penFor(canvas);
      if (!drawn) continue;
      for (let x = 0; x < drawn.width; x++) {
        drawn.pen.fillStyle = colourAt(ramp(strip, look), x / drawn.width);
        drawn.pen.fillRect(x, 0, 2, drawn.height); // overlapping: screens with 1.5 pixels for each of ours
      }
    }
  };

  // One stop of the Tab key for the whole table; arrows go on from there.
  const go = (row, strip, column) => {
    row = Math.min(Math.max(0, row), lines.length - 1);
    strip = Math.min(Math.max(0, strip), data.strips.length - 1);
    for (const line of lines) for (const canvas of line.canvases) canvas.tabIndex = -1;
    const canvas = lines[row].canvases[strip];
    canvas.tabIndex = 0;
    canvas.focus();
    read(row, strip, column);
  };
  rows.addEventListener("keydown", (event) => {
    if (!cursor || !event.target.matches("canvas")) return;
    const { row, strip, column } = cursor;
    const last = data.steps.length - 1;
    const moves = {
      ArrowLeft: () => (column > 0 || !strip ? go(row, strip, column - 1) : go(row, strip - 1, last)),
      ArrowRight: () => (column < last || strip + 1 === data.strips.length ? go(row, strip, column + 1) : go(row, strip + 1, 0)),
      ArrowUp: () => go(row - 1, strip, column),
      ArrowDown: () => go(row + 1, strip, column),
      Home: () => go(row, strip, 0),
      End: () => go(row, strip, last),
    };
    if (!moves[event.key]) return;
    event.preventDefault();
    event.stopPropagation();
    moves[event.key]();
  });

  const scales = [];
  const build = () => {
    intro.replaceChildren(...data.intro.map((said) => Object.assign(make("p"), { textContent: said })));
    head.replaceChildren();
    const columns = ["name", ...Object.keys(data.rows[0].now)];
    for (const column of columns) {
      const strip = data.strips.find((one) => one.key === column);
      const title = make("th", "", head);
      title.scope = "col";
      title.textContent = data.head[column];
      if (strip) {
        title.className = "fl-of-strip"; // the strip and its newest number
        const now = make("th", "fl-number", head);
        now.scope = "col";
        now.textContent = data.head.now;
      } else if (column !== "name") title.className = "fl-number";
    }
    rows.replaceChildren();
    lines = data.rows.map((line, row) => {
      const nodes = { canvases: [], now: {}, remark: null };
      const tr = make("tr", "", rows);
      const name = make("th", "", tr);
      name.scope = "row";
      make("span", "fl-sign", name);
      make("code", "", name).textContent = line.name;
      make("small", "", name).textContent = line.detail;
      nodes.name = name;
      for (const column of columns.slice(1)) {
        const at = data.strips.findIndex((one) => one.key === column);
        if (at >= 0) {
          const canvas = make("canvas", "", make("td", "fl-of-strip", tr));
          canvas.setAttribute("role", "img");
          canvas.tabIndex = row === 0 && at === 0 ? 0 : -1;
          const hit = (event) => {
            const column = Math.floor((event.clientX - canvas.getBoundingClientRect().left) / cell(canvas));
            if (column < data.steps.length) read(row, at, column);
          };
          canvas.addEventListener("pointermove", hit);
          canvas.addEventListener("pointerdown", hit);
          canvas.addEventListener("focus", () => {
            if (!cursor || cursor.row !== row || cursor.strip !== at) read(row, at, data.steps.length - 1);
          });
          nodes.canvases[at] = canvas;
        }
        nodes.now[column] = make("td", "fl-number", tr);
      }
      return nodes;
    });
    keys.replaceChildren();
    scales.length = 0;
    for (const strip of data.strips) {
      const scale = make("span", "fl-scale", keys);
      make("span", "", scale).textContent = strip.title;
      const ends = strip.ends;
      make("span", "", scale).textContent = ends[0];
      const canvas = make("canvas", "", scale);
      canvas.setAttribute("aria-hidden", "true");
      scales.push([canvas, strip]);
      make("span", "", scale).textContent = ends.length > 2 ? `${ends[ends.length - 1]}` : ends[1];
    }
    make("span", "fl-keys", keys).textContent = words.strip_keys;
  };

  const update = (news) => {
    data = news;
    setText(empty, data.empty);
    empty.hidden = !data.empty;
    body.hidden = !data.rows.length;
    if (!data.rows.length) return;
    const now = JSON.stringify([data.rows.map((row) => [row.name, row.detail]), data.strips, data.intro]);
    if (now !== shape) {
      build();
      shape = now;
    }
    notable.replaceChildren(...data.notable.map((said) => Object.assign(make("li"), { textContent: said })));
    data.rows.forEach((line, row) => {
      const nodes = lines[row];
      setText(nodes.name.firstChild, line.sign);
      nodes.name.firstChild.title = line.said;
      nodes.name.title = line.said;
      for (const [column, value] of Object.entries(line.now)) setText(nodes.now[column], value);
      data.strips.forEach((strip, at) => {
        const known = line.values[strip.key];
        const first = filled(words.step_value, { step: data.steps[0], value: text(strip, known[0]) });
        const last = filled(words.step_value, { step: data.steps[data.steps.length - 1], value: text(strip, known[known.length - 1]) });
        nodes.canvases[at].setAttribute("aria-label", `${line.name}, ${strip.title}: ${first}; ${last}${line.said ? `; ${line.said}` : ""}`);
      });
    });
    if (cursor && !lines[cursor.row]) cursor = null;
    dirty = true;
  };
  return { update, paint: (look, again) => { dirty = dirty || again; paint(look); } };
}
