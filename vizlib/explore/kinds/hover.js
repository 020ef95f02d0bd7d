// hover: a place -> what is strongest there; a name (a class, a unit, a method) -> its map over the photo.
KINDS.hover = (figure, page) => {
  const { labels } = figure, maps = numbers(figure.maps), [count, h, w] = maps.shape;
  const listed = Math.min(count, 8), at = (k, row, column) => maps.values[(k * h + row) * w + column];
  let y = page.start.row ?? h >> 1, x = page.start.column ?? w >> 1, k = page.start.map ?? 0;
  let order = labels.map((_, n) => n);

  const paint = node("canvas", { width: w, height: h }), mark = node("div", { class: "spot" });
  const [high, wide] = figure.size, photo = image(page.photo, "grey");
  const stage = slider(wide / high, "The place. Arrow keys move it.", photo, paint, mark);
  const ends = [Math.min(0, ...maps.values), Math.max(...maps.values)];
  const picture = figure.pictures && ((n) => cell(page.pictures, figure.pictures, n));
  const rows = bars(labels.slice(0, listed), ...ends, maps.digits, null, (n) => choose(order[n]), picture);
  const key = node("div");

  function show() {
    const top = figure.tops[k], scale = { ...figure.scale, low: figure.scale.low < 0 ? -top : 0, high: top };
    pixels(paint, [...maps.values.slice(k * h * w, (k + 1) * h * w)].map(ramp(scale)));
    key.replaceChildren(scaleBar(scale, maps.digits));
    if (count > listed) order.sort((a, b) => at(b, y, x) - at(a, y, x) || a - b);
    const here = order.slice(0, listed);
    rows.set(here.map((n) => at(n, y, x)), here.indexOf(k), count > listed && here.map((n) => labels[n]), here);
    place(mark, (x + 0.5) / w, (y + 0.5) / h);
    const best = order.reduce((a, b) => (at(b, y, x) > at(a, y, x) ? b : a));
    const value = short(at(k, y, x), maps.digits), most = short(at(best, y, x), maps.digits);
    stage.setAttribute("aria-valuetext", `row ${y + 1} of ${h}, column ${x + 1} of ${w}`);
    page.say(`Map of ${labels[k]}. At row ${y + 1}, column ${x + 1} it measures ${value}, `
      + (best === k ? "more than the others." : `and ${labels[best]} most, ${most}.`));
  }
  const told = () => { show(); page.tell({ row: y, column: x, map: k }); };
  function go(row, column) {
    [y, x] = [clamp(row, h - 1), clamp(column, w - 1)];
    if (count > listed) k = order.reduce((a, b) => (at(b, y, x) > at(a, y, x) ? b : a)); // of many, the strongest
    told();
  }
  const choose = (n) => { k = n; told(); };
  follow(stage, (u, v) => go(Math.floor(v * h), Math.floor(u * w)), true);
  arrows(stage, (down, right) => go(y + down, x + right));
  rows.hover((n) => choose(order[n]));
  show();
  return { hint: "Point at a place and read what is strongest there. Point at a name and see its map.",
    main: [stage], side: [rows.node, key] };
};
