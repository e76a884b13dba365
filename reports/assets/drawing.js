// The drawing of an anomaly: a lane for each client, a bar for each operation, arrows for what contradicts, numbered
// steps for how far an order could be found, and beneath, what each node took itself for.

function describe(operation, timed) {
  const parts = [operation.label, `client ${operation.process}`];
  if (operation.node) parts.push(`node ${operation.node}`);
  const [from, to] = operation.time;
  if (!timed) parts.push(operation.at[1] === null ? `from event ${operation.at[0]}, never ended` : `event ${operation.at[0]} to ${operation.at[1]}`);
  else parts.push(to === null ? `from ${from.toFixed(4)} s, never ended` : `${from.toFixed(4)} s to ${to.toFixed(4)} s`);
  if (operation.error) parts.push(operation.error);
  return parts.join(" · ");
}

const LANE = 42;
/** Lanes in which nothing of the counterexample happens are narrow. */
const SIDE_LANE = 24;
const BAR = 15;
const NODE_LANE = 22;

/**
 * Draws one anomaly. `folded`: only the lanes of the counterexample. `strips`: what each node took itself for.
 * `upTo`: how many steps of the attempt are shown.
 */
function anomalyFigure(anomaly, { width, partial, folded, strips, upTo, choose }) {
  const core = anomaly.operations.filter((operation) => operation.part !== "context");
  if (core.length === 0) return make("p", { class: "soft small" }, "The operations are not in the history.");
  const processes = anomaly.lanes.filter((process) => !folded || core.some((operation) => operation.process === process));
  const nodes = nodesOf(anomaly, core, strips);
  const names = [...processes.map((lane) => `client ${lane}`), ...nodes.map((strip) => strip.node)];
  const left = 14 + Math.min(140, Math.max(...names.map((name) => measure(name, 12, 600)), 40));
  const layout = placeMoments(anomaly, core, width, left);
  const total = Math.max(width, layout.right + 12);
  const top = 10 + 18 * Math.min(anomaly.faults.length, 3);
  const lanes = new Map();
  let bottom = top;
  for (const process of processes) {
    const main = core.some((operation) => operation.process === process);
    lanes.set(process, { main, top: bottom, bar: bottom + (main ? 20 : 4), end: bottom + (main ? LANE : SIDE_LANE) });
    bottom = lanes.get(process).end;
  }
  const clientsEnd = bottom + 4;
  bottom = clientsEnd + nodes.length * NODE_LANE + (nodes.length > 0 ? 6 : 0);
  const svg = draw("svg", {
    width: total, height: bottom + 24, viewBox: `0 0 ${total} ${bottom + 24}`,
    role: "group", "aria-label": `The anomaly drawn: ${counted(processes.length, "client")}, ${counted(core.length, "operation")}`,
  });
  drawAxis(svg, anomaly, layout, top, bottom, total);
  drawFaultsInForce(svg, anomaly, layout, left, total);
  for (const [process, lane] of lanes) {
    svg.append(
      draw("line", { class: "axis", x1: 0, x2: total, y1: lane.end, y2: lane.end }),
      draw("text", { x: 10, y: lane.bar + 12, "font-size": 12, "font-weight": lane.main ? 600 : 400, class: `lane ${lane.main ? "" : "faint"}` }, `client ${process}`),
    );
  }
  const bars = new Map();
  for (const operation of anomaly.operations) {
    const lane = lanes.get(operation.process);
    if (!lane) continue;
    const x1 = between(layout, anomaly, operation.at[0], operation.time[0]);
    const open = operation.outcome === "info";
    const ended = operation.at[1] !== null;
    let x2 = ended ? between(layout, anomaly, operation.at[1], operation.time[1]) : x1 + 26;
    x2 = Math.max(x2, x1 + (operation.part === "context" ? 2 : 6));
    bars.set(operation.id, { operation, x1, x2, y: lane.bar, open });
  }
  const drawn = [...bars.values()];
  nodes.forEach((strip, i) => drawNodeLane(svg, anomaly, layout, strip, drawn, { top: clientsEnd + 4 + i * NODE_LANE, left, total }));
  for (const bar of drawn.filter((bar) => bar.operation.part === "context")) svg.append(drawBar(bar, layout, choose));
  const groups = new Map();
  for (const bar of drawn.filter((bar) => bar.operation.part !== "context")) {
    const group = drawBar(bar, layout, choose);
    groups.set(bar.operation.id, group);
    svg.append(group);
  }
  anomaly.edges.forEach((edge, i) => drawEdge(svg, bars.get(edge.before), bars.get(edge.after), i, edge.why));
  for (const bar of drawn.filter((bar) => bar.operation.part !== "context")) svg.append(drawLabel(bar, drawn, total));
  if (partial) drawSteps(svg, bars, partial, upTo);
  svg.dataset.lanes = String(processes.length);
  const culprit = drawn.find((bar) => bar.operation.part === "culprit");
  return { svg, groups, culprit: culprit ? culprit.x2 : 0 };
}

/** The nodes that answered, and those that led meanwhile. */
function nodesOf(anomaly, core, strips) {
  if (!anomaly.timed || !strips) return [];
  const from = Math.min(...core.map((operation) => operation.time[0]));
  const to = Math.max(...core.map((operation) => operation.time[1] ?? operation.time[0]));
  const asked = new Set(core.map((operation) => operation.node));
  const led = (strip) => strip.stretches.some((stretch) => stretch.role === "leader" && stretch.from <= to && stretch.to >= from);
  return strips.filter((strip) => strip.stretches.length > 0 && (asked.has(strip.node) || led(strip))).slice(0, 7);
}

/** The place of a moment between those of the counterexample; what lies outside is at the edges. */
function placeOfTime(layout, time, left, total) {
  const { order, moments, place } = layout;
  if (time <= moments.get(order[0])) return left;
  if (time >= moments.get(order[order.length - 1])) return total;
  const i = Math.max(1, order.findIndex((at) => moments.get(at) > time));
  const [a, b] = [order[i - 1], order[i]];
  const part = (time - moments.get(a)) / (moments.get(b) - moments.get(a) || 1);
  return place.get(a) + part * (place.get(b) - place.get(a));
}

/** What a node took itself for, and a mark wherever it answered. */
function drawNodeLane(svg, anomaly, layout, strip, bars, { top, left, total }) {
  svg.append(draw("text", { x: 10, y: top + 12, "font-size": 12, "font-weight": 600 }, fit(strip.node, left - 16, 12, 600), draw("title", {}, strip.node)));
  const first = layout.moments.get(layout.order[0]);
  const last = layout.moments.get(layout.order[layout.order.length - 1]);
  for (const stretch of strip.stretches) {
    if (stretch.to < first || stretch.from > last) continue;
    const x1 = placeOfTime(layout, stretch.from, left, total);
    const x2 = Math.max(placeOfTime(layout, stretch.to, left, total), x1 + 1);
    svg.append(roleShape(strip.node, stretch, x1, x2, top, 15));
  }
  for (const { operation, x2: x, open } of bars) {
    // Of what ended unknown, or never, nobody knows whether the node answered.
    if (operation.node !== strip.node || operation.part === "context" || open) continue;
    svg.append(draw("path", { class: `answered ${operation.part === "culprit" ? "culprit" : ""}`, d: `M${x} ${top - 1}l4.5 8.5l-4.5 8.5l-4.5 -8.5Z` },
      draw("title", {}, `${strip.node}: ${operation.label}`)));
  }
}

function drawAxis(svg, anomaly, layout, top, bottom, total) {
  svg.append(draw("line", { class: "axis", x1: 0, x2: total, y1: top - 4, y2: top - 4 }));
  let free = -Infinity;
  let before = null;
  layout.order.forEach((at) => {
    const x = layout.place.get(at);
    svg.append(draw("line", { class: "grid", x1: x, x2: x, y1: top - 4, y2: bottom }));
    const time = layout.moments.get(at);
    const text = anomaly.timed ? `${time.toFixed(before !== null && time - before < 0.0015 ? 4 : 3)} s` : `event ${at}`;
    const half = measure(text, 11) / 2;
    const middle = clamp(x, half + 4, total - half - 4);
    if (middle - half < free) return;
    free = middle + half + 10;
    before = time;
    svg.append(draw("text", { x: middle, y: bottom + 14, "font-size": 11, "text-anchor": "middle", class: "faint" }, text));
  });
}

function drawFaultsInForce(svg, anomaly, layout, left, total) {
  anomaly.faults.slice(0, 3).forEach((fault, i) => {
    const [x1, x2] = [fault.from, fault.to].map((time) => placeOfTime(layout, time, left, total));
    const room = Math.max(total - x1 - 10, 60);
    svg.append(
      draw("rect", { class: "shade", x: x1, y: 4 + 18 * i, width: Math.max(x2 - x1, 3), height: 15, rx: 2 }),
      draw("text", { class: "halo", x: x1 + 6, y: 15.5 + 18 * i, "font-size": 11 }, fit(fault.label, room, 11), draw("title", {}, fault.label)),
    );
  });
  if (anomaly.faults.length > 0) {
    svg.append(draw("text", { x: 10, y: 15.5, "font-size": 11, class: "faint" }, "faults"));
  }
}

function drawBar(bar, layout, choose) {
  const { operation, x1, x2, y, open } = bar;
  const context = operation.part === "context";
  const kind = operation.part === "core" ? operation.outcome : operation.part;
  const group = draw("g", {
    class: "operation", tabindex: context ? null : 0, role: context ? "img" : "button", "aria-label": describe(operation, layout.timed),
    "data-operation": operation.id,
    click: () => choose(operation),
    keydown: (event) => { if (event.key === "Enter" || event.key === " ") { choose(operation); event.preventDefault(); } },
  });
  group.append(draw("rect", {
    class: `bar ${kind}`, x: x1, y: context ? y + 3 : y, width: x2 - x1, height: context ? BAR - 6 : BAR, rx: context ? 1.5 : 3,
  }));
  if (open) {
    // Nobody knows when it took effect, if ever: it stays open to the right.
    const end = Math.max(layout.right + 6, x2 + 10);
    const middle = y + BAR / 2;
    const kept = context ? "context" : "";
    group.append(
      draw("path", { class: `tail ${kept}`, d: `M${x2} ${middle}H${end - 6}` }),
      draw("path", { class: `tip ${kept}`, d: `M${end - 7} ${middle - 5}l7 5l-7 5` }),
    );
  }
  group.append(draw("title", {}, describe(operation, layout.timed)));
  return group;
}

function drawLabel(bar, all, total) {
  const { operation, x1, y } = bar;
  const later = all.filter((other) => other.operation.process === operation.process && other.operation.part !== "context" && other.x1 > x1);
  const end = Math.min(total - 4, ...later.map((other) => other.x1 - 4));
  const room = Math.max(end - x1, 40);
  const whole = measure(operation.label, 12, 600) <= room ? operation.label : operation.short;
  const label = fit(whole, room, 12, 600);
  const text = draw("text", { class: "halo", x: x1, y: y - 4.5, "font-size": 12, "pointer-events": "none" },
    draw("tspan", { "font-weight": 600 }, label));
  const rest = room - measure(label, 12, 600) - 6;
  const node = operation.node && rest > 12 ? fit(operation.node, rest, 11) : "";
  if (node) text.append(draw("tspan", { dx: 6, "font-size": 11, class: "faint" }, node));
  return text;
}

function drawEdge(svg, before, after, index, why) {
  if (!before || !after) return;
  const y1 = before.y + BAR / 2;
  const y2 = after.y + BAR / 2;
  const x1 = before.open ? before.x1 + 4 : before.x2;
  const x2 = after.x1 - 2;
  const level = Math.abs(y1 - y2) < 1;
  // Between lanes an S; within a lane, a bow beneath.
  const bend = Math.max(16, Math.min(60, Math.abs(x2 - x1) / 2));
  const path = level
    ? `M${x1} ${y1 + BAR / 2}C${x1 + 8} ${y1 + 22} ${x2 - 8} ${y1 + 22} ${x2} ${y1 + BAR / 2}`
    : `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
  const tip = level ? [x2, y1 + BAR / 2, -1.1] : [x2, y2, 0];
  const [middleX, middleY] = level ? [(x1 + x2) / 2, y1 + 18] : [(x1 + x2) / 2, (y1 + y2) / 2];
  const turn = `translate(${tip[0]} ${tip[1]}) rotate(${(tip[2] * 180) / Math.PI})`;
  svg.append(draw("g", { class: "contradiction" },
    draw("path", { class: "edge", d: path }),
    draw("path", { class: "head-of-edge", d: "M2 0L-6 -4L-6 4Z", transform: turn }),
    draw("circle", { class: "badge-edge", cx: middleX, cy: middleY, r: 8 }),
    draw("text", { x: middleX, y: middleY + 3.8 }, letter(index)),
    draw("title", {}, why)));
}

function letter(index) {
  return String.fromCharCode(97 + (index % 26));
}

function drawSteps(svg, bars, partial, upTo) {
  let reached = -Infinity;
  const badge = (id, text, { stuck, now }) => {
    const bar = bars.get(id);
    if (!bar) return;
    const last = bar.open ? Infinity : bar.x2 - 8;
    const x = stuck ? Math.max(bar.x1 + 8, Math.min(last, bar.x2 - 8)) : Math.max(bar.x1 + 8, Math.min(last, reached + 16));
    if (!stuck) reached = x;
    const middle = bar.y + BAR / 2;
    svg.append(draw("g", { "pointer-events": "none" },
      draw("circle", { class: `badge-step ${stuck ? "stuck" : ""} ${now ? "now" : ""}`, cx: x, cy: middle, r: now ? 10 : 8 }),
      draw("text", { x, y: middle + 3.8 }, text)));
  };
  const end = partial.steps.length;
  partial.steps.slice(0, upTo).forEach((step, i) => badge(step.operation, String(partial.skipped + i + 1), { now: i + 1 === upTo && upTo <= end }));
  if (upTo > end) partial.stuck.forEach((stuck) => badge(stuck.operation, "✗", { stuck: true }));
}
