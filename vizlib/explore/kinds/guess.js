// guess: the reader says where the answer lies, then sees the measured map and how far off they were.
KINDS.guess = (figure, page) => {
  const map = numbers(figure.map), [h, w] = map.shape, [high, wide] = figure.size;
  const peak = map.values.indexOf(Math.max(...map.values)), [py, px] = [Math.floor(peak / w), peak % w];
  let y = h >> 1, x = w >> 1, done = false;

  const photo = image(page.photo), paint = node("canvas", { width: w, height: h }), line = svg("svg", {});
  const mine = node("div", { class: "spot" }), best = node("div", { class: "spot peak" });
  const label = "Your guess. Arrow keys move it, Enter gives it.";
  const stage = slider(wide / high, label, photo, paint, line, mine, best);
  const again = button("Guess again", () => { done = false; show(); stage.focus(); });
  const after = node("div", {}, scaleBar(figure.scale, map.digits), node("div", { class: "tools" }, again));
  pixels(paint, [...map.values].map(ramp(figure.scale)));
  place(best, (px + 0.5) / w, (py + 0.5) / h);

  function show() {
    place(mine, (x + 0.5) / w, (y + 0.5) / h);
    for (const part of [paint, line, best, after]) part.style.visibility = done ? "visible" : "hidden";
    photo.classList.toggle("grey", done);
    stage.setAttribute("aria-valuetext", `row ${y + 1} of ${h}, column ${x + 1} of ${w}`);
    if (!done) return page.say("Click the place, or go there with the arrow keys and press Enter.");
    const percent = (part, all) => `${(100 * (part + 0.5)) / all}%`;
    const ends = { x1: percent(x, w), y1: percent(y, h), x2: percent(px, w), y2: percent(py, h) };
    line.replaceChildren(svg("line", { ...ends, stroke: "#000a", "stroke-width": 5 }),
      svg("line", { ...ends, stroke: "#fff", "stroke-width": 2 }));
    const value = map.values[y * w + x], below = map.values.filter((other) => other < value).length;
    const far = Math.round(Math.hypot(((y - py) * high) / h, ((x - px) * wide) / w));
    const off = `Your place (white) is ${far} pixels from the strongest one (orange).`;
    page.say(`${far ? off : "You found the strongest place."} It measures ${short(value, map.digits)}, `
      + `the strongest ${short(map.values[peak], map.digits)}. `
      + `${Math.round((100 * below) / map.values.length)} % of the picture measures less than your place.`);
  }
  const answer = () => { if (!done) { done = true; show(); page.tell({ row: y, column: x }); } };
  const go = (row, column) => { if (!done) { [y, x] = [clamp(row, h - 1), clamp(column, w - 1)]; show(); } };
  stage.addEventListener("click", (event) => {
    const [u, v] = inside(stage, event);
    go(Math.floor(v * h), Math.floor(u * w));
    answer();
  });
  arrows(stage, (down, right) => go(y + down, x + right), { Enter: answer, " ": answer });
  stage.style.touchAction = "manipulation"; // a finger that wipes scrolls the page
  show();
  return { hint: "Guess first, then see what was measured.", main: [stage], side: [after] };
};
