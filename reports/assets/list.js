// A list of a million rows, of which only those in sight are elements of the page.

const ROW_HEIGHT = 26;
/** Browsers do not draw elements of any height: beyond this a pixel of the scrollbar is more than a row's pixel. */
const HEIGHT_MAX = 6_000_000;

/**
 * `heads`: [name, class] of each column. `fill(cells, row)`: writes a row into its cells, gives the row's class.
 * `choose(row)`: a row was chosen.
 */
function longList({ label, heads, fill, choose }) {
  const prefix = `list-${(longList.made = (longList.made || 0) + 1)}`;
  const rows = make("div", { class: "rows", role: "presentation" });
  const spacer = make("div", { class: "spacer", role: "rowgroup" }, rows);
  const head = make("div", { class: "row heads", role: "row", "aria-rowindex": 1 },
    heads.map(([name, kind]) => make("div", { role: "columnheader", class: kind }, name)));
  const view = make("div", { class: "list", role: "grid", tabindex: 0, "aria-label": label, "aria-rowcount": 1 },
    make("div", { class: "top", role: "rowgroup" }, head), spacer);
  const pool = [];
  const list = { view, count: 0, active: 0 };
  let first = 0;
  let scrolledTo = 0;
  /** The height for rows: the heads take one row's. */
  const space = () => Math.max(view.clientHeight - ROW_HEIGHT, ROW_HEIGHT);
  const inSight = () => space() / ROW_HEIGHT;
  const scaled = () => list.count * ROW_HEIGHT > HEIGHT_MAX;
  const height = () => Math.min(list.count * ROW_HEIGHT, HEIGHT_MAX);
  const furthest = () => Math.max(0, list.count - inSight());

  const drawRows = () => {
    const shown = Math.min(Math.ceil(inSight()) + 1, list.count);
    while (pool.length < shown) {
      const cells = heads.map(([, kind]) => make("div", { role: "gridcell", class: kind }));
      const row = make("div", { class: "row", role: "row", click: () => { setActive(row.index, false); choose(row.index); } }, cells);
      row.cells = cells;
      pool.push(row);
      rows.append(row);
    }
    const start = Math.floor(first);
    pool.forEach((row, i) => {
      const index = start + i;
      row.hidden = i >= shown || index >= list.count;
      if (row.hidden) { row.removeAttribute("id"); return; }
      row.index = index;
      row.id = `${prefix}-${index}`;
      row.setAttribute("aria-rowindex", String(index + 2));
      row.setAttribute("aria-selected", String(index === list.active));
      row.style.transform = `translateY(${Math.round((index - first) * ROW_HEIGHT)}px)`;
      row.className = `row ${fill(row.cells, index) || ""} ${index === list.active ? "active" : ""}`;
    });
    const drawn = pool.some((row) => !row.hidden && row.index === list.active);
    if (drawn) view.setAttribute("aria-activedescendant", `${prefix}-${list.active}`);
    else view.removeAttribute("aria-activedescendant");
  };
  const scrollTo = (row) => {
    first = clamp(row, 0, furthest());
    const room = height() - space();
    view.scrollTop = scaled() ? (first / Math.max(furthest(), 1)) * room : first * ROW_HEIGHT;
    scrolledTo = view.scrollTop;
    drawRows();
  };
  const setActive = (index, follow) => {
    list.active = clamp(index, 0, Math.max(0, list.count - 1));
    if (follow && (list.active < first || list.active > first + inSight() - 1)) {
      scrollTo(list.active < first ? list.active : list.active - Math.floor(inSight()) + 1);
    } else drawRows();
  };
  view.addEventListener("scroll", () => {
    if (view.scrollTop === scrolledTo) return;
    scrolledTo = view.scrollTop;
    const room = Math.max(1, height() - space());
    first = scaled() ? (view.scrollTop / room) * furthest() : view.scrollTop / ROW_HEIGHT;
    drawRows();
  }, { passive: true });
  view.addEventListener("wheel", (event) => {
    // Where the scrollbar is coarser than a row, the wheel still goes by rows.
    if (!scaled() || event.ctrlKey || event.deltaY === 0) return;
    event.preventDefault();
    scrollTo(first + (event.deltaMode === 1 ? event.deltaY : event.deltaY / ROW_HEIGHT));
  }, { passive: false });
  view.addEventListener("keydown", (event) => {
    const page = Math.max(1, Math.floor(inSight()) - 1);
    const to = { ArrowDown: list.active + 1, ArrowUp: list.active - 1, PageDown: list.active + page, PageUp: list.active - page, Home: 0, End: list.count - 1 }[event.key];
    if (to !== undefined) { setActive(to, true); event.preventDefault(); }
    else if ((event.key === "Enter" || event.key === " ") && list.count > 0) { choose(list.active); event.preventDefault(); }
  });
  Object.assign(list, {
    /** There are now so many rows. */
    setCount: (count) => {
      list.count = count;
      view.setAttribute("aria-rowcount", String(count + 1));
      spacer.style.height = `${height()}px`;
      list.active = clamp(list.active, 0, Math.max(0, count - 1));
      scrollTo(Math.min(first, furthest()));
    },
    /** Brings a row to the middle of the list, and makes it the active one. */
    show: (index) => {
      list.active = clamp(index, 0, Math.max(0, list.count - 1));
      scrollTo(list.active - Math.floor(inSight() / 2));
    },
    render: drawRows,
    scrollTo,
  });
  return list;
}
