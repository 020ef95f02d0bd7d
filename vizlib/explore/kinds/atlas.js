// atlas: pictures at their places in the plane, to zoom into; the chosen one and its neighbours beside it.
KINDS.atlas = (figure, page) => {
  const { sprite: where, labels } = figure, points = numbers(figure.points).values, all = labels.map((_, n) => n);
  const at = (n) => [points[2 * n], 1 - points[2 * n + 1]]; // in the unit square, y down
  const far = (n, x, y) => Math.hypot(at(n)[0] - x, at(n)[1] - y);
  const near = (x, y) => all.slice().sort((a, b) => far(a, x, y) - far(b, x, y));
  const [ratio, fill, most] = [1.1, 0.86, 12];
  let i = page.start.index ?? 0, zoom = 1, cx = 0.5, cy = 0.5; // what lies in the middle

  const canvas = node("canvas"), caption = node("p", { class: "caption" }), others = node("div", { class: "near" });
  const stage = slider(ratio, "The atlas. Arrow keys go to the next picture, plus and minus zoom.", canvas);
  const span = () => fill * zoom; // of the unit square, in widths of the stage
  const seen = ([x, y]) => [canvas.width * (0.5 + (x - cx) * span()), canvas.height * (0.5 + (y - cy) * span())];
  const under = ([u, v]) => [cx + (u - 0.5) / span(), cy + (v - 0.5) / span()];

  function draw() {
    const dots = devicePixelRatio || 1, pen = canvas.getContext("2d");
    [canvas.width, canvas.height] = [stage.clientWidth * dots, stage.clientHeight * dots];
    const side = (canvas.width / 13) * zoom ** 0.6;
    for (const n of [...all.filter((n) => n !== i), i]) {
      const [x, y] = seen(at(n)), w = n === i ? 1.4 * side : side, h = (w * where.height) / where.width;
      if (n === i) pen.fillStyle = "#e66100", pen.fillRect(x - w / 2 - 3 * dots, y - h / 2 - 3 * dots, w + 6 * dots, h + 6 * dots);
      pen.drawImage(page.sprite, ...corner(where, n), where.width, where.height, x - w / 2, y - h / 2, w, h);
    }
  }
  function show() {
    draw();
    caption.textContent = labels[i];
    const next = near(...at(i)).filter((n) => n !== i).slice(0, 3);
    others.replaceChildren(...[i, ...next].map((n) =>
      node("button", { type: "button", "aria-label": `go to ${labels[n]}` }, cell(page.sprite, where, n), labels[n])));
    [...others.children].forEach((one, n) => one.addEventListener("click", () => visit([i, ...next][n])));
    stage.setAttribute("aria-valuetext", labels[i]);
    page.say(`${labels[i]}. Nearest: ${next.map((n) => labels[n]).join(", ")}.`);
  }
  const choose = (n) => { if (n !== i) { i = n; show(); page.tell({ index: i }); } };
  function look(larger, x = cx, y = cy) {
    zoom = Math.min(Math.max(larger, 1), most);
    const edge = 0.5 / span() - 0.5 / fill + 0.5; // nothing is seen beyond the margin
    [cx, cy] = [x, y].map((c) => Math.min(Math.max(c, edge), 1 - edge));
    stage.style.touchAction = zoom > 1 ? "none" : "pan-y"; // a page scrolls over an atlas that is not zoomed
    draw();
  }
  const visit = (n) => { choose(n); look(zoom, ...at(n)); };
  function toward(down, right) { // the nearest picture that lies that way
    const [x, y] = at(i), cost = (n) => {
      const ahead = (at(n)[0] - x) * Math.sign(right) + (at(n)[1] - y) * Math.sign(down);
      return ahead > 1e-6 ? far(n, x, y) ** 2 / ahead : Infinity;
    };
    const n = all.reduce((a, b) => (cost(b) < cost(a) ? b : a));
    if (cost(n) < Infinity) visit(n);
  }
  const fingers = new Map(), spread = () => {
    const [a, b] = [...fingers.values()];
    return b ? Math.hypot(a[0] - b[0], a[1] - b[1]) : 1;
  };
  stage.addEventListener("pointerdown", (event) => {
    stage.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, inside(stage, event));
  });
  stage.addEventListener("pointermove", (event) => {
    const now = inside(stage, event), old = fingers.get(event.pointerId);
    if (!old) return choose(near(...under(now))[0]);
    const wide = spread(), share = 1 / span() / fingers.size;
    fingers.set(event.pointerId, now);
    look((zoom * spread()) / wide, cx - (now[0] - old[0]) * share, cy - (now[1] - old[1]) * share);
  });
  for (const end of ["pointerup", "pointercancel"])
    stage.addEventListener(end, (event) => fingers.delete(event.pointerId));
  stage.addEventListener("click", (event) => choose(near(...under(inside(stage, event)))[0]));
  stage.addEventListener("wheel", (event) => { // a page keeps scrolling until the atlas is clicked
    if (stage.getRootNode().activeElement !== stage && !event.ctrlKey) return;
    event.preventDefault();
    const [x, y] = under(inside(stage, event)), larger = Math.min(Math.max(zoom * Math.exp(-event.deltaY / 400), 1), most);
    look(larger, x + ((cx - x) * zoom) / larger, y + ((cy - y) * zoom) / larger);
  }, { passive: false });
  const nearer = () => look(zoom * 1.6, ...at(i)), farther = () => look(zoom / 1.6), whole = () => look(1);
  arrows(stage, toward, { "+": nearer, "=": nearer, "-": farther, 0: whole });
  new ResizeObserver(draw).observe(stage);
  look(1);
  show();
  const tools = [button("Nearer", nearer), button("Farther", farther), button("All", whole)];
  return { hint: "Point at a picture to see its neighbours. Zoom with the buttons, two fingers, or the wheel once you have clicked.",
    main: [stage, node("div", { class: "tools" }, ...tools)], side: [caption, others] };
};
