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

/** What is drawn when the whole run is: computed when the report was made. */
function wholeRun(line) {
  const { low, high, column_s: column, rows_per_decade: rows, points, p50, p99, operations, drawn } = line.latency;
  const placed = (flat) => flat.map((value, i) => (i % 2 === 0 ? Math.min(value * column, line.to) : low + value / rows));
  return {
    from: 0, bucket: line.bucket, ended: operations, drawn, exact: true, throughput: line.throughput, low, high, p50, p99,
    points: { ok: placed(points.ok), fail: placed(points.fail), info: placed(points.info) },
  };
}

function timelineFigure(line, summary, stretch, width, tell) {
  const rows = faultRows(line.faults);
  const names = [...rows.map((row) => row.name), ...line.nodes.map((strip) => strip.node), "no majority", "ops per second"];
  const left = clamp(20 + Math.max(...names.map((name) => measure(name, 12))), 70, 130);
  const { from, to } = stretch;
  const wide = width - RIGHT;
  const x = (time) => left + ((clamp(time, from, to) - from) / (to - from)) * (wide - left);
  const inside = (start, end) => end >= from && start <= to;
  const panels = { rate: { top: 26, height: 104 } };
  panels.latency = { top: panels.rate.top + panels.rate.height + 34, height: 132 };
  let next = panels.latency.top + panels.latency.height + 18;
  const below = (height, gap) => { const top = next; next += height > 0 ? height + gap : 0; return { top, height }; };
  panels.faults = below(rows.length * ROW, 10);
  const without = withoutRows(line.measures);
  panels.without = below(without.length * ROW, 10);
  panels.nodes = below(line.nodes.length * STRIP, 8);
  panels.progress = line.progress.length > 0 ? below(96 + 26, 4) : null;
  const bottom = next;
  const svg = draw("svg", {
    width, height: bottom + 26, viewBox: `0 0 ${width} ${bottom + 26}`, role: "group",
    "aria-label": "The run over time: operations per second, latency, faults, the role of each node, and how far its log was committed",
  });
  const view = { svg, line, summary, stretch, x, inside, left, width, bottom, tell, wide };
  drawTimeAxis(view, panels.rate.top);
  drawShades(view, panels);
  drawThroughput(view, panels.rate);
  drawLatency(view, panels.latency);
  rows.forEach((row, i) => drawFaultRow(view, row, panels.faults.top + i * ROW));
  without.forEach((row, i) => drawWithout(view, row, panels.without.top + i * ROW));
  line.nodes.forEach((strip, i) => drawStrip(view, strip, panels.nodes.top + i * STRIP));
  if (panels.progress) drawProgress(view, panels.progress);
  for (const violation of line.violations) drawViolation(view, violation, panels.rate.top, bottom);
  addCursor(view, panels.rate.top);
  return svg;
}

/** Where a contradiction became certain: a line through all panels. */
function drawViolation(view, violation, top, bottom) {
  const { svg, x, inside } = view;
  if (!inside(violation.moment, violation.moment)) return;
  const at = x(violation.moment);
  svg.append(draw("g", { class: "violated" },
    draw("line", { x1: at, x2: at, y1: top, y2: bottom }),
    draw("path", { d: `M${at} ${top - 6}l5 6l-5 6l-5 -6z` }),
    draw("title", {}, `${violation.name}, ${violation.moment.toFixed(3)} s`)));
}

function drawTimeAxis(view, top) {
  const { svg, stretch, x, bottom, left, wide } = view;
  const length = stretch.to - stretch.from;
  const steps = ticks(length, (wide - left) / 95);
  const step = steps.length > 1 ? steps[1] : length;
  const digits = clamp(Math.ceil(-Math.log10(step)), 0, 6);
  for (let i = Math.ceil(stretch.from / step - 1e-9); i * step <= stretch.to + step * 1e-6; i += 1) {
    const time = i * step;
    const text = `${digits > 0 ? time.toFixed(digits) : short(time)} s`;
    const middle = Math.min(x(time), view.width - measure(text, 11) / 2 - 5);
    svg.append(
      draw("line", { class: "grid", x1: x(time), x2: x(time), y1: top, y2: bottom }),
      draw("text", { class: "faint", x: middle, y: bottom + 16, "font-size": 11, "text-anchor": "middle" }, text),
    );
  }
  svg.append(draw("line", { class: "axis", x1: left, x2: wide, y1: bottom, y2: bottom }));
}

function drawShades(view, panels) {
  const { svg, line, x, inside } = view;
  const height = panels.latency.top + panels.latency.height - panels.rate.top;
  for (const fault of line.faults.filter((candidate) => candidate.in_force && inside(candidate.from, candidate.to))) {
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
  const { svg, summary, stretch, x, left } = view;
  const { ok, fail, info } = summary.throughput;
  const sums = ok.map((rate, i) => rate + fail[i] + info[i]);
  const high = Math.max(...sums, 1);
  const y = (rate) => panel.top + panel.height - (rate / high) * panel.height;
  svg.append(draw("text", { x: left, y: panel.top - 9, "font-size": 12, "font-weight": 600 }, "Operations ended per second"));
  scaleMarks(view, ticks(high, 3), y, short);
  const area = (low, top, name) => {
    let path = "";
    top.forEach((rate, i) => {
      if (rate <= low[i]) return;
      const begin = summary.from + i * summary.bucket;
      if (begin > stretch.to || begin + summary.bucket < stretch.from) return;
      const [x1, x2] = [x(begin), x(begin + summary.bucket)];
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
  const { svg, summary, x, left, inside } = view;
  const { low, high, points, p50, p99 } = summary;
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
      if (inside(flat[i], flat[i])) parts.push(`M${x(flat[i]).toFixed(1)} ${y(flat[i + 1]).toFixed(1)}h0`);
    }
    if (parts.length > 0) svg.append(draw("path", { class: `points ${outcome}`, d: parts.join("") }));
  }
  for (const [name, values] of [["p99", p99], ["p50", p50]]) {
    let path = "";
    let pen = "M";
    values.forEach((value, i) => {
      const middle = summary.from + (i + 0.5) * summary.bucket;
      if (value === null || !inside(middle, middle)) { pen = "M"; return; }
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
  const { svg, x, left, wide, tell, inside } = view;
  const kind = row.kind % 6;
  svg.append(draw("text", { x: left - 8, y: top + 13, "font-size": 12, "text-anchor": "end" }, fit(row.name, left - 14, 12), draw("title", {}, row.name)));
  row.faults.forEach((fault, i) => {
    if (!inside(fault.from, fault.to)) return;
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
  const { svg, x, left, inside } = view;
  svg.append(draw("text", { x: left - 8, y: top + 12, "font-size": 12, "text-anchor": "end" }, fit(strip.node, left - 14, 12), draw("title", {}, strip.node)));
  if (strip.stretches.length === 0) {
    svg.append(draw("text", { class: "faint", x: left, y: top + 12, "font-size": 11 }, "nothing recorded"));
  }
  let term = null;
  for (const stretch of strip.stretches) {
    const begins = stretch.term !== null && stretch.term !== term;
    const known = term !== null;
    if (begins) term = stretch.term;
    if (!inside(stretch.from, stretch.to)) continue;
    const x1 = x(stretch.from);
    const x2 = Math.max(x(stretch.to), x1 + 0.8);
    svg.append(roleShape(strip.node, stretch, x1, x2, top + 1, 14));
    if (begins && known && inside(stretch.from, stretch.from)) svg.append(draw("line", { class: "term", x1, x2: x1, y1: top, y2: top + 16 }));
  }
}

/** What a node took itself for: tall if it led, woven if it did not answer. */
function roleShape(node, stretch, x1, x2, top, height) {
  const known = ["leader", "candidate", "follower", "down"].includes(stretch.role);
  const leads = stretch.role === "leader";
  const tall = leads ? height : 8;
  const y = top + (height - tall) / 2;
  const name = stretch.term === null ? stretch.role : `${stretch.role}, term ${stretch.term}`;
  const group = draw("g", {}, draw("rect", { class: `role-${known ? stretch.role : "other"}`, x: x1, y, width: x2 - x1, height: tall }),
    draw("title", {}, `${node}: ${name}, ${stretch.from.toFixed(2)} s to ${stretch.to.toFixed(2)} s`));
  if (stretch.role === "down") group.append(draw("path", { class: "down-weave", d: weave(0, x1, x2, y, tall) }));
  if (leads && stretch.term !== null) {
    const text = [`leader · term ${stretch.term}`, `term ${stretch.term}`, `${stretch.term}`].find((candidate) => measure(candidate, 10, 650) < x2 - x1 - 6);
    if (text) group.append(draw("text", { class: "term-text role-leader-text", x: x1 + 4, y: top + height - 3.4, "pointer-events": "none" }, text));
  }
  return group;
}

/** When something was missing: no operation ended ok, no leader had a majority. */
function withoutRows(measures) {
  const rows = [];
  if (measures.unavailable.gaps.length > 0) rows.push({ name: "nothing ok", gaps: measures.unavailable.gaps });
  if (measures.quorum && measures.quorum.without.length > 0) rows.push({ name: "no majority", gaps: measures.quorum.without });
  return rows;
}

function drawWithout(view, row, top) {
  const { svg, x, left, inside } = view;
  svg.append(draw("text", { x: left - 8, y: top + 13, "font-size": 12, "text-anchor": "end" }, row.name));
  for (const [from, to] of row.gaps.filter(([start, end]) => inside(start, end))) {
    const [x1, x2] = [x(from), Math.max(x(to), x(from) + 2)];
    svg.append(draw("g", {},
      draw("rect", { class: "without", x: x1, y: top + 3, width: x2 - x1, height: 12 }),
      draw("path", { class: "down-weave", d: weave(1, x1, x2, top + 3, 12) }),
      draw("title", {}, `${row.name}: ${from.toFixed(2)} s to ${to.toFixed(2)} s`)));
  }
}

const DASHES = ["", "7 3", "2 2", "9 3 2 3", "4 4", "12 3"];

/** How far each node's log is committed; where a node has applied less, a thin line beneath. */
function drawProgress(view, panel) {
  const { svg, line, x, left, inside, stretch } = view;
  const top = panel.top + 22;
  const height = panel.height - 26;
  svg.append(draw("text", { x: left, y: panel.top + 13, "font-size": 12, "font-weight": 600 }, "Log position committed",
    draw("tspan", { class: "faint", "font-weight": 400, dx: 6 }, "thin: applied")));
  const series = line.progress.map((node) => {
    const points = [];
    for (let i = 0; i < node.points.length; i += 3) points.push(node.points.slice(i, i + 3));
    // One point beyond either end, so that lines reach the edges.
    return { node: node.node, points: points.filter(([time], i) => inside(time, time) || inside(points[i + 1]?.[0] ?? -1, points[i + 1]?.[0] ?? -1) || inside(points[i - 1]?.[0] ?? -1, points[i - 1]?.[0] ?? -1)) };
  });
  const all = series.flatMap((node) => node.points.flatMap(([, commit, applied]) => [commit, applied])).filter((index) => index >= 0);
  if (all.length === 0) return;
  const low = stretch.from > 0 ? Math.min(...all) : 0;
  const high = Math.max(...all, low + 1);
  const y = (index) => top + height - ((index - low) / (high - low)) * height;
  const steps = ticks(high - low, 3);
  const step = Math.max(steps.length > 1 ? steps[1] : 1, 1);
  const marks = [];
  for (let mark = Math.ceil(low / step) * step; mark <= high; mark += step) marks.push(mark);
  scaleMarks(view, marks, y, (mark) => whole(mark));
  series.forEach(({ node, points }, n) => {
    const path = (of) => {
      let [d, pen] = ["", "M"];
      for (const point of points) {
        if (point[of] < 0) { pen = "M"; continue; }
        d += `${pen}${x(point[0]).toFixed(1)} ${y(point[of]).toFixed(1)}`;
        pen = "L";
      }
      return d;
    };
    const title = draw("title", {}, `${node}: log committed`);
    svg.append(
      draw("path", { class: `applied fault-line-${n % 6}`, d: path(2) }),
      draw("path", { class: `committed fault-line-${n % 6}`, d: path(1), "stroke-dasharray": DASHES[n % 6] || null }, title));
  });
}

/** What is told of a moment. */
function tellMoment({ line, summary }, time) {
  const { ok, fail, info } = summary.throughput;
  const bucket = clamp(Math.floor((time - summary.from) / summary.bucket), 0, ok.length - 1);
  const parts = [`${short(ok[bucket])} ok/s, ${short(fail[bucket])} failed/s, ${short(info[bucket])} unknown/s`];
  const [p50, p99] = [summary.p50[bucket], summary.p99[bucket]];
  if (p50 !== null) parts.push(`p50 ${short(p50)} ms, p99 ${short(p99)} ms`);
  for (const fault of line.faults) if (fault.in_force && fault.from <= time && time <= fault.to) parts.push(`${fault.name}: ${fault.what}`);
  const of = (role) => line.nodes
    .map((strip) => [strip.node, strip.stretches.find((stretch) => stretch.from <= time && time < stretch.to)])
    .filter(([, stretch]) => stretch && stretch.role === role)
    .map(([node, stretch]) => (stretch.term === null ? node : `${node} (term ${stretch.term})`));
  if (of("leader").length > 0) parts.push(`leader ${of("leader").join(", ")}`);
  if (of("down").length > 0) parts.push(`down ${of("down").join(", ")}`);
  return [make("b", {}, `${time.toFixed(3)} s`), ` · ${parts.join(" · ")}`];
}

function addCursor(view, top) {
  const { svg, stretch, x, inside, left, wide, bottom, tell } = view;
  const pinned = draw("line", { class: "pinned", y1: top, y2: bottom, x1: -9, x2: -9 });
  const cursor = draw("line", { class: "cursor", y1: top, y2: bottom, x1: -9, x2: -9 });
  svg.append(pinned, cursor);
  const place = (line, time) => {
    const at = time !== null && inside(time, time) ? x(time) : -9;
    line.setAttribute("x1", at);
    line.setAttribute("x2", at);
  };
  place(pinned, shared.state.moment);
  let time = shared.state.moment ?? stretch.from;
  const show = (moment) => {
    time = clamp(moment, stretch.from, stretch.to);
    place(cursor, time);
    tell(tellMoment(view, time));
  };
  const timeAt = (event) => {
    const at = event.clientX - svg.getBoundingClientRect().left;
    return at >= left && at <= wide ? stretch.from + ((at - left) / (wide - left)) * (stretch.to - stretch.from) : null;
  };
  svg.addEventListener("pointermove", (event) => {
    if (event.target.closest && event.target.closest("g.fault")) return;
    const at = timeAt(event);
    if (at !== null) show(at);
  });
  svg.addEventListener("click", (event) => {
    const at = timeAt(event);
    if (at !== null) shared.setMoment(at, "time");
  });
  svg.addEventListener("wheel", (event) => {
    const at = timeAt(event);
    if (!event.ctrlKey || at === null) return;
    event.preventDefault();
    shared.zoom(event.deltaY < 0 ? 0.8 : 1.25, at);
  }, { passive: false });
  /** Where the figure is wider than its box, the box follows. */
  const follow = () => {
    const box = svg.parentElement;
    const at = x(time);
    if (box && (at < box.scrollLeft || at > box.scrollLeft + box.clientWidth)) box.scrollLeft = at - box.clientWidth / 2;
  };
  svg.showMoment = (moment) => { place(pinned, moment); show(moment); follow(); };
  svg.moveCursor = (steps) => { show(time + steps * view.summary.bucket); follow(); };
  svg.cursorTime = () => time;
}

const HINT = "Point at the figure, or focus it and use the arrow keys, to read values. Enter marks the moment, plus and minus zoom, 0 shows the whole run.";

function timelineView(line) {
  const readout = make("div", { class: "readout", "aria-live": "polite" }, HINT);
  const tell = (children) => readout.replaceChildren(...children);
  const caption = make("p", { class: "lead" });
  const whole = wholeRun(line);
  let operations = null;
  let chosen = -1;
  let svg = null;
  let drawing = 0;
  const scroller = make("div", {
    class: "scroll", tabindex: 0, role: "group", "aria-label": `Time axis. ${HINT}`,
    keydown: (event) => {
      if (!svg || event.target !== scroller || event.ctrlKey || event.metaKey) return;
      const steps = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      const factor = { "+": 0.5, "=": 0.5, "-": 2 }[event.key];
      if (steps) svg.moveCursor(steps);
      else if (factor) shared.zoom(factor, svg.cursorTime());
      else if (event.key === "0") shared.setStretch(0, shared.state.end);
      else if (event.key === "Enter") shared.setMoment(svg.cursorTime(), "time");
      else return;
      event.preventDefault();
    },
  });
  const functions = make("label", { class: "choice", hidden: "" });
  const brush = brushView(line, functions);
  const summaryNow = () => {
    if (operations === null || (shared.isWhole() && chosen < 0)) return whole;
    return summarise(operations, shared.state.from, shared.state.to, chosen);
  };
  const render = () => {
    const summary = summaryNow();
    svg = timelineFigure(line, summary, shared.state, Math.max(scroller.clientWidth, 620), tell);
    scroller.replaceChildren(svg);
    caption.textContent = timelineCaption(line, summary, operations);
    brush.render();
  };
  const soon = () => {
    if (drawing) return;
    drawing = requestAnimationFrame(() => { drawing = 0; render(); });
  };
  shared.on("stretch", soon);
  shared.on("moment", (moment) => { if (svg) svg.showMoment(moment); brush.render(); });
  const view = make("section", { "aria-labelledby": "time" },
    make("h2", { id: "time", tabindex: -1 }, "Over time"),
    caption,
    make("figure", { class: "box" }, make("div", { class: "over" }, brush.view), scroller, readout),
    timelineLegend(line));
  return {
    view, render,
    /** From now on a stretch of time is drawn from the operations in it. */
    use: (read) => {
      operations = read;
      const names = ["all operations", ...read.lists.f];
      const select = make("select", { change: (event) => { chosen = Number(event.target.value); soon(); } },
        names.map((name, i) => make("option", { value: i - 1 }, name)));
      functions.append("Show ", select);
      functions.hidden = read.lists.f.length < 2;
      if (!shared.isWhole()) soon();
    },
  };
}

function timelineCaption(line, summary, operations) {
  const parts = [];
  parts.push(summary.drawn < summary.ended
    ? `${whole(summary.ended)} operations fall on ${whole(summary.drawn)} points (those on the same spot are drawn once).`
    : `${counted(summary.ended, "operation")}, a point each.`);
  parts.push(`Rates and percentiles are per ${short(summary.bucket)} s.`);
  if (!summary.exact && operations && operations.meta.one_in > 1) parts.push("Of this stretch only the operations that are in this page are counted.");
  if (!summary.exact && operations && operations.meta.tick > 1e-6) parts.push(`Times are rounded to ${span(operations.meta.tick)}.`);
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
    if (line.measures.unavailable.gaps.length > 0 || (line.measures.quorum && line.measures.quorum.without.length > 0)) {
      items.push([sample(draw("rect", { class: "without", x: 1, y: 2, width: 20, height: 10 }), draw("path", { class: "down-weave", d: weave(1, 1, 21, 2, 10) })), "nothing ended ok, or no leader had a majority"]);
    }
    line.progress.forEach((node, n) => items.push([sample(draw("path", { class: `committed fault-line-${n % 6}`, d: "M1 7H21", "stroke-dasharray": DASHES[n % 6] || null })), `log of ${node.node}`]));
    items.push([sample(draw("line", { class: "term", x1: 11, x2: 11, y1: 0, y2: 14 })), "new term"]);
  }
  return make("ul", { class: "legend" }, items.map(([picture, text]) => make("li", {}, picture, text)));
}
