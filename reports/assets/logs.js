// The logs of all nodes as one list, on the run's clock.

function logsView(logs) {
  const holder = make("div", {}, make("p", { class: "soft" }, logs.nodes.length > 0 ? "Reading the logs …" : "No node left a log."));
  const view = make("section", { "aria-labelledby": "logs" },
    make("h2", { id: "logs", tabindex: -1 }, "Node logs"),
    make("p", { class: "lead" }, logsCaption(logs)), holder);
  return {
    view,
    fail: (why) => holder.replaceChildren(make("p", {}, `The logs can't be shown: ${why}. They are in nodes/.`)),
    use: (lines, last) => { if (logs.nodes.length > 0) holder.replaceChildren(...logBrowser(logs, lines, last)); },
  };
}

function logsCaption(logs) {
  if (logs.nodes.length === 0) return "";
  const parts = [logs.aligned
    ? "What all nodes logged and what was done to them, on the run's clock. A node whose clock a fault moved stamps its lines with that clock."
    : "Node by node: the run did not record what its clock was to theirs."];
  const cut = logs.nodes.filter((node) => node.left_out > 0 || node.cut);
  if (cut.length > 0) {
    const told = cut.map((node) => `${node.node} ${counted(node.shown, "line")}${node.left_out > 0 ? ` of ${whole(node.shown + node.left_out)}` : ""}${node.cut ? ", the end of a longer file" : ""}`);
    parts.push(`Not all of it: ${told.join("; ")}. All is in nodes/.`);
  }
  return parts.join(" ");
}

function logBrowser(logs, lines, last) {
  const names = [...logs.nodes.map((node) => node.node), "faults", "violations"];
  let found = null;
  const told = make("p", { class: "small soft", "aria-live": "polite" });
  const whole_line = make("pre", { class: "log whole", hidden: "", tabindex: 0, "aria-label": "The whole line" });
  const at = (row) => lines[found === null ? row : found[row]];
  const list = longList({
    label: "Log lines. Arrow keys move, Enter shows the whole line.",
    heads: [["time, s", "number"], ["node", "node"], ["line", "line"]],
    fill: (cells, row) => {
      const [time, node, text] = at(row);
      cells[0].textContent = time === null ? "" : time.toFixed(6);
      cells[1].textContent = visible(names[node]);
      cells[2].textContent = visible(text);
      const level = /\b(ERROR|FATAL|panicked|WARN|warn|error)\b/.exec(text.slice(0, 120));
      if (node > logs.nodes.length) return "erred";
      return `${node === logs.nodes.length ? "of-fault" : ""} ${level ? (/warn/i.test(level[1]) ? "warned" : "erred") : ""}`;
    },
    choose: (row) => {
      const [time, node, text] = at(row);
      whole_line.hidden = false;
      whole_line.textContent = visible(`${time === null ? "" : `${time.toFixed(6)} s `}${names[node]}: ${text}`);
    },
  });
  list.view.classList.add("lines");
  const text = make("input", { type: "search", placeholder: "text" });
  const node = make("select", {}, make("option", { value: "" }, "any"), names.slice(0, logs.aligned ? names.length : -2).map((name, i) => make("option", { value: i }, name)));
  const run = () => {
    const words = text.value.trim().toLowerCase();
    const wanted = node.value === "" ? null : Number(node.value);
    found = words === "" && wanted === null ? null : lines.reduce((places, line, i) => {
      if ((wanted === null || line[1] === wanted) && (words === "" || line[2].toLowerCase().includes(words))) places.push(i);
      return places;
    }, []);
    list.setCount(found === null ? lines.length : found.length);
    told.textContent = found === null ? counted(lines.length, "line") : `${whole(found.length)} of ${counted(lines.length, "line")}`;
  };
  let typed = 0;
  text.addEventListener("input", () => { clearTimeout(typed); typed = setTimeout(run, TYPED_PAUSE_MS); });
  node.addEventListener("change", run);
  const showMoment = (time) => {
    if (!logs.aligned || list.count === 0) return;
    let row = 0;
    while (row < list.count - 1 && (at(row)[0] ?? -1) < time) row += 1;
    list.show(row);
  };
  shared.on("moment", showMoment);
  requestAnimationFrame(() => {
    run();
    if (shared.state.moment !== null) showMoment(shared.state.moment);
    else if (last) list.show(lines.length - 1);
  });
  new ResizeObserver(() => list.render()).observe(list.view);
  return [
    make("form", { class: "fields", role: "search", "aria-label": "Search the logs", submit: (event) => event.preventDefault() },
      make("label", { class: "field-text" }, "Text", text), make("label", {}, "Node", node)),
    told, list.view, whole_line,
  ];
}
