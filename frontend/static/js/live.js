// The page's one event stream. The server sends HTML by element id, and new points as data.
// A hidden tab lets go of its connection, since a browser allows six per server, and takes it up again.
import { put } from "./dom.js";

const url = document.querySelector("[data-live]").dataset.live;
const mark = document.getElementById("liveness");
// A beat comes every second; three seconds without one, and what stands here is not now any more.
const LOST_AFTER = 2700;
const LOOK_EVERY = 250;
const RETRY_AFTER = 1000;
let source = null;
let lastId = null;
let lastHeard = Date.now();
// When the page began to wait for a beat, and when it asked last.
let waitingSince = Date.now();
let askedAt = Date.now();

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
  askedAt = Date.now();
  // A new EventSource cannot send Last-Event-ID itself; the server reads it here as well.
  const address = new URL(url, location);
  if (lastId) address.searchParams.set("last", lastId);
  source = new EventSource(address);
  for (const [name, handle] of Object.entries(handlers)) {
    source.addEventListener(name, (event) => { heard(event); handle(JSON.parse(event.data)); });
  }
}

function close() {
  source?.close();
  source = null;
}

// What was shown when the page was left is old until the stream has spoken again.
function resume() {
  waitingSince = Date.now();
  show("connecting", "connecting");
  open();
}

document.addEventListener("visibilitychange", () => {
  close();
  if (!document.hidden) resume();
});
addEventListener("pagehide", close);
// Back to a page that the browser kept as it was.
addEventListener("pageshow", ({ persisted }) => { if (persisted && !document.hidden) { close(); resume(); } });

setInterval(() => {
  if (document.hidden || Date.now() - Math.max(lastHeard, waitingSince) < LOST_AFTER) return;
  show("lost", `not live since ${clock(lastHeard)}`);
  // After an error answer EventSource gives up for good; begin again.
  if (source?.readyState === EventSource.CLOSED && Date.now() - askedAt >= RETRY_AFTER) open();
}, LOOK_EVERY);

if (!document.hidden) open();
