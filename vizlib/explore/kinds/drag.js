// drag: an occluder over a photo; the scores behind it follow, and its map appears where it has been.
KINDS.drag = (figure, page) => {
  const { tops, lefts, labels, uncovered } = figure, [high, wide] = figure.size, [ph, pw] = figure.patch;
  const scores = numbers(figure.scores);
  const at = (row, column, k) => scores.values[(row * lefts.length + column) * labels.length + k];
  const fall = (row, column) => (uncovered ? uncovered[chosen] : 0) - at(row, column, chosen);
  let i = page.start.row ?? tops.length >> 1, j = page.start.column ?? lefts.length >> 1;
  let chosen = 0, whole = false, been = new Set();

  const patch = node("div", { class: "patch", style: box(0, 0, pw / wide, ph / high) });
  patch.style.background = `rgb(${figure.fill})`;
  const step = (starts) => (starts.length > 1 ? starts[1] - starts[0] : 1);
  const [dy, dx] = [step(tops), step(lefts)]; // a place of the map lies in the middle of the patch
  const [top, left] = [tops[0] + (ph - dy) / 2, lefts[0] + (pw - dx) / 2];
  const paint = node("canvas", { width: lefts.length, height: tops.length,
    style: box(left / wide, top / high, (lefts.length * dx) / wide, (tops.length * dy) / high) });
  const photo = image(page.photo), colour = ramp(figure.scale);
  const stage = slider(wide / high, "The patch. Arrow keys move it.", photo, paint, patch);
  const ends = [Math.min(0, ...scores.values), Math.max(...scores.values, ...(uncovered ?? []))];
  const rows = bars(labels, ...ends, scores.digits, uncovered, (k) => { chosen = k; show(); });
  const all = toggle("Show the whole map", (on) => { whole = on; show(); });
  const wipe = button("Wipe", () => { been = new Set(); show(); });

  function show() {
    been.add(i * lefts.length + j);
    [patch.style.left, patch.style.top] = [`${(100 * lefts[j]) / wide}%`, `${(100 * tops[i]) / high}%`];
    photo.classList.toggle("grey", whole);
    pixels(paint, tops.flatMap((_, a) => lefts.map((_, b) =>
      whole || been.has(a * lefts.length + b) ? colour(fall(a, b)) : [0, 0, 0, 0])));
    rows.set(labels.map((_, k) => at(i, j, k)), chosen);
    const here = short(at(i, j, chosen), scores.digits);
    const words = uncovered ? ` (${short(uncovered[chosen], scores.digits)} uncovered)` : "";
    stage.setAttribute("aria-valuetext", `row ${i + 1} of ${tops.length}, column ${j + 1} of ${lefts.length}`);
    page.say(`Patch at row ${i + 1}, column ${j + 1}. ${labels[chosen]}: ${here}${words}.`);
  }
  function go(row, column) { // by way of all the places between, so that a quick hand leaves no holes
    const [a, b] = [clamp(row, tops.length - 1), clamp(column, lefts.length - 1)];
    const far = Math.max(Math.abs(a - i), Math.abs(b - j));
    for (let n = 1; n < far; n++)
      been.add(Math.round(i + ((a - i) * n) / far) * lefts.length + Math.round(j + ((b - j) * n) / far));
    [i, j] = [a, b];
    show();
    page.tell({ row: i, column: j });
  }
  follow(stage, (x, y) => go(nearest(tops, y * high - ph / 2), nearest(lefts, x * wide - pw / 2)));
  arrows(stage, (down, right) => go(i + down, j + right));
  page.heard((values) => rows.set(values, chosen));
  show();
  const key = scaleBar(figure.scale, scores.digits, uncovered ? "rises" : "", uncovered ? "falls" : "");
  return { hint: "Drag the square over the photo, or press the arrow keys. Click a name to paint its map.",
    main: [stage, node("div", { class: "tools" }, all, wipe)], side: [rows.node, key] };
};
