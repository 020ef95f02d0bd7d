// flip: two pictures under one slider.
KINDS.flip = (figure, page) => {
  const { sprite: where, titles } = figure, [before, after] = [0, 1].map((n) => cell(page.sprite, where, n));
  let share = page.start.share ?? 0.5;

  const seam = node("div", { class: "seam" }, node("span", { class: "grip" }, "\u2194"));
  const names = titles.map((title, n) => node("span", { class: n ? "corner right" : "corner" }, title));
  const stage = wiper(where.width / where.height, after, before, seam, ...names);
  const range = node("input", { type: "range", min: 0, max: 100, "aria-label": `How much is seen of: ${titles[0]}` });
  const [first, second] = titles.map((title, n) => button(title, () => go(1 - n)));

  function show() {
    before.style.clipPath = `inset(0 ${100 - 100 * share}% 0 0)`;
    seam.style.left = `${100 * share}%`;
    names.forEach((name, n) => (name.style.opacity = (n ? 1 - share : share) > 0.15 ? 1 : 0));
    range.value = Math.round(100 * share);
    const words = `${titles[0]} ${range.value} %, ${titles[1]} ${100 - range.value} %`;
    range.setAttribute("aria-valuetext", words);
    page.say(`${words}.`);
  }
  const go = (x) => { share = clamp(x, 1); show(); page.tell({ share }); };
  range.addEventListener("input", () => go(range.value / 100));
  follow(stage, go);
  show();
  return { hint: "Drag across the picture, or move the slider with the arrow keys.",
    main: [stage, node("div", { class: "tools" }, first, range, second)] };
};
