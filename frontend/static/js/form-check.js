// A form that the server looks at while it is filled in: one truth about what is valid.
import { put } from "./dom.js";

const KEPT = "What you typed stays here; the next change asks again.";
const UNANSWERED = `<p class="note tone-stop small">Not checked: the dashboard does not answer. ${KEPT}</p>`;
const SIGNED_OUT = `<p class="note tone-stop small">Not checked: you are signed out. <a href="/login" target="_blank">Sign in</a> in another tab. ${KEPT}</p>`;

// Sends the form `delay` ms after its last change; `answered` takes the answer. Where none comes, the element
// `place` says so: what stood there was said of other values.
export function checkWhileTyped(form, { address, delay, place, matters = () => true, answered }) {
  let pending = null;
  let timer = 0;
  const element = document.getElementById(place);

  async function ask() {
    pending?.abort();
    pending = new AbortController();
    element.setAttribute("aria-busy", "true");
    try {
      const body = new URLSearchParams(new FormData(form));
      const response = await fetch(address, { method: "POST", body, signal: pending.signal });
      if (response.status === 401) { put(place, SIGNED_OUT); return; }
      if (!response.ok) throw new Error(`answer ${response.status}`);
      const answer = await response.json();
      for (const [id, html] of Object.entries(answer.fragments)) put(id, html);
      answered?.(answer);
    } catch (error) {
      if (error.name !== "AbortError") put(place, UNANSWERED);
    } finally {
      if (!pending.signal.aborted) element.removeAttribute("aria-busy");
    }
  }

  form.addEventListener("input", (event) => {
    if (!matters(event)) return;
    clearTimeout(timer);
    timer = setTimeout(ask, delay);
  });
}
