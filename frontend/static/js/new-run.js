// The new-run form, checked by the server while it is filled in: one truth about what is valid.
import { put } from "./dom.js";

const form = document.querySelector("form[data-check]");
let pending = null;
let timer = 0;

function mark(fields) {
  for (const field of form.querySelectorAll("[data-field]")) {
    const problem = Object.entries(fields).filter(([name]) => name.split(".")[0] === field.dataset.field).map(([, text]) => text).join("; ");
    const input = field.querySelector("input:not([type=hidden]), select, textarea");
    const value = input.type === "checkbox" ? (input.checked ? "on" : "off") : input.value.trim();
    field.classList.toggle("changed", value !== field.dataset.default);
    field.classList.toggle("invalid", problem !== "");
    if (problem) input.setAttribute("aria-invalid", "true"); else input.removeAttribute("aria-invalid");
    const error = field.querySelector(".error");
    if (error.textContent !== problem) error.textContent = problem;
  }
}

async function check() {
  pending?.abort();
  pending = new AbortController();
  try {
    const body = new URLSearchParams(new FormData(form));
    const response = await fetch(form.dataset.check, { method: "POST", body, signal: pending.signal });
    if (!response.ok) return;
    const { fields, fragments } = await response.json();
    mark(fields);
    for (const [id, html] of Object.entries(fragments)) put(id, html);
  } catch (error) {
    if (error.name !== "AbortError") throw error;
  }
}

form.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(check, 250); });
form.addEventListener("submit", () => { form.querySelector("[data-start]").disabled = true; });
addEventListener("pageshow", () => { form.querySelector("[data-start]").disabled = false; });

// A link to a field inside a closed group opens it.
document.addEventListener("click", (event) => {
  const id = event.target.closest("a[href^='#']")?.hash.slice(1);
  const target = id && document.getElementById(id);
  target?.closest("details")?.setAttribute("open", "");
  target?.focus();
});

document.getElementById("problems")?.focus();
