// scrub: a slider along a film (steps, alpha, epsilon, epochs, layers); curves beside it follow.
KINDS.scrub = (figure, page) => {
  const { sprite: where, steps, name, captions } = figure, last = where.count - 1;
  const series = Object.entries(figure.series).map(([key, packed], n) =>
    ({ key, colour: SERIES[n % SERIES.length], ...numbers(packed) }));
  let i = page.start.step ?? 0, timer = null;

  const screen = node("canvas", { class: where.gap ? "pixels" : "" });
  const stage = wiper(where.width / where.height, screen);
  const range = node("input", { type: "range", min: 0, max: last, "aria-label": name });
  const legend = node("div", { class: "legend" }), plot = curves(series, last);

  function show() {
    paste(screen, page.sprite, where, i);
    plot.at(i);
    range.value = i;
    const read = series.map((s) => `${s.key} ${short(s.values[i], s.digits)}`);
    range.setAttribute("aria-valuetext", [`${name} ${steps[i]}`, ...read].join(", "));
    legend.replaceChildren(...series.map((s, n) =>
      node("span", {}, node("i", { style: `background: ${s.colour}` }), read[n])));
    page.say(`${name} ${steps[i]} (${i + 1} of ${last + 1})${captions ? `: ${captions[i]}` : ""}`);
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
  follow(stage, (x) => { stop(); go(Math.round(x * last)); });
  follow(plot.node, (x) => { stop(); go(plot.step(x)); });
  show();
  return { hint: "Move the slider, drag along the picture or the curve, or press the left and right arrow keys.",
    main: [stage, node("div", { class: "tools" }, ...(calm() ? [] : [play]), range)],
    side: series.length ? [legend, plot.node] : [] };
};

function curves(series, last) { // lines over the steps, on one height if they are of one kind
  const [wide, high, edge, left] = [400, 140, 10, 52], x = (n) => left + ((wide - left - edge) * n) / last;
  const alike = series.every((s) => s.digits === series[0].digits);
  const range = (s) => {
    const all = (alike ? series : [s]).flatMap((one) => [...one.values]);
    return [Math.min(...all), Math.max(...all)];
  };
  const y = (s, value) => {
    const [low, top] = range(s);
    return high - edge - ((high - 2 * edge) * (value - low)) / (top - low || 1);
  };
  const letters = (s, value, down) => svg("text", { x: 6, y: down ? high - 7 : 16, "font-size": 12,
    fill: "currentColor", opacity: 0.75 }, short(value, s.digits));
  const ends = series.length && alike ? range(series[0]).map((v, n) => letters(series[0], v, !n)) : [];
  const now = svg("line", { y1: 0, y2: high, stroke: "currentColor", "stroke-opacity": 0.5 });
  const dots = series.map((s) => svg("circle", { r: 5, fill: s.colour, stroke: "#fff", "stroke-width": 1.5 }));
  const lines = series.map((s) => svg("polyline", { fill: "none", stroke: s.colour, "stroke-width": 2.5,
    "stroke-linejoin": "round", points: [...s.values].map((value, n) => `${x(n)},${y(s, value)}`).join(" ") }));
  const at = (n) => {
    for (const end of ["x1", "x2"]) now.setAttribute(end, x(n));
    series.forEach((s, k) => { dots[k].setAttribute("cx", x(n)); dots[k].setAttribute("cy", y(s, s.values[n])); });
  };
  const frame = svg("rect", { width: wide, height: high, rx: 6, fill: "#8882" });
  const parts = [frame, ...ends, now, ...lines, ...dots];
  return { node: svg("svg", { class: "curve", viewBox: `0 0 ${wide} ${high}`, "aria-hidden": true }, ...parts), at,
    step: (share) => Math.round(((share * wide - left) * last) / (wide - left - edge)) };
}
