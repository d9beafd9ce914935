// How charts look at the run: axis, smoothing, zoom, overlays. It lives in the address, so a link shows the same.
const address = new URL(location);
const read = (name) => address.searchParams.get(name);
const DEFAULTS = { x: "step", smoothing: 0.6, overlays: true, zoom: null, filter: "" };

export const view = {
  ...DEFAULTS,
  x: ["step", "episode", "time"].includes(read("x")) ? read("x") : DEFAULTS.x,
  smoothing: read("smoothing") === null ? DEFAULTS.smoothing : Number(read("smoothing")) || 0,
  overlays: read("overlays") !== "0",
  zoom: read("from") === null ? null : [Number(read("from")), Number(read("to"))],
  filter: read("filter") ?? "",

  set(changes) {
    if ("x" in changes && changes.x !== this.x) this.zoom = null;
    Object.assign(this, changes);
    const here = new URL(location);
    const shown = { x: this.x, smoothing: this.smoothing, overlays: this.overlays ? 1 : 0, filter: this.filter, from: this.zoom?.[0] ?? "", to: this.zoom?.[1] ?? "" };
    const usual = { x: DEFAULTS.x, smoothing: DEFAULTS.smoothing, overlays: 1, filter: "", from: "", to: "" };
    for (const [name, value] of Object.entries(shown)) {
      if (value === usual[name]) here.searchParams.delete(name);
      else here.searchParams.set(name, value);
    }
    history.replaceState(null, "", here);
    if (!("filter" in changes)) document.dispatchEvent(new CustomEvent("view"));
  },

  // What a chart asks of the server.
  query(points) {
    const query = new URLSearchParams({ points, x: this.x, smoothing: this.smoothing });
    if (this.zoom) { query.set("start", this.zoom[0]); query.set("end", this.zoom[1]); }
    return query;
  },
};
