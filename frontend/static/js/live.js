// The page's one event stream. The server sends HTML by element id, and new points as data.
// A hidden tab lets go of its connection, since a browser allows six per server, and takes it up again.
import { put } from "./dom.js";

const url = document.querySelector("[data-live]").dataset.live;
const mark = document.getElementById("liveness");
// A beat comes every second; three seconds without one, and what stands here is not now any more.
const LOST_AFTER = 2700;
const LOOK_EVERY = 250;
let source = null;
let lastId = null;
let lastHeard = Date.now();
let openedAt = Date.now();

const clock = (moment) => new Date(moment).toLocaleTimeString([], { hour12: false });
const tell = (name, detail) => document.dispatchEvent(new CustomEvent(name, { detail }));

function show(state, text) {
  mark.hidden = false;
  if (mark.dataset.state === state) return;
  mark.dataset.state = state;
  mark.textContent = text;
}

function heard(event) {
  lastHeard = Date.now();
  if (event.lastEventId) lastId = event.lastEventId;
  show("live", "live");
}

// Favicon and title carry the state into a tab that nobody looks at.
function announce() {
  const head = document.querySelector("[data-title]");
  if (!head) return;
  document.title = head.dataset.title;
  const icon = document.getElementById("favicon");
  if (!icon.href.endsWith(head.dataset.icon)) icon.href = head.dataset.icon;
}

const handlers = {
  fragments(data) { Object.entries(data).forEach(([id, html]) => put(id, html)); announce(); tell("fragments"); },
  tail(data) { tell("tail", data); },
  reset() { tell("reset"); },
  beat() {},
};

function open() {
  openedAt = Date.now();
  // A new EventSource cannot send Last-Event-ID itself; the server reads it here as well.
  const address = new URL(url, location);
  if (lastId) address.searchParams.set("last", lastId);
  source = new EventSource(address);
  for (const [name, handle] of Object.entries(handlers)) {
    source.addEventListener(name, (event) => { heard(event); handle(JSON.parse(event.data)); });
  }
  source.addEventListener("open", () => tell("stream-open"));
}

function close() {
  source?.close();
  source = null;
}

document.addEventListener("visibilitychange", () => {
  close();
  // What was shown when the tab was left is old until the stream has spoken again.
  if (!document.hidden) { show("connecting", "connecting"); open(); }
});
addEventListener("pagehide", close);
addEventListener("pageshow", (event) => { if (event.persisted) open(); });

setInterval(() => {
  if (document.hidden || Date.now() - Math.max(lastHeard, openedAt) < LOST_AFTER) return;
  show("lost", `not live since ${clock(lastHeard)}`);
  // After an error answer EventSource gives up for good; begin again.
  if (source?.readyState === EventSource.CLOSED) { const since = openedAt; open(); openedAt = since; }
}, LOOK_EVERY);

if (!document.hidden) open();
