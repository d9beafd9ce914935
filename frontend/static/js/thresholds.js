// The threshold editor: every change is tried on the run by the server, through the code the worker judges with.
import { put } from "./dom.js";

const form = document.querySelector("form[data-try]");
let pending = null;
let timer = 0;

async function attempt() {
  pending?.abort();
  pending = new AbortController();
  const place = document.getElementById("backtest");
  place.setAttribute("aria-busy", "true");
  try {
    const body = new URLSearchParams(new FormData(form));
    const response = await fetch(form.dataset.try, { method: "POST", body, signal: pending.signal });
    if (!response.ok) return;
    for (const [id, html] of Object.entries((await response.json()).fragments)) put(id, html);
    place.removeAttribute("aria-busy");
  } catch (error) {
    if (error.name !== "AbortError") throw error;
  }
}

form.addEventListener("input", (event) => {
  if (["name", "person"].includes(event.target.name)) return;
  clearTimeout(timer);
  timer = setTimeout(attempt, 400);
});
