// Comparisons have no stream: while a run still trains they are asked for again every few seconds.
import { put } from "./dom.js";

const seconds = Number(document.querySelector("[data-fresh]")?.dataset.fresh);
const parts = [...document.querySelectorAll("[data-renew]")].map(({ id }) => id);

async function renew() {
  if (parts.length) {
    const response = await fetch(location.href);
    if (!response.ok) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    for (const id of parts) {
      const now = page.getElementById(id);
      if (now) put(id, now.innerHTML);
    }
  }
  document.dispatchEvent(new CustomEvent("reset"));
}

// A server that is away for a moment is asked again next time.
if (seconds) setInterval(() => { if (!document.hidden) renew().catch(() => {}); }, seconds * 1000);
