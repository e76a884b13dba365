// The history: every operation in a list, which can be searched.

/** How many operations are looked at before the browser may draw again. */
const SEARCHED_AT_ONCE = 60_000;
const TYPED_PAUSE_MS = 120;

const HISTORY_HEADS = [["begin, s", "number"], ["took, ms", "number took"], ["client", "number client"], ["node", "node"], ["operation", "f"], ["key", "key"], ["value", "value"], ["outcome", "outcome"]];

/** How many digits of a second are known. */
function secondDigits(meta) {
  return clamp(Math.ceil(-Math.log10(meta.tick) - 1e-9), 3, 6);
}

function fillOperation(operations, cells, i) {
  const { meta, lists, begin, end, outcome } = operations;
  const digits = secondDigits(meta);
  const texts = [
    meta.timed ? begin[i].toFixed(digits) : whole(begin[i]),
    outcome[i] === 3 ? "" : meta.timed ? ((end[i] - begin[i]) * 1000).toFixed(digits - 3) : whole(end[i] - begin[i]),
    String(operations.process[i]), nameOf(lists.node, operations.node[i]), lists.f[operations.f[i]], nameOf(lists.key, operations.key[i]), actText(operations, i),
    OUTCOMES[outcome[i]],
  ];
  cells.forEach((cell, place) => { cell.textContent = visible(texts[place]); });
  return `outcome-${outcome[i]}`;
}

/** What is asked for, as numbers where there are numbers: none where nothing is asked. */
function asked(operations, fields) {
  const { lists } = operations;
  const text = (name) => fields[name].value.trim().toLowerCase();
  const time = (name) => (fields[name].value === "" ? null : Number(fields[name].value));
  const wanted = { process: text("client") === "" ? null : text("client"), from: time("from"), to: time("to"), text: text("text") };
  for (const name of ["f", "node", "outcome"]) wanted[name] = fields[name].value === "" ? null : Number(fields[name].value);
  const key = text("key");
  const raw = fields.key.value;
  // A key is first looked up among the keys: comparing numbers is all that is left to do for each operation.
  const exactly = (name) => name === raw;
  const nearly = (name) => name.toLowerCase() === key || name.toLowerCase() === `"${key}"`;
  const is = [exactly, nearly].find((test) => lists.key.some(test)) || ((name) => name.toLowerCase().includes(key));
  wanted.keys = raw === "" || (key === "" && is !== exactly) ? null : Uint8Array.from([0, ...lists.key.map((name) => (is(name) ? 1 : 0))]);
  return wanted;
}

function matches(operations, wanted, i) {
  const { process, f, key, node, outcome, begin, end } = operations;
  if (wanted.f !== null && f[i] !== wanted.f) return false;
  if (wanted.node !== null && node[i] !== wanted.node) return false;
  if (wanted.outcome !== null && outcome[i] !== wanted.outcome) return false;
  if (wanted.keys !== null && wanted.keys[key[i]] === 0) return false;
  if (wanted.from !== null && (outcome[i] === 3 ? false : end[i] < wanted.from)) return false;
  if (wanted.to !== null && begin[i] > wanted.to) return false;
  if (wanted.process !== null && String(process[i]) !== wanted.process) return false;
  if (wanted.text === "") return true;
  const { lists } = operations;
  return actText(operations, i).toLowerCase().includes(wanted.text)
    || (operations.error[i] > 0 && lists.error[operations.error[i] - 1].toLowerCase().includes(wanted.text));
}

/** The places of the operations that match; null if all do. Gives up as soon as `stale` says so. */
async function search(operations, wanted, stale) {
  const names = ["f", "node", "outcome", "keys", "from", "to", "process"];
  if (wanted.text === "" && names.every((name) => wanted[name] === null)) return null;
  const found = new Uint32Array(operations.count);
  let count = 0;
  for (let i = 0; i < operations.count; i += 1) {
    if (i % SEARCHED_AT_ONCE === SEARCHED_AT_ONCE - 1) {
      await breathe();
      if (stale()) return undefined;
    }
    if (matches(operations, wanted, i)) { found[count] = i; count += 1; }
  }
  return found.subarray(0, count);
}

function historyFields(operations, change) {
  const { lists } = operations;
  const input = (type, extra) => make("input", { type, input: change, ...extra });
  const select = (options) => make("select", { change }, make("option", { value: "" }, "any"), options.map(([value, name]) => make("option", { value }, name)));
  const present = new Set(operations.outcome);
  return {
    text: input("search", { placeholder: "value or error" }),
    key: input("search"), client: input("search", { inputmode: "numeric" }),
    f: select(lists.f.map((name, i) => [i, name])),
    outcome: select(OUTCOMES.map((name, i) => [i, name]).filter(([i]) => present.has(i))),
    node: select(lists.node.map((name, i) => [i + 1, name])),
    from: input("number", { step: "any", min: 0 }), to: input("number", { step: "any", min: 0 }),
  };
}

const FIELD_NAMES = { text: "Text", key: "Key", client: "Client", f: "Operation", outcome: "Outcome", node: "Node", from: "From, s", to: "To, s" };

function historyView(meta) {
  const holder = make("div", {}, make("p", { class: "soft" }, "Reading the operations …"));
  const view = make("section", { "aria-labelledby": "history" },
    make("h2", { id: "history", tabindex: -1 }, "All operations"),
    make("p", { class: "lead" }, historyCaption(meta)), holder);
  return {
    view,
    fail: (why) => holder.replaceChildren(make("p", {}, `The operations can't be shown: ${why}. They are in the history itself.`)),
    use: (operations) => holder.replaceChildren(...historyBrowser(operations)),
  };
}

function historyCaption(meta) {
  const parts = [];
  if (meta.kept < meta.operations) parts.push(`${whole(meta.kept)} of ${whole(meta.operations)} operations: all of those around the violations, and of the others one in ${whole(meta.one_in)}. The rest is in the history itself.`);
  else parts.push(meta.operations === 1 ? "The one operation there is." : `All ${whole(meta.operations)} of them.`);
  if (meta.timed && meta.tick > 1e-6) parts.push(`Times are rounded to ${span(meta.tick)}.`);
  if (!meta.timed) parts.push("The history has no times: events in their order.");
  if (meta.clipped) parts.push(`Values are cut to ${meta.value_chars} characters.`);
  return parts.join(" ");
}

function historyBrowser(operations) {
  let found = null;
  let searching = 0;
  let typed = 0;
  const told = make("p", { class: "small soft", "aria-live": "polite" });
  const detail = make("div", { class: "detail small", "aria-live": "polite" });
  const at = (row) => (found === null ? row : found[row]);
  const list = longList({
    label: "Operations. Arrow keys move, Enter shows all of one.",
    heads: operations.meta.timed ? HISTORY_HEADS : [["begin", "number"], ["events", "number took"], ...HISTORY_HEADS.slice(2)],
    fill: (cells, row) => fillOperation(operations, cells, at(row)),
    choose: (row) => detail.replaceChildren(...operationDetail(operations, at(row))),
  });
  const run = async () => {
    const mine = (searching += 1);
    const began = performance.now();
    const result = await search(operations, asked(operations, fields), () => mine !== searching);
    if (result === undefined || mine !== searching) return;
    found = result;
    list.setCount(found === null ? operations.count : found.length);
    told.textContent = found === null ? counted(operations.count, "operation") : `${whole(found.length)} of ${counted(operations.count, "operation")} match`;
    if (awaited !== null && list.count > 0) { list.show(row(awaited)); awaited = null; }
    list.view.dataset.searchMs = (performance.now() - began).toFixed(1);
    list.view.dataset.searches = String(searching);
  };
  const fields = historyFields(operations, () => { clearTimeout(typed); typed = setTimeout(run, TYPED_PAUSE_MS); });
  const row = (place) => (found === null ? place : Math.min(lowerBound(found, place), found.length - 1));
  let awaited = null;
  const showPlace = (place) => { if (list.count > 0) list.show(row(place)); else awaited = place; };
  shared.on("moment", (time, source) => { if (source !== "history") showPlace(lowerBound(operations.begin, time)); });
  shared.on("operation", (id, source) => {
    const place = rowOf(operations, id);
    if (place < 0) { detail.replaceChildren(make("p", {}, `Operation ${whole(id)} is not among those in this page.`)); return; }
    if (found !== null && found[row(place)] !== place) {
      for (const field of Object.values(fields)) field.value = "";
      clearTimeout(typed);
      found = null;
      list.setCount(operations.count);
      run();
    }
    showPlace(place);
    detail.replaceChildren(...operationDetail(operations, place));
    if (source === "address") goTo(document.getElementById("history"));
  });
  shared.on("key", (key) => { for (const field of Object.values(fields)) field.value = ""; fields.key.value = key; run(); });
  const stretch = operations.meta.timed && make("button", {
    type: "button", click: () => { fields.from.value = shared.state.from.toFixed(6); fields.to.value = shared.state.to.toFixed(6); run(); },
  }, "Only the stretch shown above");
  const clear = make("button", { type: "button", click: () => { for (const field of Object.values(fields)) field.value = ""; run(); } }, "Clear");
  const shownFields = Object.entries(fields).filter(([name]) => (operations.meta.timed || (name !== "from" && name !== "to")) && (name !== "node" || operations.lists.node.length > 0) && (name !== "key" || operations.lists.key.length > 0));
  const form = make("form", { class: "fields", role: "search", "aria-label": "Search the operations", submit: (event) => event.preventDefault() },
    shownFields.map(([name, field]) => make("label", { class: `field-${name}` }, FIELD_NAMES[name], field)),
    make("div", { class: "buttons" }, stretch, clear));
  requestAnimationFrame(run);
  new ResizeObserver(() => list.render()).observe(list.view);
  return [form, told, list.view, detail];
}

function operationDetail(operations, i) {
  const { lists, meta, begin, end, outcome } = operations;
  const id = operations.ids ? operations.ids[i] : i;
  const facts = [
    ["operation", whole(id)], ["client", String(operations.process[i])], ["node", nameOf(lists.node, operations.node[i])],
    ["asked", `${lists.f[operations.f[i]]} ${nameOf(lists.key, operations.key[i])} ${operations.input.kind[i] === NULL ? "" : valueText(operations, operations.input, i)}`],
    ["outcome", OUTCOMES[outcome[i]]], ["answer", outcome[i] === 0 ? valueText(operations, operations.output, i) : ""],
    ["saw", outcome[i] === 0 || operations.output.kind[i] === NULL || operations.output.kind[i] === SAME ? "" : valueText(operations, operations.output, i)], ["error", nameOf(lists.error, operations.error[i])],
    ["time", meta.timed ? `${begin[i].toFixed(secondDigits(meta))} s to ${outcome[i] === 3 ? "the end" : `${end[i].toFixed(secondDigits(meta))} s`}` : ""],
  ];
  const go = (where) => { shared.setMoment(outcome[i] === 3 ? begin[i] : end[i], "history"); goTo(document.getElementById(where)); };
  return [
    make("dl", { class: "facts" }, facts.filter(([, fact]) => fact !== "").map(([name, fact]) => [make("dt", {}, name), make("dd", {}, fact)])),
    make("div", { class: "buttons" }, meta.timed && [
      make("button", { type: "button", click: () => go("time") }, "On the time axis"),
      make("button", { type: "button", click: () => go("logs") }, "Logs around it")],
      make("a", { href: `#op=${id}` }, "Link to this operation")),
  ];
}
