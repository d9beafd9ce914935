// What else a chart can do: show its numbers as a table, hand them out as CSV, PNG or SVG, change its axis.
const NAMED = { low: ", minimum", high: ", maximum", raw: ", unsmoothed", nonfinite: "", branch: "" };
const number = new Intl.NumberFormat("en", { maximumSignificantDigits: 6 });
const SIZE = { width: 1000, height: 500 };

function entry(text, act) {
  const button = Object.assign(document.createElement("button"), { type: "button", className: "button-quiet", textContent: text });
  button.addEventListener("click", act);
  return button;
}

// { names, rows }: a row for every place of the axis, a value or undefined for every trace.
export function table(data, time) {
  const traces = data.filter((trace) => trace.x?.length && trace.meta?.role !== "quarter");
  const names = traces.map((trace) => `${trace.name}${NAMED[trace.meta?.role] ?? ""}`);
  const rows = new Map();
  traces.forEach((trace, column) => trace.x.forEach((x, index) => {
    if (!rows.has(x)) rows.set(x, []);
    rows.get(x)[column] = trace.y[index];
  }));
  const sorted = [...rows].sort(([a], [b]) => a - b);
  return { names, rows: sorted.map(([x, values]) => [time ? new Date(x).toISOString() : x, ...names.map((_, i) => values[i])]) };
}

function written({ names, rows }, axis) {
  const head = document.createElement("tr");
  for (const name of [axis, ...names]) head.append(Object.assign(document.createElement("th"), { scope: "col", textContent: name }));
  const lines = rows.map(([x, ...values]) => {
    const line = document.createElement("tr");
    line.append(Object.assign(document.createElement("th"), { scope: "row", textContent: typeof x === "number" ? number.format(x) : x }));
    for (const value of values) line.append(Object.assign(document.createElement("td"), { className: "number", textContent: value == null || Number.isNaN(value) ? "" : number.format(value) }));
    return line;
  });
  const element = document.createElement("table");
  element.createCaption().textContent = `${rows.length} rows as drawn: one per pixel column where there are more points than pixels`;
  element.createTHead().append(head);
  element.createTBody().append(...lines);
  return element;
}

function quoted(value) {
  const text = value == null || Number.isNaN(value) ? "" : String(value);
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function save(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

// As on screen, with what the page around it says: title and legend.
function picture(plot, title, { axis, estimator }, background) {
  const xaxis = { ...plot.layout.xaxis, title: { text: [axis, estimator].filter(Boolean).join(", smoothed by ") } };
  const layout = { ...plot.layout, xaxis, title: { text: title, font: { size: 16 } }, showlegend: true, paper_bgcolor: background, plot_bgcolor: background, margin: { l: 60, r: 20, t: 50, b: 50 }, autosize: false, ...SIZE };
  return Plotly.toImage({ data: plot.data, layout }, { format: "svg", imageDataOnly: true, ...SIZE });
}

// Drawn by ourselves: Plotly's own way to PNG goes through a blob: address, which our pages' policy forbids.
async function raster(svg) {
  const image = new Image();
  image.src = `data:image/svg+xml,${encodeURIComponent(svg)}`;
  await image.decode();
  const canvas = Object.assign(document.createElement("canvas"), { width: SIZE.width * 2, height: SIZE.height * 2 });
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => { canvas.toBlob(resolve, "image/png"); });
}

// Gives a <metric-chart> its menu. `look` tells { axis, estimator, time, log, raw }: the name of its axis, how lines
// are smoothed, whether the axis is time, whether its values stand on a logarithmic one, and the address of every raw point, if there is one.
export function addMenu(chart, look, setLog) {
  const title = chart.getAttribute("aria-label");
  const name = `${document.querySelector("h1")?.textContent ?? "pitwall"}-${chart.getAttribute("chart")}`.replace(/[^\w.-]+/g, "-");
  const menu = Object.assign(document.createElement("details"), { className: "chart-menu" });
  const summary = Object.assign(document.createElement("summary"), { textContent: "⋯" });
  summary.setAttribute("aria-label", `More of ${title}`);
  const numbers = Object.assign(document.createElement("div"), { className: "chart-table", hidden: true, tabIndex: 0 });
  const list = document.createElement("div");
  const background = () => getComputedStyle(document.body).backgroundColor;
  const shown = () => table(chart.plot.data ?? [], look().time);
  const refresh = () => { if (!numbers.hidden) numbers.replaceChildren(written(shown(), look().axis)); };
  const close = () => { menu.open = false; };
  const toggle = entry("Table", () => {
    numbers.hidden = !numbers.hidden;
    chart.plot.hidden = !numbers.hidden;
    toggle.textContent = numbers.hidden ? "Table" : "Chart";
    refresh();
    close();
  });
  const axis = entry("Log axis", () => { setLog(!look().log); close(); });
  const drawn = entry("CSV, as drawn", () => {
    const { names, rows } = shown();
    const text = [[look().axis, ...names], ...rows].map((row) => row.map(quoted).join(",")).join("\n");
    save(new Blob([`${text}\n`], { type: "text/csv" }), `${name}.csv`);
    close();
  });
  const every = Object.assign(document.createElement("a"), { className: "button button-quiet", textContent: "CSV, every point", hidden: true });
  const svg = entry("SVG", async () => { save(new Blob([await picture(chart.plot, title, look(), background())], { type: "image/svg+xml" }), `${name}.svg`); close(); });
  const png = entry("PNG", async () => { save(await raster(await picture(chart.plot, title, look(), background())), `${name}.png`); close(); });
  list.append(toggle, axis, drawn, every, svg, png);
  menu.append(summary, list);
  menu.addEventListener("toggle", () => {
    const { raw, log } = look();
    every.hidden = !raw;
    if (raw) every.href = raw;
    axis.textContent = log ? "Linear axis" : "Log axis";
    for (const item of [toggle, axis, drawn, svg, png]) item.disabled = !chart.plot.data;
  });
  menu.addEventListener("focusout", ({ relatedTarget }) => { if (!menu.contains(relatedTarget)) close(); });
  menu.addEventListener("keydown", (event) => { if (event.key === "Escape") { close(); summary.focus(); } });
  chart.querySelector("h3").insertAdjacentElement("afterend", menu);
  chart.plot.insertAdjacentElement("afterend", numbers);
  return refresh;
}
