// The run over time: throughput, latency, faults and nodes, one beneath the other on one axis.

const RIGHT = 14;
const ROW = 20;
const STRIP = 18;

/** Puts faults of one name into as few rows as can be without overlaps; each name has rows of its own. */
function faultRows(faults) {
  const rows = [];
  const names = [...new Set(faults.map((fault) => fault.name))];
  for (const fault of faults) {
    const kind = names.indexOf(fault.name);
    let row = rows.find((candidate) => candidate.kind === kind && candidate.end <= fault.from);
    if (!row) {
      row = { kind, name: fault.name, end: 0, faults: [] };
      rows.push(row);
    }
    row.faults.push(fault);
    row.end = fault.to;
  }
  return rows.sort((a, b) => a.kind - b.kind);
}

function timelineFigure(line, width, tell) {
  const rows = faultRows(line.faults);
  const names = [...rows.map((row) => row.name), ...line.nodes.map((strip) => strip.node), "ops per second"];
  const left = clamp(20 + Math.max(...names.map((name) => measure(name, 12))), 70, 130);
  const x = (time) => left + (time / line.to) * (width - left - RIGHT);
  const panels = { rate: { top: 26, height: 104 } };
  panels.latency = { top: panels.rate.top + panels.rate.height + 34, height: 132 };
  panels.faults = { top: panels.latency.top + panels.latency.height + 18, height: rows.length * ROW };
  panels.nodes = { top: panels.faults.top + panels.faults.height + (rows.length > 0 ? 12 : 0), height: line.nodes.length * STRIP };
  const bottom = panels.nodes.top + panels.nodes.height + (line.nodes.length > 0 ? 6 : 0);
  const svg = draw("svg", {
    width, height: bottom + 26, viewBox: `0 0 ${width} ${bottom + 26}`, role: "group",
    "aria-label": "The run over time: operations per second, latency, faults, and the role of each node",
  });
  const view = { svg, line, x, left, width, bottom, tell, wide: width - RIGHT };
  drawTimeAxis(view, panels.rate.top);
  drawShades(view, panels);
  drawThroughput(view, panels.rate);
  drawLatency(view, panels.latency);
  rows.forEach((row, i) => drawFaultRow(view, row, panels.faults.top + i * ROW));
  line.nodes.forEach((strip, i) => drawStrip(view, strip, panels.nodes.top + i * STRIP));
  addCursor(view, panels.rate.top);
  return svg;
}

function drawTimeAxis(view, top) {
  const { svg, line, x, bottom, left, wide } = view;
  for (const time of ticks(line.to, (wide - left) / 95)) {
    const text = `${short(time)} s`;
    const middle = Math.min(x(time), view.width - measure(text, 11) / 2 - 5);
    svg.append(
      draw("line", { class: "grid", x1: x(time), x2: x(time), y1: top, y2: bottom }),
      draw("text", { class: "faint", x: middle, y: bottom + 16, "font-size": 11, "text-anchor": "middle" }, text),
    );
  }
  svg.append(draw("line", { class: "axis", x1: left, x2: wide, y1: bottom, y2: bottom }));
}

function drawShades(view, panels) {
  const { svg, line, x } = view;
  const height = panels.latency.top + panels.latency.height - panels.rate.top;
  for (const fault of line.faults.filter((candidate) => candidate.in_force)) {
    svg.append(draw("rect", {
      class: "shade", x: x(fault.from), y: panels.rate.top, width: Math.max(x(fault.to) - x(fault.from), 1), height,
    }));
  }
}

function scaleMarks(view, marks, y, text) {
  for (const mark of marks) {
    view.svg.append(
      draw("line", { class: "grid", x1: view.left, x2: view.wide, y1: y(mark), y2: y(mark) }),
      draw("text", { class: "faint", x: view.left - 6, y: y(mark) + 4, "font-size": 11, "text-anchor": "end" }, text(mark)),
    );
  }
}

function drawThroughput(view, panel) {
  const { svg, line, x, left } = view;
  const { ok, fail, info } = line.throughput;
  const sums = ok.map((rate, i) => rate + fail[i] + info[i]);
  const high = Math.max(...sums, 1);
  const y = (rate) => panel.top + panel.height - (rate / high) * panel.height;
  svg.append(draw("text", { x: left, y: panel.top - 9, "font-size": 12, "font-weight": 600 }, "Operations ended per second"));
  scaleMarks(view, ticks(high, 3), y, short);
  const area = (low, top, name) => {
    let path = "";
    top.forEach((rate, i) => {
      if (rate <= low[i]) return;
      const [x1, x2] = [x(i * line.bucket), x(Math.min((i + 1) * line.bucket, line.to))];
      path += `M${x1.toFixed(1)} ${y(low[i]).toFixed(1)}V${y(rate).toFixed(1)}H${x2.toFixed(1)}V${y(low[i]).toFixed(1)}Z`;
    });
    if (path) svg.append(draw("path", { class: `area-${name}`, d: path }));
  };
  const failed = fail.map((rate, i) => ok[i] + rate);
  area(ok.map(() => 0), ok, "ok");
  area(ok, failed, "fail");
  area(failed, sums, "info");
}

function drawLatency(view, panel) {
  const { svg, line, x, left } = view;
  const { low, high, column_s: column, rows_per_decade: rows, points, p50, p99 } = line.latency;
  const decades = Math.max(high - low, 1);
  const y = (log) => panel.top + panel.height - ((log - low) / decades) * panel.height;
  svg.append(draw("text", { x: left, y: panel.top - 9, "font-size": 12, "font-weight": 600 }, "Latency",
    draw("tspan", { class: "faint", "font-weight": 400, dx: 6 }, "logarithmic")));
  const marks = [];
  for (let log = low; log <= high; log += 1) marks.push(log);
  scaleMarks(view, marks, y, (log) => (log >= 3 ? `${whole(10 ** (log - 3))} s` : log < 0 ? `${10 ** (log + 3)} µs` : `${10 ** log} ms`));
  for (const outcome of ["ok", "fail", "info"]) {
    const flat = points[outcome];
    const parts = [];
    for (let i = 0; i < flat.length; i += 2) {
      parts.push(`M${x(Math.min(flat[i] * column, line.to)).toFixed(1)} ${y(low + flat[i + 1] / rows).toFixed(1)}h0`);
    }
    if (parts.length > 0) svg.append(draw("path", { class: `points ${outcome}`, d: parts.join("") }));
  }
  for (const [name, values] of [["p99", p99], ["p50", p50]]) {
    let path = "";
    let pen = "M";
    values.forEach((value, i) => {
      if (value === null) { pen = "M"; return; }
      const middle = Math.min((i + 0.5) * line.bucket, line.to);
      path += `${pen}${x(middle).toFixed(1)} ${y(Math.log10(Math.max(value, 1e-3))).toFixed(1)}`;
      pen = "L";
    });
    svg.append(draw("path", { class: name, d: path }));
  }
}

/** A weave for each kind of fault, so that they can be told apart without colour. */
function weave(kind, x1, x2, top, height) {
  const parts = [];
  const step = 7;
  const lean = [height, -height, 0, height / 2, -height / 2, 0][kind % 6];
  for (let x = x1 - Math.abs(lean); x < x2 + Math.abs(lean); x += kind % 6 === 5 ? 3.5 : step) {
    // Each line is cut where it leaves the band.
    const [from, to] = [x, x + lean];
    const at = (part) => [from + (to - from) * part, top + height * (1 - part)];
    let [a, b] = [0, 1];
    if (lean !== 0) {
      const [first, second] = [(x1 - from) / lean, (x2 - from) / lean].sort((p, q) => p - q);
      a = Math.max(a, first);
      b = Math.min(b, second);
    } else if (from < x1 || from > x2) continue;
    if (a >= b) continue;
    const [start, end] = [at(a), at(b)];
    parts.push(`M${start[0].toFixed(1)} ${start[1].toFixed(1)}L${end[0].toFixed(1)} ${end[1].toFixed(1)}`);
  }
  return parts.join("");
}

function tellFault(fault) {
  const parts = [`${fault.name}: ${fault.what}`];
  if (fault.nodes.length > 0) parts.push(`on ${fault.nodes.join(", ")}`);
  parts.push(fault.in_force ? `${fault.from.toFixed(2)} s to ${fault.to.toFixed(2)} s, ${fault.outcome}` : `${fault.from.toFixed(2)} s, ${fault.outcome}`);
  if (fault.evidence) parts.push(`injected: ${fault.evidence}`);
  if (fault.healed) parts.push(`healed (${fault.healed}): ${fault.healed_evidence}`);
  else if (fault.in_force) parts.push("never healed");
  return parts.join(" · ");
}

function drawFaultRow(view, row, top) {
  const { svg, x, left, wide, tell } = view;
  const kind = row.kind % 6;
  svg.append(draw("text", { x: left - 8, y: top + 13, "font-size": 12, "text-anchor": "end" }, fit(row.name, left - 14, 12), draw("title", {}, row.name)));
  row.faults.forEach((fault, i) => {
    const told = tellFault(fault);
    const group = draw("g", {
      class: "fault", tabindex: 0, role: "img", "aria-label": told,
      focus: () => tell([make("b", {}, `${fault.name}: ${fault.what}`), told.slice(`${fault.name}: ${fault.what}`.length)]),
      mouseenter: () => tell([make("b", {}, `${fault.name}: ${fault.what}`), told.slice(`${fault.name}: ${fault.what}`.length)]),
    });
    const x1 = x(fault.from);
    const x2 = Math.max(x(fault.to), x1 + 3);
    if (fault.in_force) {
      group.append(
        draw("rect", { class: `fault-${kind} wash`, x: x1, y: top + 2, width: x2 - x1, height: 14 }),
        draw("path", { class: `fault-${kind} weave`, d: weave(kind, x1, x2, top + 2, 14) }),
        draw("rect", { class: `fault-${kind} edge-of-band ${fault.outcome}`, x: x1, y: top + 2, width: x2 - x1, height: 14 }),
      );
    } else {
      group.append(draw("path", { class: `fault-${kind} weave`, d: `M${x1 - 4} ${top + 5}l8 8m0 -8l-8 8` }));
    }
    const next = row.faults[i + 1];
    const room = Math.min(next ? x(next.from) - x1 : wide - x1, Math.max(x2 - x1, 0)) - 8;
    const label = fault.in_force && room > 22 ? fit(fault.what || fault.name, room, 10.5) : "";
    if (label.length > 2) group.append(draw("text", { class: "halo", x: x1 + 4, y: top + 12.7, "font-size": 10.5 }, label));
    group.append(draw("title", {}, told));
    svg.append(group);
  });
}

function drawStrip(view, strip, top) {
  const { svg, x, left } = view;
  svg.append(draw("text", { x: left - 8, y: top + 12, "font-size": 12, "text-anchor": "end" }, fit(strip.node, left - 14, 12), draw("title", {}, strip.node)));
  if (strip.stretches.length === 0) {
    svg.append(draw("text", { class: "faint", x: left, y: top + 12, "font-size": 11 }, "nothing recorded"));
  }
  let term = null;
  for (const stretch of strip.stretches) {
    const x1 = x(stretch.from);
    const x2 = Math.max(x(stretch.to), x1 + 0.8);
    const known = ["leader", "candidate", "follower", "down"].includes(stretch.role);
    const tall = stretch.role === "leader" ? 14 : 8;
    const y = top + 1 + (14 - tall) / 2;
    const name = stretch.term === null ? stretch.role : `${stretch.role}, term ${stretch.term}`;
    svg.append(draw("rect", { class: `role-${known ? stretch.role : "other"}`, x: x1, y, width: x2 - x1, height: tall },
      draw("title", {}, `${strip.node}: ${name}, ${stretch.from.toFixed(2)} s to ${stretch.to.toFixed(2)} s`)));
    if (stretch.role === "down") svg.append(draw("path", { class: "down-weave", d: weave(0, x1, x2, y, tall) }));
    if (stretch.term !== null && stretch.term !== term) {
      if (term !== null) svg.append(draw("line", { class: "term", x1, x2: x1, y1: top, y2: top + 16 }));
      term = stretch.term;
    }
    if (stretch.role === "leader" && stretch.term !== null) {
      const text = [`leader · term ${stretch.term}`, `term ${stretch.term}`, `${stretch.term}`].find((candidate) => measure(candidate, 10, 650) < x2 - x1 - 6);
      if (text) svg.append(draw("text", { class: "term-text role-leader-text", x: x1 + 4, y: top + 11.6, "pointer-events": "none" }, text));
    }
  }
}

/** What is told of a moment. */
function tellMoment(line, time) {
  const bucket = clamp(Math.floor(time / line.bucket), 0, line.throughput.ok.length - 1);
  const { ok, fail, info } = line.throughput;
  const parts = [`${short(ok[bucket])} ok/s, ${short(fail[bucket])} failed/s, ${short(info[bucket])} unknown/s`];
  const [p50, p99] = [line.latency.p50[bucket], line.latency.p99[bucket]];
  if (p50 !== null) parts.push(`p50 ${short(p50)} ms, p99 ${short(p99)} ms`);
  for (const fault of line.faults) if (fault.in_force && fault.from <= time && time <= fault.to) parts.push(`${fault.name}: ${fault.what}`);
  const of = (role) => line.nodes
    .map((strip) => [strip.node, strip.stretches.find((stretch) => stretch.from <= time && time < stretch.to)])
    .filter(([, stretch]) => stretch && stretch.role === role)
    .map(([node, stretch]) => (stretch.term === null ? node : `${node} (term ${stretch.term})`));
  if (of("leader").length > 0) parts.push(`leader ${of("leader").join(", ")}`);
  if (of("down").length > 0) parts.push(`down ${of("down").join(", ")}`);
  return [make("b", {}, `${time.toFixed(2)} s`), ` · ${parts.join(" · ")}`];
}

function addCursor(view, top) {
  const { svg, line, x, left, wide, bottom, tell } = view;
  const cursor = draw("line", { class: "cursor", y1: top, y2: bottom, x1: -9, x2: -9 });
  svg.append(cursor);
  let time = 0;
  const show = (moment) => {
    time = clamp(moment, 0, line.to);
    cursor.setAttribute("x1", x(time));
    cursor.setAttribute("x2", x(time));
    tell(tellMoment(line, time));
  };
  svg.addEventListener("pointermove", (event) => {
    if (event.target.closest && event.target.closest("g.fault")) return;
    const at = event.clientX - svg.getBoundingClientRect().left;
    if (at >= left && at <= wide) show(((at - left) / (wide - left)) * line.to);
  });
  svg.moveCursor = (steps) => show(time + steps * line.bucket);
}

const HINT = "Point at the figure, or focus it and use the arrow keys, to read values.";

function timelineView(line) {
  const readout = make("div", { class: "readout", "aria-live": "polite" }, HINT);
  const tell = (children) => readout.replaceChildren(...children);
  let svg = null;
  const scroller = make("div", {
    class: "scroll", tabindex: 0, role: "group", "aria-label": `Time axis. ${HINT}`,
    keydown: (event) => {
      const steps = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (steps && svg && event.target === scroller) { svg.moveCursor(steps); event.preventDefault(); }
    },
  });
  const render = () => {
    svg = timelineFigure(line, Math.max(scroller.clientWidth, 620), tell);
    scroller.replaceChildren(svg);
  };
  const view = make("section", { "aria-labelledby": "time" },
    make("h2", { id: "time" }, "Over time"),
    make("p", { class: "lead" }, timelineCaption(line)),
    make("figure", { class: "box" }, scroller, readout),
    timelineLegend(line));
  return { view, render };
}

function timelineCaption(line) {
  const { operations, drawn } = line.latency;
  const parts = [];
  parts.push(drawn < operations
    ? `${whole(operations)} operations fall on ${whole(drawn)} points (those on the same spot are drawn once).`
    : `${whole(operations)} operations, a point each.`);
  parts.push(`Rates and percentiles are per ${short(line.bucket)} s.`);
  if (line.unended > 0) parts.push(`${counted(line.unended, "operation")} never ended, and are in neither.`);
  if (line.nodes.some((strip) => strip.condensed)) parts.push("Nodes changed roles too often for every change to be drawn.");
  return parts.join(" ");
}

function timelineLegend(line) {
  const sample = (...shapes) => draw("svg", { width: 22, height: 14, "aria-hidden": "true" }, shapes);
  const block = (name) => sample(draw("rect", { class: name, x: 1, y: 2, width: 20, height: 10 }));
  const items = [
    [block("area-ok"), "ok"], [block("area-fail"), "failed"], [block("area-info"), "unknown outcome"],
    [sample(draw("path", { class: "p50", d: "M1 7H21" })), "p50 of ok"],
    [sample(draw("path", { class: "p99", d: "M1 7H21" })), "p99 of ok"],
  ];
  const names = [...new Set(line.faults.map((fault) => fault.name))];
  names.forEach((name, i) => {
    const kind = i % 6;
    items.push([sample(
      draw("rect", { class: `fault-${kind} wash`, x: 1, y: 1, width: 20, height: 12 }),
      draw("path", { class: `fault-${kind} weave`, d: weave(kind, 1, 21, 1, 12) }),
      draw("rect", { class: `fault-${kind} edge-of-band`, x: 1, y: 1, width: 20, height: 12 })), name]);
  });
  if (line.faults.some((fault) => !fault.in_force)) items.push([sample(draw("path", { class: "fault-0 weave", d: "M7 3l8 8m0 -8l-8 8" })), "skipped"]);
  if (line.nodes.length > 0) {
    items.push([block("role-leader"), "leader"], [block("role-candidate"), "candidate"], [block("role-follower"), "follower"]);
    items.push([sample(draw("rect", { class: "role-down", x: 1, y: 3, width: 20, height: 8 }), draw("path", { class: "down-weave", d: weave(0, 1, 21, 3, 8) })), "no answer"]);
    items.push([sample(draw("line", { class: "term", x1: 11, x2: 11, y1: 0, y2: 14 })), "new term"]);
  }
  return make("ul", { class: "legend" }, items.map(([picture, text]) => make("li", {}, picture, text)));
}
