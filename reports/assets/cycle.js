// Why there is no order: operations in a circle, each of which had to come before the next.

const CYCLE_RADIUS = 74;
const KINDS = { "real-time": "real time", "reads-from": "read from", "version-order": "versions" };

function cycleView(cycle, label, brief) {
  return make("div", { class: "cycle" },
    make("h3", {}, "Why there is no order: each had to come before the next, round in a circle"),
    make("div", { class: "round" },
      cycle.length <= 8 && cycleFigure(cycle, brief),
      make("ol", {}, cycle.map((edge) => make("li", {},
        label(edge.before), " had to come before ", label(edge.after), ": ", make("b", { class: `why ${edge.kind}` }, KINDS[edge.kind] || edge.kind), `, ${edge.why}`)))));
}

function cycleFigure(cycle, brief) {
  const texts = cycle.map((edge) => brief(edge.before));
  const wide = Math.min(190, Math.max(...texts.map((text) => measure(text, 12, 600))) + 20);
  const [width, height] = [2 * CYCLE_RADIUS + wide + 40, 2 * CYCLE_RADIUS + 70];
  const svg = draw("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `A circle of ${counted(cycle.length, "operation")}; the list tells each step` });
  const angle = (i) => (i / cycle.length) * 2 * Math.PI - Math.PI / 2;
  const point = (turn, radius) => [width / 2 + Math.cos(turn) * radius * 1.15, height / 2 + Math.sin(turn) * radius];
  // An arrow leaves and reaches its boxes at their sides, not at their middle.
  const gap = Math.min(0.62, 1.5 / cycle.length);
  cycle.forEach((edge, i) => {
    const [from, to] = [angle(i) + gap, angle(i + 1) - gap];
    const [x1, y1] = point(from, CYCLE_RADIUS);
    const [x2, y2] = point(to, CYCLE_RADIUS);
    const [mx, my] = point((from + to) / 2, CYCLE_RADIUS * 1.08);
    const lean = Math.atan2(y2 - my, x2 - mx);
    svg.append(
      draw("path", { class: `cycle-edge ${edge.kind}`, d: `M${x1} ${y1}Q${2 * mx - (x1 + x2) / 2} ${2 * my - (y1 + y2) / 2} ${x2} ${y2}` }),
      draw("path", { class: "head-of-edge", d: "M2 0L-6 -4L-6 4Z", transform: `translate(${x2} ${y2}) rotate(${(lean * 180) / Math.PI})` }),
      draw("text", { class: "halo faint", x: mx, y: my + 4, "font-size": 11, "text-anchor": "middle" }, KINDS[edge.kind] || edge.kind));
  });
  texts.forEach((text, i) => {
    const [x, y] = point(angle(i), CYCLE_RADIUS);
    svg.append(
      draw("rect", { class: "cycle-box", x: x - wide / 2, y: y - 13, width: wide, height: 26, rx: 6 }),
      draw("text", { x, y: y + 4, "font-size": 12, "font-weight": 600, "text-anchor": "middle" }, fit(text, wide - 12, 12, 600)));
  });
  return svg;
}
