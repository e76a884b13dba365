// The operations: read from the compressed columns that `src/columns` wrote.

const OUTCOMES = ["ok", "failed", "unknown", "never ended"];
const [NULL, SAME, PAIR, TEXT, INT] = [0, 1, 2, 3, 4];

async function inflate(base64) {
  const raw = atob(base64.trim());
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i += 1) bytes[i] = raw.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function inflateJson(base64) {
  return JSON.parse(new TextDecoder().decode(await inflate(base64)));
}

/** Reads one number after the other: seven bits a byte, the lowest first; all bytes but the first stand apart. */
function numbers({ first, rest }) {
  let [at, apart] = [0, 0];
  return () => {
    let byte = first[at];
    at += 1;
    let number = byte & 0x7f;
    let place = 128;
    while (byte & 0x80) {
      byte = rest[apart];
      apart += 1;
      number += (byte & 0x7f) * place;
      place *= 128;
    }
    return number;
  };
}

function unzigzag(number) {
  return number % 2 === 0 ? number / 2 : -(number + 1) / 2;
}

function column(bytes, into) {
  const next = numbers(bytes);
  for (let i = 0; i < into.length; i += 1) into[i] = next();
  return into;
}

/** What is known of the operations: `count` of them, a column for each thing. */
async function readOperations(meta, text) {
  const chunks = text.trim().split(" ");
  const bytes = {};
  for (const [i, name] of meta.columns.entries()) {
    const [first, rest] = chunks[i].split(".");
    bytes[name] = { first: await inflate(first), rest: await inflate(rest) };
  }
  const count = meta.kept;
  const lists = JSON.parse(new TextDecoder().decode(bytes.texts.first));
  const operations = {
    meta, count, lists,
    process: column(bytes.process, new Float64Array(count)),
    f: column(bytes.f, new Uint16Array(count)),
    key: column(bytes.key, new Uint32Array(count)),
    node: column(bytes.node, new Uint16Array(count)),
    outcome: column(bytes.outcome, new Uint8Array(count)),
    error: column(bytes.error, new Uint16Array(count)),
  };
  await breathe();
  readTimes(operations, bytes);
  await breathe();
  readValues(operations, bytes);
  operations.ids = bytes.id.first.length > 0 ? readIds(bytes.id, count) : null;
  return operations;
}

function readTimes(operations, bytes) {
  const { count, meta } = operations;
  const begin = new Float64Array(count);
  const end = new Float64Array(count);
  const [step, took] = [numbers(bytes.begin), numbers(bytes.took)];
  let ticks = 0;
  for (let i = 0; i < count; i += 1) {
    ticks += unzigzag(step());
    begin[i] = ticks * meta.tick;
    end[i] = (ticks + took()) * meta.tick;
    if (operations.outcome[i] === 3) end[i] = NaN;
  }
  Object.assign(operations, { begin, end });
}

function readIds(bytes, count) {
  const ids = new Uint32Array(count);
  const next = numbers(bytes);
  let id = 0;
  for (let i = 0; i < count; i += 1) {
    ids[i] = id + next();
    id = ids[i] + 1;
  }
  return ids;
}

/** Values: of which kind, and one or two numbers each. Integers are differences to the last one on the same key. */
function readValues(operations, bytes) {
  const { count, key, lists } = operations;
  const last = new Float64Array(lists.key.length + 1);
  let added = 0;
  const side = (source) => ({ next: numbers(source), kind: new Uint8Array(count), a: new Float64Array(count), b: new Float64Array(count) });
  const [input, output] = [side(bytes.input), side(bytes.output)];
  const step = (k, number) => { last[k] += unzigzag(number); return last[k]; };
  const read = (value, i) => {
    const code = value.next();
    value.kind[i] = Math.min(code, INT);
    if (code === PAIR) {
      value.a[i] = step(key[i], value.next());
      value.b[i] = step(key[i], value.next());
    } else if (code === TEXT) {
      const back = value.next();
      value.a[i] = back === 0 ? added : added - back;
      if (back === 0) added += 1;
    } else if (code >= INT) value.a[i] = step(key[i], code - INT);
  };
  for (let i = 0; i < count; i += 1) {
    read(input, i);
    read(output, i);
    if (output.kind[i] === SAME) {
      output.a[i] = input.a[i];
      output.b[i] = input.b[i];
    }
  }
  Object.assign(operations, { input, output });
}

function valueText(operations, value, i) {
  const kind = value === operations.output && value.kind[i] === SAME ? operations.input.kind[i] : value.kind[i];
  if (kind === NULL) return "null";
  if (kind === PAIR) return `[${value.a[i]}, ${value.b[i]}]`;
  return kind === TEXT ? operations.lists.value[value.a[i]] : String(value.a[i]);
}

/** What was asked and what came of it: `9`, `1→2, saw 5`, `3 → 4`. */
function actText(operations, i) {
  const { input, output, lists, outcome } = operations;
  const f = lists.f[operations.f[i]];
  const ok = outcome[i] === 0;
  if (f === "read" && input.kind[i] === NULL) return ok ? valueText(operations, output, i) : "";
  const asked = f === "cas" && input.kind[i] === PAIR ? `${input.a[i]}→${input.b[i]}` : valueText(operations, input, i);
  if (output.kind[i] === NULL || output.kind[i] === SAME) return input.kind[i] === NULL ? "" : asked;
  const found = valueText(operations, output, i);
  if (!ok) return `${asked}, saw ${found}`;
  return input.kind[i] === NULL ? `→ ${found}` : `${asked} → ${found}`;
}

const nameOf = (list, place) => (place === 0 ? "" : list[place - 1]);

/** The place of an operation by its number in the history; -1 if it was left out. */
function rowOf(operations, id) {
  if (!operations.ids) return id < operations.count ? id : -1;
  const row = lowerBound(operations.ids, id);
  return operations.ids[row] === id ? row : -1;
}

/** The first place whose number is not below. */
function lowerBound(sorted, number) {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < number) low = middle + 1; else high = middle;
  }
  return low;
}

const COLUMNS = 1000;
const ROWS_A_DECADE = 40;
const FINE_ROWS_A_DECADE = 100;
/** From a microsecond to a thousand seconds, in powers of ten of milliseconds. */
const [LOWEST, HIGHEST] = [-3, 6];

/** Throughput and latency of a stretch of time, of one function or of all (-1), as the timeline draws them. */
function summarise(operations, from, to, f) {
  const buckets = clamp(Math.ceil(operations.count / 20), 12, 120);
  const bucket = (to - from) / buckets;
  const counts = [0, 1, 2].map(() => new Float64Array(buckets));
  const decades = HIGHEST - LOWEST;
  const rows = decades * ROWS_A_DECADE + 1;
  const seen = [0, 1, 2].map(() => new Uint8Array((COLUMNS + 1) * rows));
  const points = { ok: [], fail: [], info: [] };
  const lists = [points.ok, points.fail, points.info];
  const fine = decades * FINE_ROWS_A_DECADE + 1;
  const histogram = new Uint32Array(buckets * fine);
  let [ended, drawn, low, high] = [0, 0, HIGHEST, LOWEST];
  const { begin, end, outcome } = operations;
  for (let i = 0; i < operations.count; i += 1) {
    const time = end[i];
    if (!(time >= from && time <= to) || (f >= 0 && operations.f[i] !== f)) continue;
    const lane = outcome[i];
    const place = Math.min(buckets - 1, Math.floor((time - from) / bucket));
    counts[lane][place] += 1;
    ended += 1;
    const log = clamp(Math.log10(Math.max((time - begin[i]) * 1000, 1e-3)), LOWEST, HIGHEST);
    if (log < low) low = log;
    if (log > high) high = log;
    if (lane === 0) histogram[place * fine + Math.round((log - LOWEST) * FINE_ROWS_A_DECADE)] += 1;
    const column = Math.round(((time - from) / (to - from)) * COLUMNS);
    const row = Math.round((log - LOWEST) * ROWS_A_DECADE);
    if (seen[lane][column * rows + row] === 0) {
      seen[lane][column * rows + row] = 1;
      lists[lane].push(from + (column / COLUMNS) * (to - from), LOWEST + row / ROWS_A_DECADE);
      drawn += 1;
    }
  }
  const rate = (count) => Array.from(count, (number) => Math.round((number / bucket) * 10) / 10);
  const quantile = (part) => Array.from({ length: buckets }, (_, place) => {
    let rank = Math.ceil(counts[0][place] * part);
    if (rank === 0) return null;
    let row = 0;
    for (; row < fine; row += 1) {
      rank -= histogram[place * fine + row];
      if (rank <= 0) break;
    }
    return Number((10 ** (LOWEST + row / FINE_ROWS_A_DECADE)).toPrecision(3));
  });
  return {
    from, bucket, ended, drawn, exact: false,
    throughput: { ok: rate(counts[0]), fail: rate(counts[1]), info: rate(counts[2]) },
    low: ended > 0 ? Math.floor(low) : 0, high: ended > 0 ? Math.floor(high) + 1 : 1,
    points, p50: quantile(0.5), p99: quantile(0.99),
  };
}
