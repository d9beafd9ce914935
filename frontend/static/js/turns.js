// Drawing a chart takes tens of milliseconds. Between two of them a frame is painted: what a person does waits for
// one chart at most.
const waiting = new Map();
let running = false;

const painted = () => new Promise((resolve) => { requestAnimationFrame(() => setTimeout(resolve, 0)); });

async function run() {
  running = true;
  while (waiting.size) {
    const [key, job] = waiting.entries().next().value;
    waiting.delete(key);
    try {
      await job();
    } catch (error) {
      reportError(error);
    }
    await painted();
  }
  running = false;
}

// Does the job in its turn; one of the same key that waits is replaced.
export function inTurn(key, job) {
  waiting.set(key, job);
  if (!running) run();
}
