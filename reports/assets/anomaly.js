// One anomaly: its story, its drawing, and the attempts at an order, step by step.

const ZOOM_MAX = 8;

function anomalyView(anomaly, strips) {
  const state = { attempt: 0, step: Infinity, folded: true, zoom: 1 };
  let groups = new Map();
  const partial = () => anomaly.partials[state.attempt];
  /** The steps, and one more in which it is seen that there is no next. */
  const lastStep = () => partial().steps.length + (partial().stuck.length > 0 ? 1 : 0);
  const step = () => clamp(state.step, partial().steps.length > 0 ? 1 : lastStep(), lastStep());
  const box = make("div", {
    class: "box", id: "anomaly-box", tabindex: 0, role: "group",
    "aria-label": "Drawing of the anomaly. Plus and minus zoom, 0 shows all, the arrow keys move.",
  });
  const attempt = make("div", { class: "attempt" });
  const tools = make("div", { class: "buttons tools", role: "group", "aria-label": "The drawing" });
  const told = make("div", { class: "told small", "aria-live": "polite" });
  const find = (id) => anomaly.operations.find((candidate) => candidate.id === id);
  const light = (id, on) => { const group = groups.get(id); if (group) group.classList.toggle("lit", on); };
  const label = (id) => {
    const operation = find(id);
    return operation ? [make("b", {}, operation.label), ` · client ${operation.process}`] : [`operation ${id}`];
  };
  const brief = (id) => { const operation = find(id); return operation ? operation.short : `operation ${id}`; };

  const choose = (operation) => {
    const moment = operation.time[1] ?? operation.time[0];
    groups.forEach((group, id) => group.classList.toggle("chosen", id === operation.id));
    told.replaceChildren(make("span", {}, describe(operation, anomaly.timed)), " ",
      make("button", { type: "button", click: () => { shared.setOperation(operation.id, "anomaly"); goTo(document.getElementById("history")); } }, "In the history"),
      ...(anomaly.timed ? [" ",
        make("button", { type: "button", click: () => { shared.setMoment(moment, "anomaly"); goTo(document.getElementById("logs")); } }, "Logs around it"), " ",
        make("button", { type: "button", click: () => { shared.setMoment(moment, "anomaly"); shared.setStretch(moment - 1, moment + 1); goTo(document.getElementById("time")); } }, "On the time axis")] : []));
  };
  const item = (id, sign, then, place) => make("li", {
    class: `${place > partial().steps.length ? "stuck" : ""} ${place > step() ? "later" : ""}`,
    "aria-current": place === step() ? "step" : null,
    mouseenter: () => light(id, true), mouseleave: () => light(id, false),
  }, make("button", { type: "button", class: "step", "aria-label": `Step ${sign}`, click: () => go(place) }, sign), label(id), make("span", { class: "then" }, then));
  const go = (place) => { state.step = place; render(); };
  const move = (name, by, text) => make("button", {
    type: "button", "data-move": name, click: () => go(step() + by), disabled: by < 0 ? step() <= 1 && "" : step() >= lastStep() && "",
  }, text);

  const showAttempt = () => {
    if (!partial()) return;
    const { steps, stuck, skipped } = partial();
    const focused = attempt.contains(document.activeElement) ? document.activeElement : null;
    const name = focused && (focused.dataset.move || focused.textContent);
    const buttons = anomaly.partials.map((_, i) => make("button", {
      type: "button", "aria-pressed": String(i === state.attempt), click: () => { state.attempt = i; state.step = Infinity; render(); },
    }, `Attempt ${i + 1}`));
    attempt.replaceChildren(...fragments([
      make("h3", {}, "How far an order can be found"),
      anomaly.partials.length > 1 && make("div", { class: "buttons", role: "group", "aria-label": "Attempts" }, buttons),
      lastStep() > 1 && make("div", { class: "buttons steps", role: "group", "aria-label": "Steps" },
        move("back", -1, "‹ Back"), move("next", 1, "Next ›")),
      make("ol", {},
        skipped > 0 && make("li", { class: "soft" }, `${counted(skipped, "step")} before these`),
        steps.map((one, i) => item(one.operation, String(skipped + i + 1), `then: ${one.state}`, i + 1)),
        stuck.map((one) => item(one.operation, "✗", `stuck: ${one.why}`, steps.length + 1))),
    ]));
    if (name) {
      const again = [...attempt.querySelectorAll("button")].find((button) => (button.dataset.move || button.textContent) === name && !button.disabled);
      (again || attempt.querySelector("button:not([disabled])")).focus();
    }
  };
  const showTools = () => {
    const main = new Set(anomaly.operations.filter((operation) => operation.part !== "context").map((operation) => operation.process));
    const others = anomaly.lanes.length - main.size;
    const focused = tools.contains(document.activeElement) ? document.activeElement.textContent : null;
    const zoomTo = (zoom) => { state.zoom = clamp(zoom, 1, ZOOM_MAX); render(); };
    tools.replaceChildren(...fragments([
      make("button", { type: "button", "aria-label": "Zoom in", click: () => zoomTo(state.zoom * 1.5) }, "+"),
      make("button", { type: "button", "aria-label": "Zoom out", click: () => zoomTo(state.zoom / 1.5) }, "−"),
      others > 0 && make("button", { type: "button", "aria-expanded": String(!state.folded), click: () => { state.folded = !state.folded; render(); } },
        state.folded ? `Show ${counted(others, "other client")}` : "Hide other clients"),
      anomaly.key !== null && make("button", { type: "button", click: () => { shared.searchKey(anomaly.key); goTo(document.getElementById("history")); } }, "All operations on this key"),
    ]));
    if (focused) ([...tools.children].find((button) => button.textContent === focused) || tools.lastChild).focus();
  };
  const render = () => {
    const figure = anomalyFigure(anomaly, {
      width: Math.max(box.clientWidth, 340) * state.zoom, partial: partial(), folded: state.folded, strips, upTo: partial() ? step() : 0, choose,
    });
    if (figure instanceof Node) { box.replaceChildren(figure); return; }
    groups = figure.groups;
    const focused = box.contains(document.activeElement) ? document.activeElement.dataset.operation : undefined;
    box.replaceChildren(figure.svg);
    if (focused !== undefined && groups.has(Number(focused))) groups.get(Number(focused)).focus({ preventScroll: true });
    // Where the drawing is wider than its box, the contradiction must be in sight all the same.
    box.scrollLeft = Math.max(0, figure.culprit + 40 - box.clientWidth);
    showTools();
    showAttempt();
  };
  const zoomBy = (factor) => { state.zoom = clamp(state.zoom * factor, 1, ZOOM_MAX); render(); };
  box.addEventListener("keydown", (event) => {
    const factor = { "+": 1.5, "=": 1.5, "-": 1 / 1.5, 0: 1e-9 }[event.key];
    if (factor && !event.ctrlKey && !event.metaKey) { zoomBy(factor); event.preventDefault(); }
  });
  box.addEventListener("wheel", (event) => {
    if (event.ctrlKey) { zoomBy(event.deltaY < 0 ? 1.25 : 0.8); event.preventDefault(); }
  }, { passive: false });
  dragToScroll(box);
  const view = make("div", {},
    make("p", { class: "story" }, anomaly.story),
    anomaly.evidence.length > 0 && make("p", { class: "story evidence-of" }, anomaly.evidence.join(" ")),
    make("div", { class: anomaly.partials.length > 0 ? "drawn" : "drawn alone" },
      make("div", {}, box, tools, told,
        make("ol", { class: "reasons" }, anomaly.edges.map((edge, i) => make("li", {},
          make("span", { class: "letter" }, letter(i)), make("span", {}, label(edge.before), " came before ", label(edge.after), `: ${edge.why}`)))),
        make("p", { class: "soft small" }, caption(anomaly, strips))),
      attempt),
    anomaly.ledger && ledgerView(anomaly.ledger),
    anomaly.severity && severityView(anomaly.severity),
    anomaly.cycle.length > 0 && cycleView(anomaly.cycle, label, brief));
  return { view, render };
}

/** A drawing that is wider than its box follows the pointer. */
function dragToScroll(box) {
  let held = null;
  box.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "mouse" && event.button === 0) held = { x: event.clientX, left: box.scrollLeft };
  });
  box.addEventListener("pointermove", (event) => { if (held) box.scrollLeft = held.left - (event.clientX - held.x); });
  for (const end of ["pointerup", "pointerleave"]) box.addEventListener(end, () => { held = null; });
}

const ANSWERS = { yes: ["✓", "holds"], no: ["✗", "broken"], unknown: ["?", "not known"] };

/** How wrong: the sizes in sentences, and a chip for each guarantee, with its meaning on hover and beneath. */
function severityView(severity) {
  const told = (level) => {
    const [, answer] = ANSWERS[level.answer];
    return `${level.meaning} ${level.name}: ${answer}${level.why ? `: ${level.why}` : ""}.`;
  };
  const broken = make("li", { class: "level no" }, "✗ linearizable");
  const chips = severity.levels.map((level) => make("li", { class: `level ${level.answer}`, title: told(level) },
    `${ANSWERS[level.answer][0]} ${level.name}`));
  return make("div", { class: "severity" },
    make("ul", { class: "sizes" }, severity.sizes.map((size) => make("li", {}, size))),
    chips.length > 0 && make("ul", { class: "levels", "aria-label": "Guarantees, the strongest first" }, broken, chips),
    chips.length > 0 && make("details", { class: "small" },
      make("summary", {}, "What these guarantees mean, and how they were broken"),
      make("dl", {}, severity.levels.map((level) => [
        make("dt", {}, `${ANSWERS[level.answer][0]} ${level.name}`),
        make("dd", {}, level.meaning, level.why && make("span", { class: "soft" }, ` ${ANSWERS[level.answer][1]}: ${level.why}.`)),
      ]))));
}

function fragments(children) {
  return children.filter((child) => child);
}

function caption(anomaly, strips) {
  const parts = [anomaly.timed ? "Time is stretched so that each step can be read; the order is exact." : "The history has no times: events in their order."];
  const context = anomaly.operations.filter((operation) => operation.part === "context").length;
  if (anomaly.core_left_out > 0) parts.push(`${counted(anomaly.core_left_out, "operation")} of the counterexample, far from the contradiction, ${anomaly.core_left_out === 1 ? "is" : "are"} not drawn.`);
  if (context > 0) parts.push(`Grey: ${counted(context, "other operation")} on the same key${anomaly.left_out > 0 ? `, ${whole(anomaly.left_out)} more not drawn` : ""}.`);
  if (anomaly.timed && strips && strips.length > 0) parts.push("A diamond: where the node answered.");
  parts.push("Select a bar for its details, and for the log lines around it.");
  parts.push(anomaly.confirmed ? "Confirmed by the exhaustive checker." : "Not confirmed by the exhaustive checker.");
  return parts.join(" ");
}
