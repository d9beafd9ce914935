// <metric-chart src chart>: a Plotly figure made by the server, kept live.
// All charts of a page share axis, zoom, smoothing and cursor through `view` and document events.
import { addMenu } from "./chart-menu.js";
import { figure } from "./figures.js";
import { plotly } from "./plotly.js";
import { inTurn } from "./turns.js";
import { view } from "./view.js";

const MARGIN = { l: 52, r: 8, t: 8, b: 26 };
const ARRAYS = { f8: Float64Array, f4: Float32Array, i4: Int32Array, i2: Int16Array, i1: Int8Array, u1: Uint8Array, u2: Uint16Array, u4: Uint32Array };
// New points are appended; from time to time the server sums up anew, so that an open chart does not grow
// without end. Shares, counts and quarters are sums over several points: only the server can go on with them.
// A chart that has grown by half is summed up sooner too: a young run's lines and marks are not all there yet.
const RELOAD_EVERY = 30_000;
const RELOAD_SOON = 4_000;
const GROWTH = 0.5;
const SUMS = ["share", "count", "quarter"];
// Roles of traces that stand for a line of their own, in legend and readout.
const LINES = ["mean", "mark", "share", "count", "quarter", "compared"];
const number = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tell = (name, detail) => document.dispatchEvent(new CustomEvent(name, { detail }));

// Plotly cannot resolve light-dark() or var(): the browser does it on a probe.
const probe = document.body.appendChild(document.createElement("span"));
probe.hidden = true;
function colour(name) {
  probe.style.color = `var(${name})`;
  return getComputedStyle(probe).color;
}

// Plotly draws base64 arrays but cannot extend them, so they are unpacked once, here.
function unpack(value) {
  if (!value?.bdata) return value;
  const bytes = Uint8Array.from(atob(value.bdata), (char) => char.charCodeAt(0));
  return new ARRAYS[value.dtype](bytes.buffer);
}

function nearest(sorted, value) {
  let low = 0;
  let high = sorted.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle; else high = middle;
  }
  return Math.abs(value - sorted[low]) < Math.abs(sorted[high] - value) ? low : high;
}

const isTime = () => view.x === "time";
const plotted = (x) => (isTime() ? x * 1000 : x);
const milliseconds = (x) => (typeof x === "string" ? Date.parse(`${x.replace(" ", "T")}Z`) : x);

class MetricChart extends HTMLElement {
  #visible = false;
  #stale = true;
  #loadedAt = 0;
  #due = 0;
  // Points a line has as it was loaded, and those that came since.
  #drawn = 0;
  #added = 0;
  #pending = null;
  #waiting = {};
  #timer = 0;
  #off = new AbortController();
  #observer = null;
  #width = 0;
  #later = new Set();
  #log = null;

  connectedCallback() {
    if (this.plot) return;
    this.plot = this.querySelector(".plot");
    this.readout = Object.assign(document.createElement("span"), { className: "readout" });
    this.querySelector("h3").append(this.readout);
    this.legend = this.plot.insertAdjacentElement("beforebegin", Object.assign(document.createElement("div"), { className: "legend" }));
    // In a layer of its own: as it moves, nothing of the drawing is styled or painted anew.
    this.line = Object.assign(document.createElement("div"), { className: "cursor-line" });
    this.menu = addMenu(this, () => this.look(), (log) => this.setLog(log));
    const on = (name, handler) => document.addEventListener(name, handler, { signal: this.#off.signal });
    on("tail", ({ detail }) => this.append(detail));
    on("reset", () => this.refresh());
    on("view", () => this.refresh());
    on("overlays", () => this.soon("mark"));
    on("cursor", ({ detail }) => this.cursor(detail));
    on("theme", () => this.soon("repaint"));
    this.plot.addEventListener("pointermove", (event) => this.point(event));
    this.plot.addEventListener("pointerleave", () => tell("cursor", null));
    // Only what is on screen is fetched and drawn; the rest catches up when it is scrolled to.
    this.#observer = new IntersectionObserver((entries) => {
      // A page that scrolls while it loads tells of several in one: the last is how it is.
      this.#visible = entries.at(-1).isIntersecting;
      if (!this.#visible) return;
      this.soon("fit");
      for (const kind of this.#later) this.soon(kind);
      this.#later.clear();
      if (this.#stale) this.load();
      else this.soon("flush");
    }, { rootMargin: "200px" });
    this.#observer.observe(this);
    new ResizeObserver(([{ contentRect }]) => {
      this.#width = contentRect.width;
      this.soon("fit");
    }).observe(this.plot);
  }

  // Draws in its turn; off screen, when it is looked at.
  soon(kind) {
    if (this.#visible) inTurn(`${this.id} ${kind}`, () => this[kind]());
    else if (kind !== "fit" && kind !== "flush") this.#later.add(kind);
  }

  fit() {
    const drawn = this.plot.data && this.#visible && this.plot.clientWidth > 0;
    return drawn && this.plot._fullLayout.width !== this.plot.clientWidth ? Plotly.Plots.resize(this.plot) : null;
  }

  refresh() {
    this.#stale = true;
    if (this.#visible) this.load();
  }

  async load() {
    const pending = (this.#pending = {});
    this.#stale = false;
    this.#waiting = {};
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#loadedAt = performance.now();
    this.#added = 0;
    try {
      const [answer] = await Promise.all([figure(this.getAttribute("src"), view.query(Math.max(200, Math.round(this.plot.clientWidth)))), plotly]);
      // The view may have changed meanwhile: then another answer is on its way.
      inTurn(`${this.id} draw`, () => (this.#pending === pending ? this.draw(answer) : null));
    } catch (error) {
      if (this.#pending === pending) this.say(`No chart: ${error.message}`);
    }
  }

  // What the menu has to know of the chart as it is drawn.
  look() {
    const run = /^\/api\/v1\/runs\/\d+/.exec(this.getAttribute("src"))?.[0];
    const metrics = new Set((this.plot.data ?? []).map((trace) => trace.meta?.metric).filter(Boolean));
    const query = new URLSearchParams([...metrics].map((metric) => ["metric", metric]));
    return { axis: view.x, estimator: this.estimator, time: isTime(), log: this.plot.layout?.yaxis.type === "log", raw: run && metrics.size ? `${run}/points.csv?${query}` : null };
  }

  setLog(log) {
    this.#log = log;
    Plotly.relayout(this.plot, { "yaxis.type": log ? "log" : "linear", "yaxis.autorange": true });
  }

  say(text) {
    if (this.plot.data) Plotly.purge(this.plot);
    const line = Object.assign(document.createElement("p"), { className: "plot-message", textContent: text });
    this.plot.replaceChildren(line);
    this.legend.replaceChildren();
  }

  colours() {
    const axis = (name) => ({ [`${name}.gridcolor`]: colour("--grid"), [`${name}.zerolinecolor`]: colour("--line"), [`${name}.linecolor`]: colour("--line") });
    return { paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", "font.color": colour("--ink-soft"), ...axis("xaxis"), ...axis("yaxis") };
  }

  repaint() {
    if (!this.plot.data) return null;
    this.plot.data.forEach(recolour);
    return Plotly.update(this.plot, {}, this.colours()).then(() => this.drawLegend());
  }

  async draw({ data, layout }) {
    if (!data.some((trace) => trace.x && (trace.x.bdata || trace.x.length))) {
      this.say("No points yet");
      return;
    }
    for (const trace of data) { trace.x = unpack(trace.x); trace.y = unpack(trace.y); recolour(trace); }
    this.#drawn = Math.max(...data.map((trace) => trace.x?.length ?? 0));
    this.everyMark = layout.meta?.marks ?? [];
    this.everyShape = (layout.shapes ?? []).map(withLabel);
    layout.shapes = this.shapes();
    const [from, to] = view.zoom ?? [];
    Object.assign(layout, {
      margin: MARGIN, showlegend: false, hovermode: false, dragmode: "zoom", autosize: true, height: undefined, width: undefined, template: undefined, title: undefined,
      font: { family: getComputedStyle(this).fontFamily, size: 11 },
      xaxis: { ...layout.xaxis, title: undefined, ...(view.zoom ? { range: [plotted(from), plotted(to)], autorange: false } : { autorange: true, range: undefined }) },
      yaxis: { ...layout.yaxis, fixedrange: true, ticklabelposition: undefined, ...(this.#log === null ? {} : { type: this.#log ? "log" : "linear" }) },
    });
    for (const [path, value] of Object.entries(this.colours())) {
      const parts = path.split(".");
      const last = parts.pop();
      parts.reduce((at, key) => (at[key] ??= {}), layout)[last] = value;
    }
    const first = !this.plot.data;
    if (first) this.plot.replaceChildren();
    await Plotly.react(this.plot, data, layout, { displayModeBar: false, showTips: false, doubleClick: false });
    this.plot.append(this.line);
    this.drawLegend();
    this.summarise();
    this.menu();
    if (first) this.listen();
    this.dataset.drawn = String(Number(this.dataset.drawn ?? 0) + 1);
  }

  shapes() {
    return this.everyShape.filter((shape) => view.shows(shape.name.replace("overlay:", "")));
  }

  // Marks come and go without a word to the server.
  mark() {
    return this.plot.data ? Plotly.relayout(this.plot, { shapes: this.shapes() }) : null;
  }

  listen() {
    this.plot.on("plotly_relayout", (change) => {
      if ("xaxis.range[0]" in change) {
        const range = [change["xaxis.range[0]"], change["xaxis.range[1]"]];
        view.set({ zoom: isTime() ? range.map((x) => milliseconds(x) / 1000) : range });
      }
    });
    this.plot.on("plotly_doubleclick", () => view.set({ zoom: null }));
  }

  get lines() {
    return (this.plot.data ?? []).filter((trace) => LINES.includes(trace.meta?.role) && trace.x.length);
  }

  drawLegend() {
    const lines = this.lines;
    this.legend.replaceChildren(...(lines.length > 1 ? lines : []).map((trace) => {
      const entry = document.createElement("span");
      const stroke = trace.line?.color ?? trace.marker?.color ?? "currentcolor";
      const dash = trace.line?.dash && trace.line.dash !== "solid" ? ' stroke-dasharray="3 2"' : "";
      entry.innerHTML = `<svg viewBox="0 0 18 8" aria-hidden="true"><path d="M0 4h18" stroke-width="2.5" fill="none"${dash}/></svg>`;
      entry.querySelector("path").setAttribute("stroke", Array.isArray(stroke) ? "currentcolor" : stroke);
      entry.append(trace.name);
      return entry;
    }));
    if (this.estimator) this.legend.append(Object.assign(document.createElement("span"), { className: "estimator", textContent: this.estimator, title: "Exponential moving average over the faint values; after one time constant it has followed 63 % of a jump" }));
  }

  // How the strong lines were made of the faint ones, in words.
  get estimator() {
    const tau = Math.max(0, ...(this.plot.data ?? []).map((trace) => trace.meta?.tau ?? 0));
    return tau ? `EMA, τ = ${number.format(tau)} ${{ step: "steps", episode: "episodes", time: "s" }[view.x]}` : "";
  }

  // What a chart says without being seen: the last value of each line.
  summarise() {
    const values = this.lines.map((trace) => `${trace.name} ${number.format(trace.y.at(-1))}`);
    this.setAttribute("aria-description", values.join(", "));
    this.readout.textContent = this.lines.length === 1 ? number.format(this.lines[0].y.at(-1)) : "";
  }

  // The cursor is ours, not Plotly's: one line and one readout in every chart, where the pointer is.
  axis() {
    const range = this.plot.layout?.xaxis.range?.map(milliseconds);
    return range && { from: range[0], to: range[1], width: this.#width - MARGIN.l - MARGIN.r };
  }

  point(event) {
    const axis = this.axis();
    if (!axis) return;
    const part = (event.clientX - this.plot.getBoundingClientRect().left - MARGIN.l) / axis.width;
    tell("cursor", part >= 0 && part <= 1 ? axis.from + part * (axis.to - axis.from) : null);
  }

  cursor(at) {
    if (!this.#visible && !this.classList.contains("pointed")) return;
    const axis = at != null && this.#visible && this.plot.data ? this.axis() : null;
    this.classList.toggle("pointed", Boolean(axis));
    if (!axis) { if (this.plot.data) this.summarise(); return; }
    const across = MARGIN.l + ((at - axis.from) / (axis.to - axis.from)) * axis.width;
    this.line.style.transform = `translateX(${across}px)`;
    const lines = this.lines.filter((trace) => trace.meta.role !== "quarter").slice(0, 5);
    if (!lines.length) return;
    const x = lines[0].x[nearest(lines[0].x, at)];
    const where = isTime() ? new Date(milliseconds(x)).toISOString().slice(11, 19) : `${view.x} ${whole.format(x)}`;
    const values = lines.map((trace) => number.format(trace.y[nearest(trace.x, at)]));
    const mark = this.everyMark.find((one) => view.shows(one.kind) && Math.abs(one.x - at) < (axis.to - axis.from) * (4 / axis.width));
    this.readout.textContent = `${where}  ${mark ? mark.label : values.join("  ")}`;
  }

  // New points are kept until the next frame the chart is on screen, then appended all at once.
  append(tails) {
    // One that is to be loaded anew anyway, when it is looked at, keeps nothing meanwhile.
    if (this.#stale) { this.#waiting = {}; return; }
    const metrics = new Set((this.plot.data ?? []).map((trace) => trace.meta?.metric));
    for (const metric of metrics) {
      if (tails[metric]) this.#waiting[metric] = joined(this.#waiting[metric], tails[metric]);
    }
    this.#added += Math.max(0, ...[...metrics].map((metric) => tails[metric]?.value.length ?? 0));
    this.reloadLater();
    this.soon("flush");
  }

  // A timer and not the next points: a run that ends sends no more, and its last ones must be drawn too.
  reloadLater() {
    const sums = !this.plot.data || this.plot.data.some((trace) => SUMS.includes(trace.meta?.role));
    const soon = sums || this.#added > GROWTH * this.#drawn;
    const due = this.#loadedAt + (soon ? RELOAD_SOON : RELOAD_EVERY);
    if (this.#timer && this.#due <= due) return;
    clearTimeout(this.#timer);
    this.#due = due;
    this.#timer = setTimeout(() => {
      this.#timer = 0;
      this.#stale = true;
      if (this.#visible && !view.zoom) this.load();
    }, Math.max(0, due - performance.now()));
  }

  flush() {
    if (!this.#visible || !this.plot.data || view.zoom) return null;
    const waiting = this.#waiting;
    this.#waiting = {};
    const indices = [];
    const update = { x: [], y: [] };
    this.plot.data.forEach((trace, index) => {
      const fresh = extension(trace, waiting[trace.meta?.metric]);
      if (!fresh) return;
      indices.push(index);
      update.x.push(fresh.x);
      update.y.push(fresh.y);
    });
    return indices.length ? Plotly.extendTraces(this.plot, update, indices).then(() => this.summarise()) : null;
  }

  disconnectedCallback() {
    this.#off.abort();
    clearTimeout(this.#timer);
    this.#observer?.disconnect();
    if (this.plot.data) Plotly.purge(this.plot);
  }
}

function joined(before, after) {
  if (!before) return after;
  return Object.fromEntries(Object.keys(after).map((name) => [name, [...before[name], ...after[name]]]));
}

// Points past the end of a trace, in arrays of the type the trace has. The mean goes on smoothed as the
// server smooths: a new point weighs 1 - exp(-gap / tau).
const EXTENDED = ["low", "high", "raw", "mean", "mark"];

function extension(trace, tail) {
  if (!tail || !EXTENDED.includes(trace.meta.role)) return null;
  const clock = tail[view.x].map(plotted);
  const tau = plotted(trace.meta.tau ?? 0);
  let last = trace.x.at(-1) ?? -Infinity;
  let level = trace.y.at(-1);
  const x = [];
  const y = [];
  clock.forEach((at, index) => {
    const value = tail.value[index];
    if (at <= last || value === null) return;
    const weight = tau && Number.isFinite(level) ? 1 - Math.exp(-Math.max(at - last, tau / 1000) / tau) : 1;
    level = Number.isFinite(level) ? level + weight * (value - level) : value;
    x.push(at);
    y.push(level);
    last = at;
  });
  return x.length ? { x: like(trace.x, x), y: like(trace.y, y) } : null;
}

const like = (array, values) => array.constructor.from(values);

// The palette's colours follow the theme; the server names a slot, not a look.
function recolour(trace) {
  const { slot, role } = trace.meta ?? {};
  if (!(slot >= 0) || role === "nonfinite") return;
  const own = colour(`--series-${slot % 8}`);
  if (trace.line) trace.line.color = own;
  if (trace.marker) trace.marker.color = own;
  if (trace.fillcolor) trace.fillcolor = own.replace("rgb(", "rgba(").replace(")", role === "share" ? ", 0.6)" : ", 0.16)");
}

customElements.define("metric-chart", MetricChart);

/** What a vertical line means is read below it by pointing at it; a level has nothing to point at. */
function withLabel(shape) {
  return { ...shape, label: shape.name === "overlay:reference" ? shape.label : undefined };
}
