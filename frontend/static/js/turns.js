// Drawing a chart takes tens of milliseconds. One chart a turn of the loop: what a person does waits for one at most.
const waiting = new Map();
let running = false;

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
    await new Promise((resolve) => { setTimeout(resolve, 0); });
  }
  running = false;
}

// Does the job in its turn; one of the same key that waits is replaced.
export function inTurn(key, job) {
  waiting.set(key, job);
  if (!running) run();
}
