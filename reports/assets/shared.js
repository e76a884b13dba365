// What the parts of the page share: the stretch of time that is looked at, the moment and the operation pointed at.

const shared = (() => {
  const state = { from: 0, to: 0, end: 0, moment: null, operation: null };
  const listeners = { stretch: [], moment: [], operation: [], key: [] };
  const tell = (kind, ...what) => listeners[kind].forEach((listener) => listener(...what));
  /** A link to the page at this place; never an entry in the browser's history. */
  const note = (hash) => {
    try { history.replaceState(null, "", hash); } catch { /* Where the page may not change its address, it does without. */ }
  };
  /** No stretch is shorter than this, in seconds. */
  const shortest = () => Math.max(state.end * 1e-6, 0.001);
  return {
    state,
    on: (kind, listener) => listeners[kind].push(listener),
    start: (end) => Object.assign(state, { from: 0, to: end, end }),
    isWhole: () => state.from <= 0 && state.to >= state.end,
    setStretch: (from, to) => {
      const length = clamp(to - from, shortest(), state.end);
      const start = clamp(from, 0, state.end - length);
      if (start === state.from && start + length === state.to) return;
      state.from = start;
      state.to = start + length;
      tell("stretch");
    },
    /** Zooms around a moment: a factor below one goes nearer. */
    zoom: (factor, around) => {
      const { from, to } = state;
      const middle = around === undefined || around === null ? (from + to) / 2 : clamp(around, from, to);
      shared.setStretch(middle - (middle - from) * factor, middle + (to - middle) * factor);
    },
    setMoment: (time, source) => {
      state.moment = time;
      if (state.end > 0 && (time < state.from || time > state.to)) {
        const half = (state.to - state.from) / 2;
        shared.setStretch(time - half, time + half);
      }
      note(`#t=${Number(time.toFixed(6))}`);
      tell("moment", time, source);
    },
    setOperation: (id, source) => {
      state.operation = id;
      note(`#op=${id}`);
      tell("operation", id, source);
    },
    /** Has the list of operations show those on a key. */
    searchKey: (key) => tell("key", key),
    /** Goes where the address says: `#t=12.402` is a moment, `#op=4604` an operation. */
    followAddress: () => {
      const moment = /^#t=(\d+(?:\.\d+)?)$/.exec(location.hash);
      if (moment) shared.setMoment(Number(moment[1]), "address");
      const operation = /^#op=(\d+)$/.exec(location.hash);
      if (operation) shared.setOperation(Number(operation[1]), "address");
    },
  };
})();

/** Brings a part of the page into view, and the keyboard to it. */
function goTo(element) {
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  element.scrollIntoView({ block: "start", behavior: calm ? "auto" : "smooth" });
  element.focus({ preventScroll: true });
}

/** Lets a browser draw and obey between two pieces of long work. */
function breathe() {
  return new Promise((resume) => { setTimeout(resume, 0); });
}
