// Puts fresh HTML into a living page without disturbing it: what has focus keeps it, what is open stays open.
const KEPT = { DETAILS: ["open"], INPUT: ["value", "checked"], DIALOG: ["open"] };

function morphAttributes(from, to) {
  const kept = KEPT[from.tagName] ?? [];
  for (const { name } of [...from.attributes]) {
    if (!to.hasAttribute(name) && !kept.includes(name)) from.removeAttribute(name);
  }
  for (const { name, value } of to.attributes) {
    if (from.getAttribute(name) !== value && !kept.includes(name)) from.setAttribute(name, value);
  }
}

const identity = (node) => node.id || node.dataset?.field || "";
const sameKind = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && identity(a) === identity(b);

function morphNode(from, to) {
  // A chart is drawn by its own script: what the server knows of it is an empty frame.
  if (from.nodeName === "METRIC-CHART") return;
  if (from.nodeName === "FILM-PLAYER") {
    // One that plays goes on playing.
    if (from.getAttribute("film") !== to.getAttribute("film")) from.replaceWith(to);
    return;
  }
  if (from.nodeType !== Node.ELEMENT_NODE) {
    if (from.data !== to.data) from.data = to.data;
    return;
  }
  morphAttributes(from, to);
  morphChildren(from, to);
}

// Walks both lists; what only the new one has is inserted, so that nothing that stays is moved or made anew.
function morphChildren(from, to) {
  let present = from.firstChild;
  for (const wanted of [...to.childNodes]) {
    const key = identity(wanted);
    if (present && sameKind(present, wanted)) {
      const next = present.nextSibling;
      morphNode(present, wanted);
      present = next;
    } else if (present && !key && !identity(present)) {
      const next = present.nextSibling;
      present.replaceWith(wanted);
      present = next;
    } else {
      from.insertBefore(wanted, present);
      const old = key && [...from.children].find((child) => child !== wanted && identity(child) === key);
      if (old) { if (old === present) present = old.nextSibling; old.remove(); }
    }
  }
  while (present) {
    const next = present.nextSibling;
    present.remove();
    present = next;
  }
}

const shown = new WeakMap();

export function put(id, html) {
  const element = document.getElementById(id);
  if (!element || shown.get(element) === html) return;
  shown.set(element, html);
  const template = document.createElement("template");
  template.innerHTML = html;
  morphChildren(element, template.content);
  age(element);
}

// "12 s ago" is written here and not on the server, where it would change every fragment every second.
const SPANS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

export function age(root = document) {
  const now = Date.now() / 1000;
  for (const time of root.querySelectorAll("time[data-ago]")) {
    const seconds = Math.max(0, now - Number(time.dataset.ago));
    const [span, unit] = SPANS.find(([size]) => seconds >= size) ?? SPANS.at(-1);
    const text = `${Math.floor(seconds / span)} ${unit} ago`;
    if (time.textContent !== text) time.textContent = text;
  }
}
