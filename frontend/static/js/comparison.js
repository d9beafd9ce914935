// Lines over several runs are made as a whole: drawn anew once the stream says that a run went on, at most every
// few seconds.
const EVERY = 5_000;
let drawnAt = Date.now();
let timer = 0;
let greeted = false;

function redraw() {
  timer = 0;
  drawnAt = Date.now();
  document.dispatchEvent(new CustomEvent("reset"));
}

document.addEventListener("fragments", () => {
  // The first are what the page was made with.
  if (greeted && !timer) timer = setTimeout(redraw, Math.max(0, drawnAt + EVERY - Date.now()));
  greeted = true;
});
