// Small things that all parts of the view use: nodes, buttons, canvases, numbers, colours.

function make(tag, name, parent) {
  const node = document.createElement(tag);
  if (name) node.className = name;
  if (parent) parent.append(node);
  return node;
}

function makeButton(name, parent, text, title) {
  const node = make("button", name, parent);
  node.type = "button";
  node.textContent = text;
  if (title) node.title = title;
  return node;
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text; // an unchanged text is not announced again
}

// A pen for a canvas of its present size, in CSS pixels; nothing where it is not to be seen.
function penFor(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  if (!width || !height) return null;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  return { pen, width, height };
}

// As words.short in words.py.
function shortNumber(value) {
  if (value === 0 || !Number.isFinite(value)) return `${value}`;
  if (Math.abs(value) >= 1e-3 && Math.abs(value) < 1e5) return `${+value.toPrecision(2)}`;
  const [mantissa, exponent] = value.toExponential(1).split("e");
  return `${+mantissa}e${+exponent}`;
}

function filled(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? values[name] : whole));
}

// Told apart by colour-blind eyes, and by lightness alone: cividis (Nuñez, Anderton and Renslow 2018), and blue to orange.
const CIVIDIS = [[0, 32, 76], [60, 77, 110], [124, 123, 120], [185, 172, 112], [255, 233, 69]];
const ABOUT = {
  light: [[0, 90, 160], [120, 178, 218], [232, 234, 237], [238, 167, 100], [196, 78, 0]],
  dark: [[86, 180, 233], [47, 100, 140], [62, 68, 74], [160, 96, 34], [255, 163, 77]],
};
const SHARE = {
  light: [[232, 238, 243], [150, 190, 218], [60, 135, 188], [0, 90, 150], [0, 48, 92]],
  dark: [[44, 52, 59], [38, 84, 118], [46, 128, 178], [96, 180, 230], [205, 235, 255]],
};

function colourAt(ramp, share) {
  const at = Math.min(0.9999, Math.max(0, share)) * (ramp.length - 1);
  const [a, b] = [ramp[Math.floor(at)], ramp[Math.floor(at) + 1]];
  const part = at % 1;
  return `rgb(${a.map((one, i) => Math.round(one + (b[i] - one) * part)).join(",")})`;
}
