// The whole run as a small strip, and on it the stretch of time that all figures show.

const BRUSH_HEIGHT = 40;
/** How near to an end of the stretch the pointer takes hold of that end, in pixels. */
const GRIP = 9;

function brushView(line, choice) {
  const svg = draw("svg", { class: "brush", height: BRUSH_HEIGHT, width: 100, role: "group", "aria-label": "The whole run: drag to choose the stretch of time that is shown" });
  const tools = make("div", { class: "buttons", role: "group", "aria-label": "Stretch of time" },
    make("button", { type: "button", "aria-label": "Zoom in on time", click: () => shared.zoom(0.5, shared.state.moment) }, "+"),
    make("button", { type: "button", "aria-label": "Zoom out of time", click: () => shared.zoom(2, shared.state.moment) }, "−"),
    make("button", { type: "button", click: () => shared.setStretch(0, shared.state.end) }, "Whole run"));
  const told = make("span", { class: "small soft", "aria-live": "polite" });
  const view = make("div", { class: "brushing" }, svg, make("div", { class: "beneath" }, tools, choice, told));
  let width = 100;
  const x = (time) => (time / line.to) * width;
  const timeAt = (event) => clamp(((event.clientX - svg.getBoundingClientRect().left) / width) * line.to, 0, line.to);

  /** An end of the stretch, for the keyboard. */
  const handle = (which) => draw("rect", {
    class: "handle", width: 7, height: 22, y: 9, rx: 2, tabindex: 0, role: "slider", "aria-label": which === "from" ? "Begin of the stretch" : "End of the stretch",
    keydown: (event) => {
      const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 }[event.key];
      if (!steps) return;
      const { from, to } = shared.state;
      const by = steps * (line.to / 100);
      if (which === "from") shared.setStretch(Math.min(from + by, to), to); else shared.setStretch(from, Math.max(to + by, from));
      event.preventDefault();
    },
  });
  const handles = { from: handle("from"), to: handle("to") };
  const render = () => {
    width = Math.max(view.clientWidth, 120);
    const { from, to, moment } = shared.state;
    svg.setAttribute("width", width);
    const { ok, fail, info } = line.throughput;
    const high = Math.max(...ok.map((rate, i) => rate + fail[i] + info[i]), 1);
    const bars = ok.map((rate, i) => {
      const top = BRUSH_HEIGHT - ((rate + fail[i] + info[i]) / high) * (BRUSH_HEIGHT - 6);
      return `M${x(i * line.bucket).toFixed(1)} ${BRUSH_HEIGHT}V${top.toFixed(1)}H${x(Math.min((i + 1) * line.bucket, line.to)).toFixed(1)}V${BRUSH_HEIGHT}Z`;
    }).join("");
    for (const [which, time] of [["from", from], ["to", to]]) {
      handles[which].setAttribute("x", clamp(x(time) - 3.5, 0, width - 7));
      for (const [name, value] of [["valuemin", 0], ["valuemax", line.to], ["valuenow", time], ["valuetext", `${time.toFixed(3)} s`]]) handles[which].setAttribute(`aria-${name}`, String(value));
    }
    const focused = [...Object.values(handles)].find((one) => one === document.activeElement);
    svg.replaceChildren(
      draw("rect", { class: "brush-back", x: 0, y: 0, width, height: BRUSH_HEIGHT }),
      ...line.faults.filter((fault) => fault.in_force).map((fault) => draw("rect", { class: "shade", x: x(fault.from), y: 0, width: Math.max(x(fault.to) - x(fault.from), 1), height: BRUSH_HEIGHT })),
      draw("path", { class: "area-ok", d: bars }),
      draw("rect", { class: "outside", x: 0, y: 0, width: x(from), height: BRUSH_HEIGHT }),
      draw("rect", { class: "outside", x: x(to), y: 0, width: Math.max(width - x(to), 0), height: BRUSH_HEIGHT }),
      draw("rect", { class: "stretch", x: x(from), y: 0.5, width: Math.max(x(to) - x(from), 1), height: BRUSH_HEIGHT - 1 }),
      ...(moment === null ? [] : [draw("line", { class: "pinned", x1: x(moment), x2: x(moment), y1: 0, y2: BRUSH_HEIGHT })]),
      handles.from, handles.to);
    if (focused) focused.focus();
    told.textContent = shared.isWhole() ? `${short(line.to)} s, all of it` : `${from.toFixed(3)} s to ${to.toFixed(3)} s of ${short(line.to)} s`;
  };

  let held = null;
  svg.addEventListener("pointerdown", (event) => {
    const time = timeAt(event);
    const { from, to } = shared.state;
    const near = (edge) => Math.abs(x(edge) - x(time)) <= GRIP;
    if (near(from)) held = { fixed: to };
    else if (near(to)) held = { fixed: from };
    else if (!shared.isWhole() && time > from && time < to) held = { grip: time - from, length: to - from };
    else held = { fixed: time };
    svg.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  svg.addEventListener("pointermove", (event) => {
    if (!held) return;
    const time = timeAt(event);
    if (held.fixed === undefined) shared.setStretch(time - held.grip, time - held.grip + held.length);
    else if (Math.abs(x(time) - x(held.fixed)) > 3) shared.setStretch(Math.min(time, held.fixed), Math.max(time, held.fixed));
  });
  for (const end of ["pointerup", "pointercancel"]) svg.addEventListener(end, () => { held = null; });
  svg.addEventListener("dblclick", () => shared.setStretch(0, shared.state.end));
  return { view, render };
}
