// Numbers that people who run services ask for.

function span(seconds) {
  return seconds >= 1 ? `${short(seconds)} s` : `${short(seconds * 1000)} ms`;
}

function ms(milliseconds) {
  return span(milliseconds / 1000);
}

function latencyTable(rows) {
  const ms = (value) => make("td", { class: "number" }, short(value));
  return make("div", {},
    make("h3", {}, "Latency as clients saw it, ms"),
    table("counts", "Latency by function and outcome, in milliseconds",
      [["function"], ["outcome"], ["count", true], ["p50", true], ["p90", true], ["p99", true], ["max", true]],
      rows.map((row) => make("tr", {}, make("th", { scope: "row" }, row.f), make("td", {}, row.outcome), number(row.count), [row.p50, row.p90, row.p99, row.max].map(ms)))));
}

/** A moment that can be gone to. */
function momentButton(time) {
  return make("button", { type: "button", class: "moment", click: () => { shared.setMoment(time, "measures"); goTo(document.getElementById("time")); } }, `${time.toFixed(2)} s`);
}

function unavailableView(unavailable) {
  const { ok, gaps, total, longest, left_out: more, from_s: least } = unavailable;
  return make("div", {},
    make("h3", {}, "Unavailable"),
    ok === 0 && make("p", { class: "small" }, "No operation ended ok."),
    gaps.length === 0
      ? ok > 0 && make("p", { class: "small" }, `Never: nobody waited for ${span(least)} without an operation that ended ok.`)
      : [make("p", { class: "small" }, `${counted(gaps.length + more, "stretch", "stretches")} of ${span(least)} or more in which operations were pending and none ended ok: ${span(total)} in all, the longest ${span(longest)}.`),
        make("ul", { class: "plain small" }, gaps.slice(0, 12).map(([from, to]) => make("li", {}, momentButton(from), ` for ${span(to - from)}`)),
          gaps.length + more > 12 && make("li", {}, `and ${whole(gaps.length + more - 12)} more`))]);
}

function quorumView(quorum, silence) {
  if (!quorum) return make("div", {}, make("h3", {}, "Elections and quorum"), make("p", { class: "small soft" }, "The nodes do not tell whom they follow."));
  const { elections, without, healthy, resolution, left_out: more } = quorum;
  const lost = without.reduce((sum, [from, to]) => sum + to - from, 0);
  const took = (election) => (election.took > 0 ? `no leader for ${span(election.took)}` : `in less than ${span(resolution)}`);
  const lengths = elections.map((election) => election.took).sort((a, b) => a - b);
  return make("div", {},
    make("h3", {}, "Elections and quorum"),
    make("p", { class: "small" }, `A majority followed one leader for ${(healthy * 100).toFixed(healthy > 0.999 ? 2 : 1)} % of the time`,
      lost > 0 ? `, and for ${span(lost)} none. ` : ". ",
      `${counted(elections.length + more, "change")} of leader`, lengths.length > 0 ? `, the longest without one ${span(lengths[lengths.length - 1])}.` : "."),
    make("ul", { class: "plain small" }, elections.slice(0, 12).map((election) => make("li", {}, momentButton(election.at), ` ${election.node}`, election.term === null ? "" : `, term ${election.term}`, `: ${took(election)}`)),
      elections.length + more > 12 && make("li", {}, `and ${whole(elections.length + more - 12)} more`)),
    silence && make("p", { class: "small" }, `Heartbeats: in a second, the longest that a follower did not hear its leader was ${ms(silence.p50)} (median), ${ms(silence.p99)} (p99), ${ms(silence.max)} (worst).`),
    make("p", { class: "small soft" }, `Nodes were asked every ${span(resolution)}, and changes that their logs tell of are exact.`));
}

function measuresView(measures) {
  return make("section", { "aria-labelledby": "measures" },
    make("h2", { id: "measures" }, "Measures"),
    make("div", { class: "thirds" }, measures.latencies.length > 0 && latencyTable(measures.latencies), quorumView(measures.quorum, measures.silence), unavailableView(measures.unavailable)));
}
