// Explorable figures: one module with two lives. In a saved page, boot() finds the figure and its measurements;
// in a running notebook, anywidget calls render() with a model that Python hears. No request leaves the page.
// Each kind is a function of the figure's data and of what it needs from the page, and returns its parts.

const STYLE = `
:host { display: block; }
.vx { margin: 4px 0; font-size: 14px; line-height: 1.4; color: inherit; max-width: 940px; }
.row { display: flex; flex-wrap: wrap; gap: 12px 24px; align-items: flex-start; }
.main { flex: 1 1 270px; max-width: 448px; min-width: 0; }
.side { flex: 1 1 250px; max-width: 448px; min-width: 0; }
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
.pixels { image-rendering: pixelated; } .large { display: block; width: 100%; max-width: 300px; border-radius: 6px; }
.curve { display: block; width: 100%; height: auto; touch-action: pan-y; cursor: ew-resize; margin-top: 8px; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 16px; font-variant-numeric: tabular-nums; }
.legend i { display: inline-block; width: 10px; height: 10px; border-radius: 50%; margin-right: 6px; }
.caption { margin: 6px 0 0; font-size: 16px; font-weight: 600; min-height: 1.4em; }
.answer img { max-width: 100%; display: block; margin-top: 8px; border-radius: 6px; }
@media (prefers-reduced-motion: no-preference) { .bars .fill { transition: left .08s, right .08s; } }
`;
const SERIES = ["#e66100", "#8467c9", "#16908c", "#c2407a", "#777"];
const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
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
  const columns = [node("div", { class: "main" }, ...main), node("div", { class: "side" }, ...side, say, answer)];
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

// ------------------------------------------------------------------------------------------ kinds: over a photo

function drag(figure, page) {
  const { tops, lefts, patch: [ph, pw], size: [high, wide], labels, uncovered } = figure;
  const scores = numbers(figure.scores), at = (i, j, k) => scores.values[(i * lefts.length + j) * labels.length + k];
  let [i, j] = [page.start.row ?? 0, page.start.column ?? 0], chosen = 0, whole = false;
  let been = new Set();
  const patch = node("div", { class: "patch", style: box(0, 0, pw / wide, ph / high) });
  patch.style.background = `rgb(${figure.fill})`;
  const step = (starts) => (starts.length > 1 ? starts[1] - starts[0] : 1);
  const [sy, sx] = [step(tops), step(lefts)], mid = [tops[0] + ph / 2 - sy / 2, lefts[0] + pw / 2 - sx / 2];
  const paint = node("canvas", { width: lefts.length, height: tops.length,
    style: box(mid[1] / wide, mid[0] / high, (lefts.length * sx) / wide, (tops.length * sy) / high) });
  const photo = image(page.photo), colour = ramp(figure.scale);
  const stage = slider(wide / high, "The patch. Arrow keys move it.", photo, paint, patch);
  const low = Math.min(0, ...scores.values), top = Math.max(...scores.values, ...(uncovered ?? []));
  const rows = bars(labels, low, top, scores.digits, uncovered, (k) => { chosen = k; show(); });
  const all = toggle("Show the whole map", (on) => { whole = on; show(); });
  const clear = button("Wipe it", () => { been = new Set(); show(); });
  const fall = (a, b) => (uncovered ? uncovered[chosen] - at(a, b, chosen) : at(a, b, chosen));

  function show() {
    been.add(i * lefts.length + j);
    patch.style.left = `${(100 * lefts[j]) / wide}%`;
    patch.style.top = `${(100 * tops[i]) / high}%`;
    photo.classList.toggle("grey", whole);
    const cells = tops.flatMap((_, a) => lefts.map((_, b) =>
      [...colour(fall(a, b)), whole || been.has(a * lefts.length + b) ? 170 : 0]));
    pixels(paint, cells);
    rows.set(labels.map((_, k) => at(i, j, k)), chosen);
    const here = short(at(i, j, chosen), scores.digits);
    const words = uncovered ? ` (${short(uncovered[chosen], scores.digits)} uncovered)` : "";
    stage.setAttribute("aria-valuetext", `row ${i + 1} of ${tops.length}, column ${j + 1} of ${lefts.length}`);
    page.say(`Patch at row ${i + 1}, column ${j + 1}. ${labels[chosen]}: ${here}${words}.`);
  }
  const go = (a, b) => { [i, j] = [clamp(a, tops.length - 1), clamp(b, lefts.length - 1)]; show(); page.tell({ row: i, column: j }); };
  follow(stage, (x, y) => go(nearest(tops, y * high - ph / 2), nearest(lefts, x * wide - pw / 2)));
  arrows(stage, (down, right) => go(i + down, j + right));
  page.heard((values) => rows.set(values, chosen));
  show();
  return { hint: "Drag the square over the photo, or press the arrow keys. Click a name to paint its map.",
    main: [stage, node("div", { class: "tools" }, all, clear)], side: [rows.node] };
}

function hover(figure, page) {
  const { labels, size: [high, wide] } = figure, maps = numbers(figure.maps), [count, h, w] = maps.shape;
  const listed = Math.min(count, 8), at = (k, y, x) => maps.values[(k * h + y) * w + x];
  let [y, x, k] = [page.start.row ?? h >> 1, page.start.column ?? w >> 1, page.start.map ?? 0], order = labels.map((_, n) => n);
  const paint = node("canvas", { width: w, height: h, style: "opacity: .6" });
  const spot = node("div", { class: "spot" });
  const stage = slider(wide / high, "The place. Arrow keys move it.", image(page.photo, "grey"), paint, spot);
  const low = Math.min(0, ...maps.values), top = Math.max(...maps.values);
  const rows = bars(labels.slice(0, listed), low, top, maps.digits, null, (n) => { k = order[n]; show(); },
    figure.pictures && ((n) => cell(page.pictures, figure.pictures, n)));

  function show() {
    const { colours } = figure.scale, most = figure.tops[k];
    pixels(paint, [...maps.values.slice(k * h * w, (k + 1) * h * w)].map(
      (value) => [...ramp({ colours, low: figure.scale.low < 0 ? -most : 0, high: most })(value), 255]));
    if (count > listed) order = order.sort((a, b) => at(b, y, x) - at(a, y, x) || a - b);
    rows.set(order.slice(0, listed).map((n) => at(n, y, x)), order.indexOf(k), count > listed && order.map((n) => labels[n]), order);
    spot.style.left = `${(100 * (x + 0.5)) / w}%`;
    spot.style.top = `${(100 * (y + 0.5)) / h}%`;
    const best = order.reduce((a, b) => (at(b, y, x) > at(a, y, x) ? b : a), order[0]);
    const rank = best === k ? "the strongest here" : `strongest here is ${labels[best]}, ${short(at(best, y, x), maps.digits)}`;
    stage.setAttribute("aria-valuetext", `row ${y + 1} of ${h}, column ${x + 1} of ${w}`);
    page.say(`Shown: ${labels[k]}. At row ${y + 1}, column ${x + 1} it has ${short(at(k, y, x), maps.digits)}; ${rank}.`);
  }
  const go = (a, b) => { [y, x] = [clamp(a, h - 1), clamp(b, w - 1)]; show(); page.tell({ row: y, column: x, map: k }); };
  follow(stage, (u, v) => go(Math.floor(v * h), Math.floor(u * w)), true);
  arrows(stage, (down, right) => go(y + down, x + right));
  rows.hover((n) => { k = order[n]; show(); page.tell({ row: y, column: x, map: k }); });
  show();
  return { hint: "Point at a place and read what is strongest there. Point at a name and see its map.",
    main: [stage], side: [rows.node] };
}

function guess(figure, page) {
  const map = numbers(figure.map), [h, w] = map.shape, [high, wide] = figure.size;
  let [y, x, done] = [h >> 1, w >> 1, false];
  const peak = map.values.indexOf(Math.max(...map.values)), [py, px] = [Math.floor(peak / w), peak % w];
  const photo = image(page.photo), paint = node("canvas", { width: w, height: h, style: "opacity: .6" });
  const spot = node("div", { class: "spot" }), best = node("div", { class: "spot peak" }), line = svg("svg", {});
  const stage = slider(wide / high, "Your guess. Arrow keys move it, Enter gives it.", photo, paint, line, spot, best);
  const again = button("Guess again", () => { done = false; show(); stage.focus(); });
  const colour = ramp(figure.scale);
  pixels(paint, [...map.values].map((value) => [...colour(value), 255]));
  const put = (mark, a, b) => { mark.style.left = `${(100 * (b + 0.5)) / w}%`; mark.style.top = `${(100 * (a + 0.5)) / h}%`; };
  put(best, py, px);

  function show() {
    put(spot, y, x);
    for (const part of [paint, best, line, again]) part.style.visibility = done ? "visible" : "hidden";
    photo.classList.toggle("grey", done);
    stage.setAttribute("aria-valuetext", `row ${y + 1} of ${h}, column ${x + 1} of ${w}`);
    if (!done) return page.say("Click the place, or go there with the arrow keys and press Enter.");
    const ends = { x1: `${(100 * (x + 0.5)) / w}%`, y1: `${(100 * (y + 0.5)) / h}%`, x2: `${(100 * (px + 0.5)) / w}%`, y2: `${(100 * (py + 0.5)) / h}%` };
    line.replaceChildren(svg("line", { ...ends, stroke: "#000a", "stroke-width": 5 }), svg("line", { ...ends, stroke: "#fff", "stroke-width": 2 }));
    const value = map.values[y * w + x], below = map.values.filter((other) => other < value).length / map.values.length;
    const far = Math.round(Math.hypot(((y - py) * high) / h, ((x - px) * wide) / w));
    const off = far ? `Your place is ${far} pixels from the strongest one` : "You found the strongest place";
    page.say(`${off}. It measures ${short(value, map.digits)}, the strongest ${short(map.values[peak], map.digits)}; `
      + `${Math.round(100 * below)} % of the picture measures less than yours.`);
  }
  const answer = () => { done = true; show(); page.tell({ row: y, column: x }); };
  stage.addEventListener("click", (event) => {
    if (done) return;
    const [u, v] = inside(stage, event);
    [y, x] = [clamp(Math.floor(v * h), h - 1), clamp(Math.floor(u * w), w - 1)];
    answer();
  });
  arrows(stage, (down, right) => { if (!done) [y, x] = [clamp(y + down, h - 1), clamp(x + right, w - 1)]; show(); }, { Enter: answer, " ": answer });
  stage.style.touchAction = "manipulation";
  show();
  return { hint: "Guess first, then see what was measured.", main: [stage], side: [node("div", { class: "tools" }, again)] };
}

// ------------------------------------------------------------------------------------------ kinds: many pictures

function scrub(figure, page) {
  const { sprite: where, steps, name, captions } = figure, last = where.count - 1;
  let i = clamp(page.start.step ?? 0, last), timer = null;
  const screen = node("canvas", { class: where.gap ? "pixels" : "" });
  const stage = node("div", { class: "stage", style: `aspect-ratio: ${where.width / where.height}; cursor: ew-resize; touch-action: pan-y` }, screen);
  const range = node("input", { type: "range", min: 0, max: last, value: i, "aria-label": name });
  const series = Object.entries(figure.series).map(([key, packed], n) => ({ key, ...numbers(packed), colour: SERIES[n % SERIES.length] }));
  const legend = node("div", { class: "legend" }), caption = node("p", { class: "caption" });
  const plot = curves(series, last);

  function show() {
    paste(screen, page.sprite, where, i);
    range.value = i;
    const words = `${name} ${steps[i]}`, read = series.map((s) => `${s.key} ${short(s.values[i], s.digits)}`);
    range.setAttribute("aria-valuetext", words);
    plot.at(i);
    legend.replaceChildren(...series.map((s, n) => node("span", {}, node("i", { style: `background: ${s.colour}` }), read[n])));
    caption.textContent = captions ? captions[i] : "";
    page.say([`${words} (${i + 1} of ${last + 1})`, ...read].join(", ") + (captions ? `: ${captions[i]}` : ""));
  }
  const go = (n) => { i = clamp(n, last); show(); page.tell({ step: i }); };
  const stop = () => { clearInterval(timer); timer = null; play.textContent = "Play"; };
  const play = button("Play", () => {
    if (timer) return stop();
    play.textContent = "Pause";
    if (i === last) go(0);
    timer = setInterval(() => (i < last && play.isConnected ? go(i + 1) : stop()), Math.max(80, 4000 / last));
  });
  range.addEventListener("input", () => { stop(); go(Number(range.value)); });
  for (const surface of [stage, plot.node]) follow(surface, (x) => { stop(); go(Math.round(x * last)); });
  show();
  return { hint: "Move the slider, drag along the picture or the curve, or press the left and right arrow keys.",
    main: [stage, node("div", { class: "tools" }, ...(calm() ? [] : [play]), range)],
    side: [...(captions ? [caption] : []), legend, ...(series.length ? [plot.node] : [])] };
}

function flip(figure, page) {
  const { sprite: where, titles } = figure;
  let share = page.start.share ?? 0.5;
  const [before, after] = [0, 1].map((n) => cell(page.sprite, where, n));
  const seam = node("div", { class: "seam" });
  const names = [node("span", { class: "corner" }, titles[0]), node("span", { class: "corner right" }, titles[1])];
  const stage = node("div", { class: "stage", style: `aspect-ratio: ${where.width / where.height}; cursor: ew-resize; touch-action: pan-y` },
    after, before, seam, ...names);
  const range = node("input", { type: "range", min: 0, max: 100, "aria-label": `How much of "${titles[0]}" is seen` });

  function show() {
    before.style.clipPath = `inset(0 ${100 - 100 * share}% 0 0)`;
    seam.style.left = `${100 * share}%`;
    range.value = Math.round(100 * share);
    range.setAttribute("aria-valuetext", `${range.value} % ${titles[0]}`);
    names[0].style.opacity = share > 0.12 ? 1 : 0;
    names[1].style.opacity = share < 0.88 ? 1 : 0;
    page.say(`${titles[0]} ${range.value} %, ${titles[1]} ${100 - range.value} %.`);
  }
  const go = (x) => { share = clamp(x, 1); show(); page.tell({ share }); };
  range.addEventListener("input", () => go(range.value / 100));
  follow(stage, go);
  const jump = [button(titles[0], () => go(1)), button(titles[1], () => go(0))];
  show();
  return { hint: "Drag across the picture, or move the slider with the arrow keys.",
    main: [stage, node("div", { class: "tools" }, jump[0], range, jump[1])] };
}

function sheet(figure, page) {
  const { sprite: where, labels, name, maps } = figure, rows = Math.ceil(where.count / where.columns);
  let i = page.start.index ?? 0;
  const [w, h] = [page.sprite.naturalWidth, page.sprite.naturalHeight];
  const series = Object.entries(figure.numbers).map(([key, packed]) => ({ key, ...numbers(packed) }));
  const chosen = node("div", { class: "chosen" });
  const stage = slider(w / h, `All of them. Arrow keys choose a ${name}.`, image(page.sprite, maps ? "pixels" : ""), chosen);
  const large = node("canvas", { class: maps && !page.photo ? "pixels" : "", style: page.photo ? "opacity: .6" : "" });
  const big = node("div", { class: "stage large", style: `aspect-ratio: ${where.width / where.height}; cursor: default` },
    ...(page.photo ? [image(page.photo, "grey")] : []), large);
  const caption = node("p", { class: "caption" });

  function show() {
    const [x, y] = spot(where, i);
    chosen.style.cssText = box(x / w, y / h, where.width / w, where.height / h);
    paste(large, page.sprite, where, i);
    caption.textContent = `${name} ${labels[i]}`;
    stage.setAttribute("aria-valuetext", caption.textContent);
    const read = series.map((s) => `${s.key} ${short(s.values[i], s.digits)}`).join(", ");
    page.say(`${caption.textContent} (${i + 1} of ${where.count})${read && `: ${read}`}.`);
  }
  const go = (n) => { if (n >= 0 && n < where.count) { i = n; show(); page.tell({ index: i }); } };
  follow(stage, (x, y) => go(Math.min(Math.floor(y * rows), rows - 1) * where.columns + Math.min(Math.floor(x * where.columns), where.columns - 1)));
  arrows(stage, (down, right) => go(i + down * where.columns + right), { Home: () => go(0), End: () => go(where.count - 1) });
  stage.style.touchAction = "manipulation";
  show();
  return { hint: `Click a ${name}, or walk with the arrow keys.`, main: [stage], side: [caption, big] };
}

function atlas(figure, page) {
  const { sprite: where, labels } = figure, points = numbers(figure.points).values, count = labels.length;
  const at = (n) => [points[2 * n], 1 - points[2 * n + 1]]; // in the unit square, y down
  let i = page.start.index ?? 0, zoom = 1, [cx, cy] = [0.5, 0.5]; // what lies in the middle
  const canvas = node("canvas"), detail = cell(page.sprite, where, i), caption = node("p", { class: "caption" });
  const stage = slider(1.1, "The atlas. Arrow keys go to the next picture, plus and minus zoom.", canvas);
  detail.classList.add("large");
  const near = (x, y) => [...Array(count).keys()].sort((a, b) => dist(a, x, y) - dist(b, x, y));
  const dist = (n, x, y) => Math.hypot(at(n)[0] - x, at(n)[1] - y);
  const scale = () => [canvas.width * 0.88 * zoom, canvas.height * 0.88 * zoom];
  const seen = (x, y) => [canvas.width / 2 + (x - cx) * scale()[0], canvas.height / 2 + (y - cy) * scale()[1]];
  const under = (u, v) => [cx + ((u - 0.5) * canvas.width) / scale()[0], cy + ((v - 0.5) * canvas.height) / scale()[1]];

  function draw() {
    const ratio = devicePixelRatio || 1;
    [canvas.width, canvas.height] = [stage.clientWidth * ratio, stage.clientHeight * ratio];
    const side = (canvas.width / 13) * zoom ** 0.6, pen = canvas.getContext("2d");
    for (const n of [...Array(count).keys()].filter((n) => n !== i).concat(i)) {
      const [x, y] = seen(...at(n)), [sx, sy] = spot(where, n), s = n === i ? side * 1.35 : side, t = (s * where.height) / where.width;
      if (n === i) { pen.fillStyle = "#e66100"; pen.fillRect(x - s / 2 - 3 * ratio, y - t / 2 - 3 * ratio, s + 6 * ratio, t + 6 * ratio); }
      pen.drawImage(page.sprite, sx, sy, where.width, where.height, x - s / 2, y - t / 2, s, t);
    }
  }
  function show() {
    draw();
    paste(detail, page.sprite, where, i);
    caption.textContent = labels[i];
    const others = near(...at(i)).filter((n) => n !== i).slice(0, 3).map((n) => labels[n]);
    stage.setAttribute("aria-valuetext", labels[i]);
    page.say(`${labels[i]}. Nearest: ${others.join(", ")}.`);
  }
  const choose = (n) => { if (n === i) return; i = n; show(); page.tell({ index: i }); };
  const look = (z, x = cx, y = cy) => { zoom = Math.min(Math.max(z, 1), 12); const r = 0.5 - 0.44 / zoom; cx = Math.min(Math.max(x, r), 1 - r); cy = Math.min(Math.max(y, r), 1 - r); draw(); };
  const toward = (down, right) => { // the nearest picture that lies that way
    const [x, y] = at(i), cost = (n) => { const [dx, dy] = [at(n)[0] - x, at(n)[1] - y], ahead = dx * Math.sign(right) + dy * Math.sign(down);
      return ahead > 1e-6 ? Math.hypot(dx, dy) ** 2 / ahead : Infinity; };
    const n = [...Array(count).keys()].reduce((a, b) => (cost(b) < cost(a) ? b : a), 0);
    if (cost(n) < Infinity) { choose(n); if (zoom > 1) look(zoom, ...at(i)); }
  };
  const fingers = new Map();
  stage.addEventListener("pointerdown", (event) => { stage.setPointerCapture(event.pointerId); fingers.set(event.pointerId, inside(stage, event)); });
  stage.addEventListener("pointermove", (event) => {
    const here = inside(stage, event), old = fingers.get(event.pointerId);
    if (!old) return choose(near(...under(...here))[0]);
    const spread = () => { const [a, b] = [...fingers.values()]; return b ? Math.hypot(a[0] - b[0], a[1] - b[1]) : 1; };
    const before = spread();
    fingers.set(event.pointerId, here);
    look((zoom * spread()) / before, cx - ((here[0] - old[0]) * canvas.width) / scale()[0] / fingers.size, cy - ((here[1] - old[1]) * canvas.height) / scale()[1] / fingers.size);
  });
  for (const end of ["pointerup", "pointercancel"]) stage.addEventListener(end, (event) => fingers.delete(event.pointerId));
  stage.addEventListener("click", (event) => choose(near(...under(...inside(stage, event)))[0]));
  stage.addEventListener("wheel", (event) => { // a page that scrolls keeps scrolling until the atlas is chosen
    if (stage.getRootNode().activeElement !== stage && !event.ctrlKey) return;
    event.preventDefault();
    const [x, y] = under(...inside(stage, event)), z = Math.min(Math.max(zoom * Math.exp(-event.deltaY / 400), 1), 12);
    look(z, x + ((cx - x) * zoom) / z, y + ((cy - y) * zoom) / z);
  }, { passive: false });
  const nearer = () => look(zoom * 1.6, ...at(i)), away = () => look(zoom / 1.6);
  arrows(stage, toward, { "+": nearer, "=": nearer, "-": away, 0: () => look(1, 0.5, 0.5) });
  stage.style.touchAction = "pinch-zoom";
  new ResizeObserver(draw).observe(stage);
  show();
  return { hint: "Point at a picture to see its neighbours. Zoom with the buttons, two fingers, or the wheel once you have clicked.",
    main: [stage, node("div", { class: "tools" }, button("Nearer", nearer), button("Farther", away), button("All", () => look(1, 0.5, 0.5)))],
    side: [caption, detail] };
}

const KINDS = { drag, hover, guess, scrub, flip, sheet, atlas };

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

function curves(series, last) { // lines over the steps, each on its own height unless they share a range
  const [wide, high, edge] = [400, 130, 8], x = (n) => edge + ((wide - 2 * edge) * n) / last;
  const shared = series.every((s) => s.digits === series[0].digits);
  const ends = (s) => { const all = shared ? series.flatMap((one) => [...one.values]) : [...s.values]; return [Math.min(...all), Math.max(...all)]; };
  const y = (s, value) => { const [low, top] = ends(s); return high - edge - ((high - 2 * edge) * (value - low)) / (top - low || 1); };
  const now = svg("line", { y1: 0, y2: high, stroke: "currentColor", "stroke-opacity": 0.5 });
  const dots = series.map((s) => svg("circle", { r: 5, fill: s.colour, stroke: "#fff", "stroke-width": 1.5 }));
  const lines = series.map((s) => svg("polyline", { fill: "none", stroke: s.colour, "stroke-width": 2.5, "stroke-linejoin": "round",
    points: [...s.values].map((value, n) => `${x(n)},${y(s, value)}`).join(" ") }));
  const frame = svg("rect", { width: wide, height: high, rx: 6, fill: "#8881" });
  const at = (n) => {
    now.setAttribute("x1", x(n)); now.setAttribute("x2", x(n));
    series.forEach((s, k) => { dots[k].setAttribute("cx", x(n)); dots[k].setAttribute("cy", y(s, s.values[n])); });
  };
  return { node: svg("svg", { class: "curve", viewBox: `0 0 ${wide} ${high}`, "aria-hidden": true }, frame, now, ...lines, ...dots), at };
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
const nearest = (starts, value) => starts.reduce((best, start, n) => (Math.abs(start - value) < Math.abs(starts[best] - value) ? n : best), 0);

async function load(source) {
  const picture = new Image();
  picture.src = source;
  await picture.decode();
  return picture;
}

function ramp({ colours, low, high }) { // a colour scale: value -> [red, green, blue]
  const stops = colours.map((hex) => [1, 3, 5].map((n) => parseInt(hex.slice(n, n + 2), 16)));
  return (value) => {
    const place = clamp((value - low) / (high - low || 1), 1) * (stops.length - 1), n = Math.min(Math.floor(place), stops.length - 2);
    return stops[n].map((part, c) => Math.round(part + (stops[n + 1][c] - part) * (place - n)));
  };
}

function pixels(canvas, cells) { // one [red, green, blue, opacity] for each pixel
  canvas.getContext("2d").putImageData(new ImageData(Uint8ClampedArray.from(cells.flat()), canvas.width), 0, 0);
}

const spot = (where, n) => [(n % where.columns) * (where.width + where.gap), Math.floor(n / where.columns) * (where.height + where.gap)];

function paste(canvas, sprite, where, n) { // one picture of many
  if (canvas.width !== where.width || canvas.height !== where.height) [canvas.width, canvas.height] = [where.width, where.height];
  canvas.getContext("2d").drawImage(sprite, ...spot(where, n), where.width, where.height, 0, 0, where.width, where.height);
}

function cell(sprite, where, n) {
  const canvas = node("canvas");
  paste(canvas, sprite, where, n);
  return canvas;
}

export default { render };
