// How hard the run looked, the faults and their evidence, the facts.

function chip(verdict, word) {
  return make("span", { class: `chip ${verdict}` }, word);
}

function number(value) {
  return make("td", { class: value === 0 ? "number zero" : "number" }, whole(value));
}

function table(kind, caption, heads, rows) {
  const head = heads.map(([text, numeric]) => make("th", { scope: "col", class: numeric ? "number" : null }, text));
  return make("div", { class: `scroll ${kind}`, tabindex: 0, role: "group", "aria-label": caption },
    make("table", {}, make("thead", {}, make("tr", {}, head)), make("tbody", {}, rows)));
}

/** Of a set or queue: what became of each item that something is wrong with. */
function ledgerView(ledger) {
  const rows = ledger.rows.map((row) => make("tr", {}, make("th", { scope: "row" }, row.item),
    [row.fate, row.added, row.missed, row.seen].map((text) => make("td", {}, text))));
  return make("div", { class: "ledger" },
    make("h3", {}, "What became of the items"),
    table("items", "Items that something is wrong with", [["item"], ["what became of it"], ["added"], ["against that"], ["last seen"]], rows),
    ledger.more && make("p", { class: "small soft" }, `And ${ledger.more}.`));
}

function operationsTable(work) {
  const sum = [0, 1, 2].map((i) => work.operations.reduce((total, [, counts]) => total + counts[i], 0));
  const row = (name, counts, total) => make("tr", { class: total ? "total" : null },
    make("th", { scope: "row" }, name), counts.map(number), number(counts.reduce((a, b) => a + b, 0)));
  const rows = work.operations.map(([f, counts]) => row(f, counts, false));
  if (rows.length > 1) rows.push(row("all", sum, true));
  return make("div", {},
    make("h3", {}, "Operations"),
    rows.length > 0
      ? table("operations", "Operations by function and outcome", [["function"], ["ok", true], ["failed", true], ["unknown", true], ["all", true]], rows)
      : make("p", { class: "soft" }, "None."),
    make("p", { class: "small soft" }, `Rate: ${work.rate}.`,
      work.achieved !== null && work.achieved < 0.9 ? make("b", {}, " The asked rate was not reached: clients had to wait, for the faults, the target or this machine.") : null));
}

function faultsTable(work) {
  const rows = work.faults.map((fault) => make("tr", {}, make("th", { scope: "row" }, fault.name),
    [fault.planned, fault.took, fault.skipped, fault.uncertain, fault.healed].map(number), make("td", {}, fault.hit || "–")));
  return make("div", {},
    make("h3", {}, "Faults"),
    rows.length > 0
      ? table("counts", "Faults by name", [["fault"], ["planned", true], ["took", true], ["skipped", true], ["uncertain", true], ["healed", true], ["roles hit"]], rows)
      : make("p", { class: "soft" }, "None."));
}

function checkView(check) {
  const parts = [];
  if (check.keys > 0) parts.push(`${counted(check.keys, "key")}, ${counted(check.operations, "operation")} judged${check.configurations > 0 ? `, ${counted(check.configurations, "state")} of the search visited` : ""}`);
  if (check.anomalies > 0) parts.push(`${check.anomalies} ${check.anomalies === 1 ? "violation" : "violations"}`);
  const open = check.open_keys.map(([key, verdict, events]) => make("li", {}, `key ${key}: ${verdict}${verdict === "invalid" ? `, certain only after the first ${counted(events, "event")}` : `; no violation in the first ${counted(events, "event")}`}`));
  if (check.open_keys_left_out > 0) open.push(make("li", {}, `and ${counted(check.open_keys_left_out, "more key")}`));
  return make("div", { class: "check" },
    make("h4", {}, chip(check.verdict, check.word), check.model ? `${check.checker} (${check.model})` : check.checker),
    make("p", {}, check.reason),
    parts.length > 0 && make("p", { class: "small soft" }, `${parts.join("; ")}.`),
    open.length > 0 && make("ul", {}, open),
    check.assumptions.length > 0 && make("div", { class: "small soft" }, "Assumed:", make("ul", {}, check.assumptions.map((text) => make("li", {}, text)))));
}

function workView(work, passed) {
  return make("section", { "aria-labelledby": "work" },
    make("h2", { id: "work" }, "How hard we looked"),
    make("p", { class: "lead" }, "A pass is worth as much as the work behind it."),
    make("div", { class: "tables" }, operationsTable(work), faultsTable(work)),
    Boolean(work.snapshots) && make("p", {}, `Snapshots: ${work.snapshots}.`),
    work.not_exercised.length > 0
      ? make("div", { class: "missing not-exercised" }, make("h3", {}, "Never exercised"), make("ul", {}, work.not_exercised.map((text) => make("li", {}, text))))
      : passed && (work.achieved !== null || work.faults.length > 0) && make("p", { class: "small soft" }, "Everything that was asked for was exercised."),
    make("h3", { class: "spaced" }, "Checks"),
    make("div", { class: "checks" }, work.checks.length > 0 ? work.checks.map(checkView) : make("p", { class: "soft" }, "No check was made.")));
}

function faultEvents(faults) {
  const rows = faults.rows.map((row) => make("tr", {},
    make("td", { class: "number" }, row.time.toFixed(3)), make("td", { class: "number" }, row.id), make("th", { scope: "row" }, row.name),
    make("td", {}, row.phase), make("td", {}, row.outcome ? make("span", { class: `chip ${{ took: "valid", skipped: "not-exercised", uncertain: "unknown" }[row.outcome]}` }, row.outcome) : ""),
    make("td", {}, row.what), make("td", {}, row.nodes.join(", ")), make("td", { class: "mono" }, row.links), make("td", { class: "evidence" }, row.evidence)));
  return make("section", { "aria-labelledby": "evidence" },
    make("h2", { id: "evidence" }, "Faults and their evidence"),
    make("p", { class: "lead" }, "Each fault is planned, injected and probed, healed and probed again."),
    rows.length > 0
      ? table("events", "Fault events", [["time, s", true], ["no.", true], ["fault"], ["phase"], ["outcome"], ["what"], ["nodes"], ["links cut"], ["evidence"]], rows)
      : make("p", { class: "soft" }, "No fault was injected."),
    faults.left_out > 0 && make("p", { class: "small soft" }, `${whole(faults.left_out)} more are in faults.jsonl.`));
}

function factsView(page) {
  return make("section", { "aria-labelledby": "facts" },
    make("h2", { id: "facts", tabindex: -1 }, "The run"),
    make("dl", { class: "facts" }, page.facts.map(([name, fact]) => [make("dt", {}, name), make("dd", {}, fact)])),
    page.plan && make("details", {}, make("summary", {}, "plan.toml"), make("pre", { class: "log", tabindex: 0 }, page.plan)));
}
