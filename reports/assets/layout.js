// Where the moments of an anomaly go: time is stretched so that each can be seen.

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
