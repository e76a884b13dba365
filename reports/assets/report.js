// The page: what is most urgent first.

const SIGNS = {
  valid: "M9 18.5l6 6L26 11",
  invalid: "M11 11l13 13M24 11L11 24",
  unknown: "M12.5 13.5a5 5 0 1 1 7 4.5c-1.4.7-2 1.5-2 3.2M17.5 26v.2",
  "not-exercised": "M11 17.5h13",
  "harness-failure": "M17.5 9.5v10.5M17.5 25v.3",
};

function sign(verdict) {
  return draw("svg", { class: "sign", viewBox: "0 0 35 35", "aria-hidden": "true" },
    draw("circle", { cx: 17.5, cy: 17.5, r: 16, fill: "currentColor" }),
    draw("path", { d: SIGNS[verdict] || "", class: "sign-mark", "stroke-width": 3.4, "stroke-linecap": "round", "stroke-linejoin": "round" }));
}

function headView(page) {
  const more = [...page.why, ...page.notes];
  const survived = page.anomalies.length === 0 ? page.survived : [];
  return make("header", {},
    make("div", { class: `head ${page.verdict}` },
      sign(page.verdict),
      make("h1", {}, make("span", { class: "word" }, page.word), make("span", { class: "name" }, page.run)),
      make("p", { class: "reason" }, page.reason),
      survived.length + more.length > 0 && make("div", { class: "more small" },
        survived.map((text) => make("p", {}, text)),
        more.length > 0 && make("ul", {}, more.map((text) => make("li", {}, text))))),
    make("p", { class: "brief" }, page.brief.map((text, i) => [i > 0 && make("span", { class: "dot", "aria-hidden": "true" }, "·"), make("span", {}, text)]),
      make("span", { class: "dot", "aria-hidden": "true" }, "·"), make("a", { href: "#facts" }, "all facts")),
    page.command && repeatView(page.command));
}

function repeatView(command) {
  const code = make("code", { tabindex: 0, "aria-label": "The command that repeats the run" }, command);
  const button = make("button", { type: "button" }, "Copy");
  const select = () => {
    const range = document.createRange();
    range.selectNodeContents(code);
    const selection = getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
  };
  button.addEventListener("click", async () => {
    select();
    try {
      await navigator.clipboard.writeText(command);
      button.textContent = "Copied";
    } catch {
      // A file opened from disk may not be let near the clipboard: the text is selected, and keys still work.
      button.textContent = document.execCommand("copy") ? "Copied" : "Press Ctrl+C";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  return make("div", { class: "repeat" }, make("span", { class: "soft" }, "Again:"), code, button);
}

/** What an anomaly is called. */
function named(anomaly) {
  return anomaly.key === null ? anomaly.name : `${anomaly.name} on key ${anomaly.key}`;
}

function anomaliesView(anomalies, more, strips) {
  let chosen = 0;
  const holder = make("div", {});
  const title = make("h2", { id: "anomaly" });
  const buttons = make("div", { class: "buttons", role: "group", "aria-label": "Violations" });
  let current = null;
  const choose = (i) => { chosen = i; show(); current.render(); };
  const show = () => {
    current = anomalyView(anomalies[chosen], strips);
    title.textContent = visible(named(anomalies[chosen]));
    holder.replaceChildren(current.view);
    const focused = buttons.contains(document.activeElement);
    buttons.replaceChildren(...anomalies.map((anomaly, i) => make("button", {
      type: "button", "aria-pressed": String(i === chosen), click: () => { choose(i); },
    }, `${i + 1}. ${named(anomaly)}`)));
    if (focused) buttons.querySelector("[aria-pressed=true]").focus();
  };
  show();
  const view = make("section", { class: "anomaly", "aria-labelledby": "anomaly" },
    anomalies.length > 1 && buttons,
    more > 0 && make("p", { class: "small soft" }, `${counted(more, "more violation")} ${more === 1 ? "is" : "are"} in verdict.json.`), title, holder);
  return { view, render: () => current.render() };
}

/** What is compressed is read when all else is there to be seen. */
async function readLarge(page, views) {
  const text = (id) => document.getElementById(id).textContent;
  const read = async (view, reading) => {
    try { view.use(...(await reading())); } catch (error) { view.fail(error.message); }
  };
  await breathe();
  await read(views.logs, async () => [await inflateJson(text("lines")), page.verdict === "harness-failure"]);
  await read(views.history, async () => {
    const operations = await readOperations(page.history, text("operations"));
    if (views.time) views.time.use(operations);
    return [operations];
  });
}

function start() {
  const began = performance.now();
  const page = JSON.parse(document.getElementById("data").textContent);
  const root = document.getElementById("page");
  const figures = [];
  const figure = (made) => { figures.push(made); return made.view; };
  shared.start(page.timeline ? page.timeline.to : 0);
  if (page.timeline) page.timeline.violations = page.anomalies.filter((anomaly) => anomaly.timed).map((anomaly) => ({ moment: anomaly.moment, name: named(anomaly) }));
  const views = { logs: logsView(page.logs), history: historyView(page.history), time: page.timeline && timelineView(page.timeline) };
  root.append(headView(page));
  if (page.anomalies.length > 0) root.append(figure(anomaliesView(page.anomalies, page.anomalies_left_out, page.timeline && page.timeline.nodes)));
  const messages = messagesView();
  if (messages) root.append(messages);
  const broken = page.verdict === "harness-failure";
  if (broken) root.append(views.logs.view);
  root.append(views.time
    ? figure(views.time)
    : make("p", { class: "lead untimed" }, "No event has a time, so there is nothing to show over time."));
  if (page.timeline) root.append(measuresView(page.timeline.measures));
  root.append(workView(page.work, page.verdict === "valid"), faultEvents(page.faults));
  if (page.history.operations > 0) root.append(views.history.view);
  if (!broken) root.append(views.logs.view);
  root.append(factsView(page));
  const render = () => figures.forEach((made) => made.render());
  render();
  if (messages) showEnd(messages);
  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth === width) return;
    width = innerWidth;
    requestAnimationFrame(render);
  });
  // For tests in a browser: where the drawing ended up, and how long it took.
  const box = document.getElementById("anomaly-box");
  if (box) root.dataset.anomalyBottom = String(Math.ceil(box.getBoundingClientRect().bottom + scrollY));
  root.dataset.overflow = String(document.documentElement.scrollWidth - document.documentElement.clientWidth);
  root.dataset.firstMs = (performance.now() - began).toFixed(1);
  root.dataset.ready = "true";
  addEventListener("hashchange", shared.followAddress);
  readLarge(page, views).then(() => {
    root.dataset.overflow = String(document.documentElement.scrollWidth - document.documentElement.clientWidth);
    root.dataset.readMs = (performance.now() - began).toFixed(1);
    root.dataset.read = "true";
    shared.followAddress();
    if (page.timeline && /^#t=/.test(location.hash)) goTo(document.getElementById("time"));
  });
}

start();
