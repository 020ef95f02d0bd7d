// sheet: all channels (filters, pictures) at once; the chosen one large beside them.
KINDS.sheet = (figure, page) => {
  const { sprite: where, labels, name, maps } = figure, { columns } = where, rows = Math.ceil(where.count / columns);
  const { naturalWidth: wide, naturalHeight: high } = page.sprite;
  const series = Object.entries(figure.numbers).map(([key, packed]) => ({ key, ...numbers(packed) }));
  let i = page.start.index ?? 0;

  const chosen = node("div", { class: "chosen" }), all = image(page.sprite, maps ? "pixels" : "");
  const stage = slider(wide / high, `All of them. Arrow keys choose a ${name}.`, all, chosen);
  const large = node("canvas", { class: maps && !page.photo ? "pixels" : "" });
  large.getContext("2d", { willReadFrequently: true }); // for veil
  const photo = page.photo ? [image(page.photo, "grey")] : [];
  const screen = node("div", { class: "stage large", style: `aspect-ratio: ${where.width / where.height}` }, ...photo, large);
  const caption = node("p", { class: "caption" });

  function show() {
    const [x, y] = corner(where, i);
    chosen.style.cssText = box(x / wide, y / high, where.width / wide, where.height / high);
    paste(large, page.sprite, where, i);
    if (page.photo) veil(large, figure.signed);
    caption.textContent = `${name} ${labels[i]}`;
    stage.setAttribute("aria-valuetext", caption.textContent);
    const read = series.map((s) => `${s.key} ${short(s.values[i], s.digits)}`).join(", ");
    page.say(`${caption.textContent} (${i + 1} of ${where.count})${read && `: ${read}`}.`);
  }
  const go = (n) => { if (n >= 0 && n < where.count) { i = n; show(); page.tell({ index: i }); } };
  const part = (share, parts) => clamp(Math.floor(share * parts), parts - 1);
  follow(stage, (x, y) => go(part(y, rows) * columns + part(x, columns)));
  arrows(stage, (down, right) => go(i + down * columns + right), { Home: () => go(0), End: () => go(where.count - 1) });
  stage.style.touchAction = "manipulation"; // a finger that wipes scrolls the page
  show();
  return { hint: `Click a ${name}, or walk with the arrow keys.`, main: [stage], side: [caption, screen] };
};

function veil(canvas, signed) { // what lies near zero lets the photo through
  const pen = canvas.getContext("2d"), cells = pen.getImageData(0, 0, canvas.width, canvas.height), { data } = cells;
  for (let n = 0; n < data.length; n += 4)
    data[n + 3] = signed ? 255 - 0.8 * Math.min(data[n], data[n + 1], data[n + 2]) : 153;
  pen.putImageData(cells, 0, 0);
}
