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

function morphNode(from, to) {
  if (from.nodeType !== to.nodeType || from.nodeName !== to.nodeName || identity(from) !== identity(to)) {
    from.replaceWith(to);
  } else if (from.nodeType === Node.ELEMENT_NODE) {
    morphAttributes(from, to);
    morphChildren(from, to);
  } else if (from.data !== to.data) {
    from.data = to.data;
  }
}

function morphChildren(from, to) {
  const wanted = [...to.childNodes];
  const present = [...from.childNodes];
  wanted.forEach((node, index) => {
    if (index < present.length) morphNode(present[index], node);
    else from.append(node);
  });
  present.slice(wanted.length).forEach((node) => node.remove());
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
