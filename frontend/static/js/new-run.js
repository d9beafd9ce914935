// The new-run form, checked while it is filled in.
import { checkWhileTyped } from "./form-check.js";

const form = document.querySelector("form[data-check]");

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

checkWhileTyped(form, { address: form.dataset.check, delay: 250, place: "summary", answered: ({ fields }) => mark(fields) });
form.addEventListener("submit", () => { form.querySelector("[data-start]").disabled = true; });
addEventListener("pageshow", () => { form.querySelector("[data-start]").disabled = false; });
