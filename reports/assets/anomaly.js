// The anomaly: a lane for each process, a bar for each operation, arrows for what contradicts, numbered steps
// for how far an order could be found.

const LANE = 42;
/** Lanes in which nothing of the counterexample happens are narrow. */
const SIDE_LANE = 24;
const BAR = 15;
/** How close moments, and how short labels, may get: the first that fits is taken. */
const DENSITIES = [[24, 330], [18, 150], [14, 100], [11, 78]];

/**
 * Gives every moment of the counterexample its place. Time is stretched: between two moments there is always
 * room to see them apart and to read the label of what begins there; what room is left goes to longer times.
 */
function placeMoments(anomaly, core, width, left) {
  const moments = new Map();
  const add = (at, time) => { if (at !== null) moments.set(at, time); };
  for (const operation of core) {
    add(operation.at[0], operation.time[0]);
    add(operation.at[1], operation.time[1]);
  }
  const order = [...moments.keys()].sort((a, b) => a - b);
  const place = new Map();
  const rank = new Map(order.map((at, i) => [at, i]));
  let layout = null;
  for (const [gap, label] of DENSITIES) {
    layout = layMoments(anomaly, distances(anomaly, core, rank, label), order, moments, { gap, width, left });
    if (layout.right <= width) break;
  }
  order.forEach((at, i) => place.set(at, layout.x[i]));
  return { order, moments, place, timed: anomaly.timed, right: Math.max(layout.right, width - 14) };
}

/** What must lie at least so far apart: [from, to, pixels]; `to` beyond the last moment is the right edge. */
function distances(anomaly, core, rank, label) {
  const apart = [];
  for (const lane of anomaly.lanes) {
    const own = core.filter((operation) => operation.process === lane).sort((a, b) => a.at[0] - b.at[0]);
    own.forEach((operation, i) => {
      const next = own[i + 1];
      const open = operation.outcome === "info";
      const need = Math.min(labelWidth(operation) + 14, label);
      apart.push([rank.get(operation.at[0]), next ? rank.get(next.at[0]) : rank.size, need]);
      if (operation.at[1] !== null && !open) apart.push([rank.get(operation.at[0]), rank.get(operation.at[1]), 34]);
    });
  }
  return apart;
}

function layMoments(anomaly, apart, order, moments, { gap, width, left }) {
  const lay = (extra) => {
    const x = [];
    for (let i = 0; i <= order.length; i += 1) {
      x[i] = i === 0 ? left + 14 : x[i - 1] + gap + (extra[i - 1] || 0);
      for (const [from, to, need] of apart) if (to === i && from < i) x[i] = Math.max(x[i], x[from] + need);
    }
    return x;
  };
  const tight = lay([]);
  const room = Math.max(0, width - 14 - tight[order.length]);
  const span = order.map((at, i) => {
    if (i + 1 === order.length) return 0.6;
    const long = anomaly.timed ? (moments.get(order[i + 1]) - moments.get(at)) * 1000 : order[i + 1] - at;
    return 1 + Math.log10(1 + Math.max(long, 0));
  });
  const sum = span.reduce((a, b) => a + b, 0) || 1;
  const x = lay(span.map((weight) => (room * weight) / sum));
  return { x, right: x[order.length] };
}

function labelWidth(operation) {
  const node = operation.node ? measure(`  ${operation.node}`, 11) : 0;
  return measure(operation.label, 12, 600) + node;
}

/** The place of any moment, between those that have one. */
function between(layout, anomaly, at, time) {
  const { order, moments, place } = layout;
  if (at <= order[0]) return place.get(order[0]) - (at < order[0] ? 12 : 0);
  const last = order[order.length - 1];
  if (at >= last) return at > last ? layout.right : place.get(last);
  let i = order.findIndex((moment) => moment > at);
  i = Math.max(i, 1);
  const [a, b] = [order[i - 1], order[i]];
  const [ta, tb] = [moments.get(a), moments.get(b)];
  const part = anomaly.timed && tb > ta ? (time - ta) / (tb - ta) : (at - a) / (b - a);
  return place.get(a) + clamp(part, 0, 1) * (place.get(b) - place.get(a));
}

function describe(operation, timed) {
  const parts = [operation.label, `client ${operation.process}`];
  if (operation.node) parts.push(`node ${operation.node}`);
  const [from, to] = operation.time;
  if (!timed) parts.push(operation.at[1] === null ? `from event ${operation.at[0]}, never ended` : `event ${operation.at[0]} to ${operation.at[1]}`);
  else parts.push(to === null ? `from ${from.toFixed(4)} s, never ended` : `${from.toFixed(4)} s to ${to.toFixed(4)} s`);
  if (operation.error) parts.push(operation.error);
  return parts.join(" · ");
}

/** Draws one anomaly into a box of so many pixels. */
function anomalyFigure(anomaly, width, partial) {
  const core = anomaly.operations.filter((operation) => operation.part !== "context");
  if (core.length === 0) return make("p", { class: "soft small" }, "The operations are not in the history.");
  const left = 14 + Math.max(...anomaly.lanes.map((lane) => measure(`client ${lane}`, 12, 600)), 40);
  const layout = placeMoments(anomaly, core, width, left);
  const total = Math.max(width, layout.right + 12);
  const top = 10 + 18 * Math.min(anomaly.faults.length, 3);
  const lanes = new Map();
  let bottom = top;
  for (const process of anomaly.lanes) {
    const main = core.some((operation) => operation.process === process);
    lanes.set(process, { main, top: bottom, bar: bottom + (main ? 20 : 4), end: bottom + (main ? LANE : SIDE_LANE) });
    bottom = lanes.get(process).end;
  }
  bottom += 4;
  const svg = draw("svg", {
    width: total, height: bottom + 24, viewBox: `0 0 ${total} ${bottom + 24}`,
    role: "group", "aria-label": `The anomaly drawn: ${counted(anomaly.lanes.length, "client")}, ${counted(core.length, "operation")}`,
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
  for (const bar of drawn.filter((bar) => bar.operation.part === "context")) svg.append(drawBar(bar, layout));
  const groups = new Map();
  for (const bar of drawn.filter((bar) => bar.operation.part !== "context")) {
    const group = drawBar(bar, layout);
    groups.set(bar.operation.id, group);
    svg.append(group);
  }
  anomaly.edges.forEach((edge, i) => drawEdge(svg, bars.get(edge.before), bars.get(edge.after), i, edge.why));
  for (const bar of drawn.filter((bar) => bar.operation.part !== "context")) svg.append(drawLabel(bar, drawn, total));
  if (partial) drawSteps(svg, bars, partial);
  svg.dataset.lanes = String(anomaly.lanes.length);
  const culprit = drawn.find((bar) => bar.operation.part === "culprit");
  return { svg, groups, culprit: culprit ? culprit.x2 : 0 };
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
  const first = layout.moments.get(layout.order[0]);
  const last = layout.moments.get(layout.order[layout.order.length - 1]);
  const place = (time) => {
    if (time <= first) return left;
    if (time >= last) return total;
    const i = Math.max(1, layout.order.findIndex((at) => layout.moments.get(at) > time));
    const [a, b] = [layout.order[i - 1], layout.order[i]];
    const part = (time - layout.moments.get(a)) / (layout.moments.get(b) - layout.moments.get(a) || 1);
    return layout.place.get(a) + part * (layout.place.get(b) - layout.place.get(a));
  };
  anomaly.faults.slice(0, 3).forEach((fault, i) => {
    const [x1, x2] = [place(fault.from), place(fault.to)];
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

function drawBar(bar, layout) {
  const { operation, x1, x2, y, open } = bar;
  const context = operation.part === "context";
  const kind = operation.part === "core" ? operation.outcome : operation.part;
  const group = draw("g", {
    class: "operation", tabindex: context ? null : 0, role: "img", "aria-label": describe(operation, layout.timed),
    "data-operation": operation.id,
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

function drawSteps(svg, bars, partial) {
  let reached = -Infinity;
  const badge = (id, text, stuck) => {
    const bar = bars.get(id);
    if (!bar) return;
    const last = bar.open ? Infinity : bar.x2 - 8;
    const x = stuck ? Math.max(bar.x1 + 8, Math.min(last, bar.x2 - 8)) : Math.max(bar.x1 + 8, Math.min(last, reached + 16));
    if (!stuck) reached = x;
    const middle = bar.y + BAR / 2;
    svg.append(draw("g", { "pointer-events": "none" },
      draw("circle", { class: `badge-step ${stuck ? "stuck" : ""}`, cx: x, cy: middle, r: 8 }),
      draw("text", { x, y: middle + 3.8 }, text)));
  };
  partial.steps.forEach((step, i) => badge(step.operation, String(partial.skipped + i + 1), false));
  partial.stuck.forEach((stuck) => badge(stuck.operation, "✗", true));
}

/** One anomaly: story, drawing, reasons, attempts. */
function anomalyView(anomaly) {
  let chosen = 0;
  let groups = new Map();
  const box = make("div", { class: "box", id: "anomaly-box" });
  const attempt = make("div", { class: "attempt" });
  const light = (id, on) => { const group = groups.get(id); if (group) group.classList.toggle("lit", on); };
  const label = (id) => {
    const operation = anomaly.operations.find((candidate) => candidate.id === id);
    return operation ? [make("b", {}, operation.label), ` · client ${operation.process}`] : [`operation ${id}`];
  };
  const item = (id, sign, then, stuck) => make("li", {
    class: stuck ? "stuck" : null,
    mouseenter: () => light(id, true), mouseleave: () => light(id, false),
  }, make("span", { class: "step" }, sign), label(id), make("span", { class: "then" }, then));
  const showAttempt = () => {
    const partial = anomaly.partials[chosen];
    if (!partial) return;
    const buttons = anomaly.partials.map((_, i) => make("button", {
      type: "button", "aria-pressed": String(i === chosen), click: () => { chosen = i; render(); },
    }, `Attempt ${i + 1}`));
    const focused = attempt.contains(document.activeElement);
    attempt.replaceChildren(...fragments([
      make("h3", {}, "How far an order can be found"),
      anomaly.partials.length > 1 && make("div", { class: "buttons", role: "group", "aria-label": "Attempts" }, buttons),
      make("ol", {},
        partial.skipped > 0 && make("li", { class: "soft" }, `${counted(partial.skipped, "step")} before these`),
        partial.steps.map((step, i) => item(step.operation, String(partial.skipped + i + 1), `then: ${step.state}`, false)),
        partial.stuck.map((stuck) => item(stuck.operation, "✗", `stuck: ${stuck.why}`, true))),
    ]));
    if (focused) attempt.querySelector("[aria-pressed=true]").focus();
  };
  const render = () => {
    const figure = anomalyFigure(anomaly, Math.max(box.clientWidth, 340), anomaly.partials[chosen]);
    if (figure instanceof Node) { box.replaceChildren(figure); return; }
    groups = figure.groups;
    box.replaceChildren(figure.svg);
    // Where the drawing is wider than its box, the contradiction must be in sight all the same.
    box.scrollLeft = Math.max(0, figure.culprit + 40 - box.clientWidth);
    showAttempt();
  };
  const view = make("div", {},
    make("p", { class: "story" }, anomaly.story),
    anomaly.severity && severityView(anomaly.severity),
    make("div", { class: anomaly.partials.length > 0 ? "drawn" : "drawn alone" },
      make("div", {}, box,
        make("ol", { class: "reasons" }, anomaly.edges.map((edge, i) => make("li", {},
          make("span", { class: "letter" }, letter(i)), make("span", {}, label(edge.before), " came before ", label(edge.after), `: ${edge.why}`)))),
        anomaly.cycle.length > 0 && cycleView(anomaly.cycle, label),
        make("p", { class: "soft small" }, caption(anomaly))),
      attempt));
  return { view, render };
}

const ANSWERS = { yes: ["✓", "holds"], no: ["✗", "broken"], unknown: ["?", "not known"] };

/** How wrong: the sizes in sentences, and a chip for each guarantee, with its meaning on hover and beneath. */
function severityView(severity) {
  const told = (level) => {
    const [, answer] = ANSWERS[level.answer];
    return `${level.meaning} ${level.name}: ${answer}${level.why ? `: ${level.why}` : ""}.`;
  };
  const chips = severity.levels.map((level) => make("li", { class: `level ${level.answer}`, title: told(level) },
    `${ANSWERS[level.answer][0]} ${level.name}`));
  return make("div", { class: "severity" },
    make("ul", { class: "sizes" }, severity.sizes.map((size) => make("li", {}, size))),
    chips.length > 0 && make("ul", { class: "levels", "aria-label": "Weaker guarantees" }, chips),
    chips.length > 0 && make("details", { class: "small" },
      make("summary", {}, "What these guarantees mean, and how they were broken"),
      make("dl", {}, severity.levels.map((level) => [
        make("dt", {}, `${ANSWERS[level.answer][0]} ${level.name}`),
        make("dd", {}, level.meaning, level.why && make("span", { class: "soft" }, ` ${ANSWERS[level.answer][1]}: ${level.why}.`)),
      ]))));
}

/** Why no order can exist: each came before the next, and the last before the first. */
function cycleView(cycle, label) {
  return make("div", { class: "cycle" },
    make("h3", {}, "Why there is no order: each had to come before the next, round in a circle"),
    make("ol", {}, cycle.map((edge) => make("li", {}, label(edge.before), " had to come before ", label(edge.after), `: ${edge.why}`))));
}

function fragments(children) {
  return children.filter((child) => child);
}

function caption(anomaly) {
  const parts = [anomaly.timed ? "Time is stretched so that each step can be read; the order is exact." : "The history has no times: events in their order."];
  const context = anomaly.operations.filter((operation) => operation.part === "context").length;
  if (context > 0) parts.push(`Grey: ${counted(context, "other operation")} on the same key${anomaly.left_out > 0 ? `, ${whole(anomaly.left_out)} more not drawn` : ""}.`);
  parts.push(anomaly.confirmed ? "Confirmed by the exhaustive checker." : "Not confirmed by the exhaustive checker.");
  return parts.join(" ");
}
