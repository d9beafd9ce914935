// How charts look at the run: axis, smoothing, zoom, overlays, the chart in hand. It lives in the address, so a
// link shows the same.
const address = new URL(location);
const read = (name) => address.searchParams.get(name);
const AXES = ["step", "episode", "time"];
// What a person switches, and the kinds of marks each stands for.
export const OVERLAYS = {
  gates: ["verdict", "flip"],
  checkpoints: ["checkpoint", "segment"],
  phases: ["phase"],
  references: ["reference"],
};
const EVERY = Object.keys(OVERLAYS);
const numeric = (name, usual) => (read(name) !== null && Number.isFinite(Number(read(name))) ? Number(read(name)) : usual);
const chosen = () => (read("overlays") === null ? EVERY : EVERY.filter((name) => read("overlays").split(",").includes(name)));

export const view = {
  x: AXES.includes(read("x")) ? read("x") : "step",
  smoothing: Math.min(0.98, Math.max(0, numeric("smoothing", 0.6))),
  overlays: chosen(),
  zoom: numeric("from", null) === null || numeric("to", null) === null ? null : [numeric("from"), numeric("to")],
  filter: read("filter") ?? "",
  chart: read("chart") ?? "",

  // Only what charts have to load anew for is told as "view"; marks and the chart in hand are not.
  set(changes) {
    if ("x" in changes && changes.x !== this.x) this.zoom = null;
    Object.assign(this, changes);
    this.address();
    if (["x", "smoothing", "zoom"].some((name) => name in changes)) document.dispatchEvent(new CustomEvent("view"));
    if ("overlays" in changes) document.dispatchEvent(new CustomEvent("overlays"));
  },

  address() {
    const here = new URL(location);
    const all = this.overlays.length === EVERY.length;
    const shown = {
      x: this.x === "step" ? "" : this.x,
      smoothing: this.smoothing === 0.6 ? "" : this.smoothing,
      overlays: all ? "" : this.overlays.join(",") || "none",
      filter: this.filter,
      from: this.zoom?.[0] ?? "",
      to: this.zoom?.[1] ?? "",
      chart: this.chart,
    };
    for (const [name, value] of Object.entries(shown)) {
      if (value === "") here.searchParams.delete(name);
      else here.searchParams.set(name, value);
    }
    history.replaceState(null, "", here);
  },

  shows(kind) {
    return this.overlays.some((name) => OVERLAYS[name].includes(kind));
  },

  // What a chart asks of the server.
  query(points) {
    const query = new URLSearchParams({ points, x: this.x, smoothing: this.smoothing });
    if (this.zoom) { query.set("start", this.zoom[0]); query.set("end", this.zoom[1]); }
    return query;
  },
};
