// Explorable figures: one module with two lives. In a saved page, boot() finds the figure and its measurements;
// in a running notebook, anywidget calls render() with a model that Python hears. No request leaves the page.
// Each kind is a function of the figure's data and of what it needs from the page, and returns its parts.

const STYLE = `
:host { display: block; }
.vx { margin: 4px 0; font-size: 14px; line-height: 1.4; color: inherit; max-width: 940px; }
.row { display: flex; flex-wrap: wrap; gap: 12px 24px; align-items: flex-start; }
.main { flex: 1 1 270px; max-width: 448px; min-width: 0; }
.side { flex: 1 1 250px; max-width: 448px; min-width: 0; }
.main.only { max-width: 600px; }
.hint { margin: 0 0 8px; opacity: 0.8; } .question { margin: 0 0 4px; font-size: 17px; font-weight: 600; }
.say { margin: 10px 0 0; min-height: 2.8em; max-width: 62ch; font-variant-numeric: tabular-nums; }
.stage { position: relative; overflow: hidden; border-radius: 6px; background: #8883; touch-action: none;
  user-select: none; -webkit-user-select: none; cursor: crosshair; }
.stage > * { position: absolute; left: 0; top: 0; width: 100%; height: 100%; pointer-events: none; }
.grey { filter: grayscale(1); }
:focus-visible { outline: 3px solid #2f81f7; outline-offset: 2px; box-shadow: 0 0 0 2px #fff; }
.stage > .patch { box-shadow: 0 0 0 1.5px #fff, 0 0 0 3px #0009; border-radius: 2px; }
.stage > .spot { width: 18px; height: 18px; margin: -9px; border: 2px solid #fff; border-radius: 50%;
  box-shadow: 0 0 0 1.5px #000c, inset 0 0 0 1.5px #000c; box-sizing: border-box; }
.stage > .peak { background: #e66100; } .stage svg { overflow: visible; }
.bars { display: grid; grid-template-columns: minmax(0, auto) minmax(60px, 1fr) auto; gap: 2px 10px;
  align-items: center; font-variant-numeric: tabular-nums; }
.bars button { all: unset; display: grid; grid-template-columns: subgrid; grid-column: 1 / -1; align-items: center;
  cursor: pointer; border-radius: 4px; }
.bars .name { padding: 3px 6px; border-radius: 4px; overflow-wrap: anywhere; display: flex; gap: 8px;
  align-items: center; }
.bars button:focus-visible { outline: 3px solid #2f81f7; }
.bars [aria-pressed=true] .name { background: #e6610026; box-shadow: inset 3px 0 #e66100; }
.bars .track { position: relative; height: 14px; border-radius: 3px; background: #8883; }
.bars .fill { position: absolute; top: 0; bottom: 0; border-radius: 3px; background: #e66100; }
.bars .fill.minus { background: #8467c9; }
.bars .mark { position: absolute; top: -3px; bottom: -3px; width: 2px; margin-left: -1px; background: currentColor; }
.bars .value { text-align: right; } .bars canvas { width: 44px; border-radius: 3px; flex: none; }
.tools { display: flex; flex-wrap: wrap; gap: 8px; margin-top: 10px; align-items: center; }
.tools button { font: inherit; color: inherit; background: #8882; border: 1px solid #8888; border-radius: 6px;
  padding: 5px 12px; min-height: 32px; cursor: pointer; }
.tools button:hover { background: #8884; } .tools button[aria-pressed=true] { background: #e6610033; }
input[type=range] { flex: 1 1 140px; width: 100%; min-width: 0; height: 28px; margin: 0; accent-color: #e66100; }
.corner { font-size: 13px; color: #fff; background: #000a; padding: 1px 8px; border-radius: 4px; width: auto !important;
  height: auto !important; margin: 8px; } .corner.right { left: auto !important; right: 0; }
.stage > .seam { width: 3px; margin-left: -1.5px; background: #fff; box-shadow: 0 0 0 1px #0008; }
.stage > .chosen { outline: 3px solid #e66100; outline-offset: -1px; box-shadow: 0 0 0 1px #fff; }
.stage.wiper { cursor: ew-resize; touch-action: pan-y; } .stage.large { cursor: default; touch-action: auto; }
.grip { position: absolute; top: 50%; left: 50%; transform: translate(-50%, -50%); background: #fff; color: #222;
  border-radius: 50%; width: 28px; height: 28px; line-height: 28px; text-align: center; box-shadow: 0 0 0 1px #0006; }
.near { display: grid; grid-template-columns: repeat(4, minmax(0, 1fr)); gap: 8px; align-items: start; }
.near button { all: unset; cursor: pointer; font-size: 12px; line-height: 1.2; overflow-wrap: anywhere; border-radius: 6px; }
.near button:focus-visible { outline: 3px solid #2f81f7; } .near canvas { display: block; width: 100%; border-radius: 6px; margin-bottom: 2px; }
.pixels { image-rendering: pixelated; } .large { display: block; width: 100%; max-width: 300px; border-radius: 6px; }
.key { display: flex; flex-wrap: wrap; justify-content: space-between; font-size: 12px; margin-top: 10px; opacity: 0.85; }
.key .strip { flex: 1 0 100%; height: 9px; border-radius: 3px; margin-bottom: 2px; }
.curve { display: block; width: 100%; height: auto; touch-action: pan-y; cursor: ew-resize; margin-top: 8px; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 16px; font-variant-numeric: tabular-nums; }
.legend i { display: inline-block; width: 10px; height: 10px; border-radius: 50%; margin-right: 6px; }
.caption { margin: 0 0 4px; font-size: 16px; font-weight: 600; min-height: 1.4em; }
.answer img { max-width: 100%; display: block; margin-top: 8px; border-radius: 6px; }
@media (prefers-reduced-motion: no-preference) { .bars .fill { transition: left .08s, right .08s; } }
`;
const SERIES = ["#e66100", "#8467c9", "#16908c", "#c2407a", "#777"];
const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
const KINDS = {}; // kinds/*.js add themselves: (figure, page) => {hint, main, side}
const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

// ------------------------------------------------------------------------------------------ the two lives

export async function render({ model, el }) {
  const figure = model.get("figure");
  const [photo, sprite, pictures] = await Promise.all(
    [figure.photo, figure.sprite && model.get("still"), figure.pictures?.src].map((source) => source && load(source)),
  );
  const say = node("p", { class: "say", role: "status" });
  const answer = node("div", { class: "answer" });
  const page = {
    photo, sprite, pictures,
    start: model.get("place") ?? {},
    say: (words) => (say.textContent = words),
    tell: teller(model),
    heard: (show) => model.on("change:answer", () => model.get("answer").numbers && show(model.get("answer").numbers)),
  };
  const { hint, main, side = [] } = KINDS[figure.kind](figure, page);
  const question = figure.question ? [node("p", { class: "question" }, figure.question)] : [];
  const columns = side.length
    ? [node("div", { class: "main" }, ...main), node("div", { class: "side" }, ...side, say, answer)]
    : [node("div", { class: "main only" }, ...main, say, answer)];
  const whole = node("div", { class: "vx", role: "group", "aria-label": figure.alt },
    ...question, node("p", { class: "hint" }, hint), node("div", { class: "row" }, ...columns));
  model.on("change:answer", () => {
    const { words, picture, alt } = model.get("answer");
    if (words) page.say(words);
    if (picture) answer.replaceChildren(node("img", { src: picture, alt }));
  });
  el.dataset.lmSuppressShortcuts = "true"; // JupyterLab leaves the arrow keys to the figure
  el.attachShadow({ mode: "open" }).append(node("style", {}, STYLE), whole); // hides the still picture beneath
  if (model.get("hides")) el.append(node("style", {}, `.${model.get("hides")} { display: none }`));
}

function boot(name) { // without a kernel: the page holds everything
  for (const el of document.querySelectorAll(`[data-vizlib="${name}"]`)) {
    if (el.shadowRoot || el.dataset.alive) continue;
    el.dataset.alive = "true"; // it may be shown twice on a page
    const figure = JSON.parse(el.querySelector("script").textContent);
    const values = { figure, still: el.querySelector("img").src };
    render({ el, model: { get: (key) => values[key], set() {}, save_changes() {}, on() {} } });
  }
}

function teller(model) { // tells Python where the reader is: one message on its way, the newest place waits
  let busy = false, waiting = null, count = 0;
  const send = () => {
    busy = model.get("asks");
    model.set("place", { ...waiting, count: ++count });
    waiting = null;
    model.save_changes();
  };
  model.on("change:answer", () => { busy = false; if (waiting) send(); });
  return (place) => { waiting = place; if (!busy) send(); };
}

// ------------------------------------------------------------------------------------------ parts of a figure

function node(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function svg(tag, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function slider(ratio, label, ...layers) { // a stage that takes the focus: a slider of two dimensions
  return node("div", { class: "stage", tabindex: 0, role: "slider", "aria-label": label, "aria-valuenow": 0, "aria-roledescription": "place in a picture",
    style: `aspect-ratio: ${ratio}` }, ...layers);
}

function wiper(ratio, ...layers) { // a stage for a hand that moves sideways; its slider takes the focus
  return node("div", { class: "stage wiper", style: `aspect-ratio: ${ratio}` }, ...layers);
}

function scaleBar({ colours, low, high }, digits, left = "", right = "") { // what the colours mean
  const strip = node("div", { class: "strip", style: `background: linear-gradient(to right, ${colours})` });
  const marks = (low < 0 ? [low, 0, high] : [low, high]).map((value) => (value ? short(value, digits) : "0"));
  if (left) marks[0] = `${left} ${marks[0].replace("\u2212", "")}`;
  if (right) marks.push(`${right} ${marks.pop()}`);
  return node("div", { class: "key", "aria-hidden": true }, strip, ...marks.map((words) => node("span", {}, words)));
}

function image(loaded, kind = "") {
  return node("img", { src: loaded.src, alt: "", class: kind, draggable: "false" });
}

function button(words, press) {
  const made = node("button", { type: "button" }, words);
  made.addEventListener("click", press);
  return made;
}

function toggle(words, turn) {
  const made = button(words, () => {
    const on = made.getAttribute("aria-pressed") !== "true";
    made.setAttribute("aria-pressed", on);
    turn(on);
  });
  made.setAttribute("aria-pressed", false);
  return made;
}

function bars(labels, low, high, digits, marks, choose, picture) { // one line for each: name, bar, number
  const share = (value) => (100 * (value - low)) / (high - low || 1), zero = share(Math.max(low, 0));
  const lines = labels.map((label, n) => {
    const words = node("span", {}, label), fill = node("div", { class: "fill" }), value = node("span", { class: "value" });
    const name = node("span", { class: "name" }, ...(picture ? [picture(n)] : []), words);
    const track = node("div", { class: "track" }, fill);
    if (marks) track.append(node("div", { class: "mark", style: `left: ${share(marks[n])}%` }));
    const line = button("", () => choose(n));
    line.append(name, track, value);
    return { line, name, words, fill, value };
  });
  function set(values, chosen, names, order) {
    lines.forEach(({ line, name, words, fill, value }, n) => {
      const [a, b] = [zero, share(values[n])].sort((one, other) => one - other);
      fill.style.left = `${a}%`;
      fill.style.right = `${100 - Math.min(b, 100)}%`;
      fill.classList.toggle("minus", values[n] < 0);
      value.textContent = short(values[n], digits);
      line.setAttribute("aria-pressed", n === chosen);
      if (!names) return;
      words.textContent = names[n];
      if (picture) name.firstChild.replaceWith(picture(order[n]));
    });
  }
  const hover = (over) => lines.forEach(({ line }, n) => {
    for (const event of ["pointerover", "focus"]) line.addEventListener(event, () => line.getAttribute("aria-pressed") !== "true" && over(n));
  });
  return { node: node("div", { class: "bars" }, ...lines.map(({ line }) => line)), set, hover };
}

// ------------------------------------------------------------------------------------------ hands

function inside(target, event) { // where in the element, from 0 to 1
  const { left, top, width, height } = target.getBoundingClientRect();
  return [clamp((event.clientX - left) / width, 1), clamp((event.clientY - top) / height, 1)];
}

function follow(target, moved, hovering = false) { // mouse, pen and finger
  target.addEventListener("pointerdown", (event) => { target.setPointerCapture(event.pointerId); moved(...inside(target, event)); });
  target.addEventListener("pointermove", (event) => {
    if (target.hasPointerCapture(event.pointerId) || (hovering && event.pointerType === "mouse")) moved(...inside(target, event));
  });
}

function arrows(target, step, others = {}) { // with Shift four steps at a time
  target.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const far = event.shiftKey ? 4 : 1;
    if (STEPS[event.key]) step(...STEPS[event.key].map((n) => n * far));
    else if (others[event.key]) others[event.key]();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
}

// ------------------------------------------------------------------------------------------ numbers and pixels

function numbers({ shape, low, step, digits, data }) { // see vizlib/explore/packing.py
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0)), view = new DataView(bytes.buffer);
  const values = Float64Array.from({ length: bytes.length / 2 }, (_, n) => low + step * view.getUint16(2 * n, true));
  return { shape, digits, values };
}

function short(value, digits) {
  const words = Math.abs(value).toFixed(digits);
  return value < 0 && Number(words) ? `\u2212${words}` : words;
}

const clamp = (value, most) => Math.min(Math.max(value, 0), most);
const box = (left, top, width, height) => `left: ${100 * left}%; top: ${100 * top}%; width: ${100 * width}%; height: ${100 * height}%`;
const place = (mark, x, y) => ([mark.style.left, mark.style.top] = [`${100 * x}%`, `${100 * y}%`]);
const nearest = (starts, value) => starts.reduce((best, start, n) => (Math.abs(start - value) < Math.abs(starts[best] - value) ? n : best), 0);

async function load(source) {
  const picture = new Image();
  picture.src = source;
  await picture.decode();
  return picture;
}

function ramp({ colours, low, high }) { // a colour scale: value -> [red, green, blue, opacity]
  const stops = colours.map((hex) => [1, 3, 5].map((n) => parseInt(hex.slice(n, n + 2), 16)));
  return (value) => {
    const place = clamp((value - low) / (high - low || 1), 1) * (stops.length - 1), n = Math.min(Math.floor(place), stops.length - 2);
    const opacity = low < 0 ? 60 + (180 * Math.abs(value)) / high : 153; // of signed values, zero lets the photo through
    return [...stops[n].map((part, c) => Math.round(part + (stops[n + 1][c] - part) * (place - n))), opacity];
  };
}

function pixels(canvas, cells) { // one [red, green, blue, opacity] for each pixel
  canvas.getContext("2d").putImageData(new ImageData(Uint8ClampedArray.from(cells.flat()), canvas.width), 0, 0);
}

const corner = (where, n) => [(n % where.columns) * (where.width + where.gap), Math.floor(n / where.columns) * (where.height + where.gap)];

function paste(canvas, sprite, where, n) { // one picture of many
  if (canvas.width !== where.width || canvas.height !== where.height) [canvas.width, canvas.height] = [where.width, where.height];
  canvas.getContext("2d").drawImage(sprite, ...corner(where, n), where.width, where.height, 0, 0, where.width, where.height);
}

function cell(sprite, where, n) {
  const canvas = node("canvas");
  paste(canvas, sprite, where, n);
  return canvas;
}

export default { render };
