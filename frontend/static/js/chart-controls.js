// The controls above the charts, and the keys that walk through them.
import { view } from "./view.js";

const form = document.getElementById("chart-controls");
const { filter, smoothing, overlays, shown, x } = form.elements;
const charts = () => [...document.querySelectorAll("metric-chart")].filter((chart) => chart.checkVisibility());
form.hidden = false;
filter.value = view.filter;
smoothing.value = view.smoothing;
for (const tick of overlays) tick.checked = view.overlays.includes(tick.value);
x.value = view.x;
shown.textContent = view.smoothing.toFixed(2);

function applyFilter() {
  const wanted = filter.value.trim().toLowerCase();
  for (const group of document.querySelectorAll(".chart-group")) {
    const found = [...group.querySelectorAll("metric-chart")].map((chart) => {
      const text = `${group.dataset.group} ${chart.getAttribute("aria-label")} ${chart.getAttribute("chart")}`.toLowerCase();
      chart.hidden = !text.includes(wanted);
      return !chart.hidden;
    });
    group.hidden = !found.some(Boolean);
    if (wanted && !group.hidden) group.open = true;
  }
}

let timer = 0;
form.addEventListener("submit", (event) => event.preventDefault());
filter.addEventListener("input", () => { applyFilter(); view.set({ filter: filter.value.trim() }); });
smoothing.addEventListener("input", () => {
  shown.textContent = smoothing.valueAsNumber.toFixed(2);
  clearTimeout(timer);
  timer = setTimeout(() => view.set({ smoothing: smoothing.valueAsNumber }), 120);
});
for (const tick of overlays) {
  tick.addEventListener("change", () => view.set({ overlays: [...overlays].filter((one) => one.checked).map((one) => one.value) }));
}
for (const choice of x) choice.addEventListener("change", () => view.set({ x: x.value }));
form.querySelector("[data-reset-zoom]").addEventListener("click", () => view.set({ zoom: null }));

// Which groups are open is a habit of the person, not of the page. Groups may come later, with their first points.
const key = "chart-groups-open";
const habits = () => JSON.parse(localStorage.getItem(key) ?? "{}");
const known = new WeakSet();
function openAsBefore() {
  const saved = habits();
  for (const group of document.querySelectorAll(".chart-group")) {
    if (!known.has(group) && group.dataset.group in saved) group.open = saved[group.dataset.group];
    known.add(group);
  }
}
document.addEventListener("toggle", ({ target }) => {
  if (!target.matches?.(".chart-group") || filter.value.trim()) return;
  localStorage.setItem(key, JSON.stringify({ ...habits(), [target.dataset.group]: target.open }));
}, true);
openAsBefore();
applyFilter();
// Fresh HTML knows of neither.
document.addEventListener("fragments", () => { openAsBefore(); applyFilter(); });

// The chart in hand is part of the address: a link leads to it.
const named = view.chart && document.getElementById(`chart-${view.chart}`);
if (named) {
  named.closest("details")?.setAttribute("open", "");
  named.focus({ preventScroll: true });
  named.scrollIntoView({ block: "center" });
}
document.addEventListener("focusin", (event) => {
  const chart = event.target.closest?.("metric-chart");
  if (chart) view.set({ chart: chart.getAttribute("chart") });
});

document.addEventListener("keydown", (event) => {
  if (event.target.matches("input, textarea, select") || event.ctrlKey || event.metaKey || document.querySelector("dialog[open]")) return;
  const all = charts();
  const at = all.indexOf(document.activeElement.closest?.("metric-chart"));
  if (event.key === "j" || event.key === "k") {
    const next = all[Math.max(0, Math.min(all.length - 1, event.key === "j" ? at + 1 : at - 1))];
    next?.focus();
    next?.scrollIntoView({ block: "nearest" });
  } else if (event.key === "f" && at >= 0) {
    if (document.fullscreenElement) document.exitFullscreen();
    else all[at].requestFullscreen();
  }
});
