// What every page has: actions without leaving the page, dialogs, toasts, the theme and the keyboard.
import { age } from "./dom.js";

export function toast(text, tone = "") {
  const line = Object.assign(document.createElement("p"), { className: "toast", textContent: text });
  line.dataset.tone = tone;
  document.getElementById("toasts").append(line);
  line.addEventListener("animationend", () => line.remove());
}

const ask = document.getElementById("ask");

// Resolves to true when the person confirms; Escape and the other button are a no.
function confirmed({ ask: title, askDetail, askButton }) {
  ask.replaceChildren();
  const heading = Object.assign(document.createElement("h2"), { id: "ask-title", textContent: title });
  const detail = Object.assign(document.createElement("p"), { textContent: askDetail });
  const form = Object.assign(document.createElement("form"), { method: "dialog", className: "dialog-actions" });
  const no = Object.assign(document.createElement("button"), { textContent: "Not now", value: "" });
  const yes = Object.assign(document.createElement("button"), { textContent: askButton, value: "yes", className: "button-danger", autofocus: true });
  form.append(no, yes);
  ask.append(heading, detail, form);
  ask.returnValue = "";
  ask.showModal();
  return new Promise((resolve) => ask.addEventListener("close", () => resolve(ask.returnValue === "yes"), { once: true }));
}

async function act(form) {
  if (form.dataset.ask && !(await confirmed(form.dataset))) return;
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    const response = await fetch(form.dataset.api, { method: "POST" });
    const answer = await response.json();
    if (response.ok) toast(`${button.firstChild.textContent.trim()} asked`);
    else toast(answer.detail, "stop");
  } catch {
    toast("The dashboard does not answer. The run goes on without it; try again.", "stop");
  } finally {
    button.disabled = false;
  }
}

document.addEventListener("submit", (event) => {
  if (!event.target.dataset.api) return;
  event.preventDefault();
  act(event.target);
});

// <a data-dialog>: the page it leads to, shown as a dialog on this one.
document.addEventListener("click", async (event) => {
  if (event.target.closest("[data-dialog-close]") && ask.open) {
    event.preventDefault();
    ask.close();
  }
  const link = event.target.closest("a[data-dialog]");
  if (!link || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  const answer = await fetch(link.href).then((response) => response.text(), () => "");
  const page = new DOMParser().parseFromString(answer, "text/html");
  const content = page.querySelector("[data-dialog-content]");
  if (!answer) { toast("The dashboard does not answer. The run goes on without it; try again.", "stop"); return; }
  if (!content) { location.assign(link.href); return; }
  ask.replaceChildren(...content.childNodes);
  ask.showModal();
});

const root = document.documentElement;
const isDark = () => getComputedStyle(root).colorScheme === "dark"
  || (getComputedStyle(root).colorScheme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
document.querySelector("[data-theme-switch]").addEventListener("click", () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  document.cookie = `theme=${root.dataset.theme}; path=/; max-age=31536000; samesite=lax`;
  document.dispatchEvent(new CustomEvent("theme"));
});
// The system may turn dark at dusk, while the page is open.
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => document.dispatchEvent(new CustomEvent("theme")));
document.querySelector("[data-help]")?.addEventListener("click", () => document.getElementById("help").showModal());

document.addEventListener("keydown", (event) => {
  if (event.target.matches("input, textarea, select") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (document.querySelector("dialog[open]")) return;
  const target = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  if (!target) return;
  event.preventDefault();
  if (target.matches("input")) target.focus();
  else target.click();
});

// A link to a field inside a closed group opens it.
document.addEventListener("click", (event) => {
  const id = event.target.closest("a[href^='#']")?.hash.slice(1);
  const target = id && document.getElementById(id);
  target?.closest("details")?.setAttribute("open", "");
  target?.focus();
});

// A form that came back: what is wrong with it comes first, wherever on the page it stands.
document.getElementById("problems")?.focus();

// On a narrow screen the tabs scroll: the one this page is must be seen.
const tab = document.querySelector(".tabs [aria-current]");
if (tab) tab.parentElement.scrollLeft = tab.offsetLeft + (tab.offsetWidth - tab.parentElement.offsetWidth) / 2;

age();
setInterval(age, 1000);
