// Sends a log with progress; without this script the form sends itself.
const form = document.querySelector("form[data-import]");
const problem = document.getElementById("problem");
const shown = form.querySelector(".import-progress");
const bar = shown.querySelector("progress");
const stage = shown.querySelector("[data-stage]");

function say(text) {
  problem.hidden = !text;
  problem.querySelector("[data-problem]").textContent = text;
  if (text) problem.focus();
}

// fetch() tells nothing of what was sent so far: this does.
function send(body) {
  const request = new XMLHttpRequest();
  request.responseType = "json";
  request.upload.addEventListener("progress", ({ loaded, total }) => {
    bar.value = loaded / total;
    stage.textContent = `Sending, ${Math.round((100 * loaded) / total)} %`;
  });
  request.upload.addEventListener("load", () => {
    bar.removeAttribute("value");
    stage.textContent = "Reading and judging";
  });
  return new Promise((resolve, reject) => {
    request.addEventListener("load", () => {
      if (request.status < 300) resolve(request.response);
      else reject(new Error(request.response?.detail ?? `the server answered ${request.status}`));
    });
    request.addEventListener("error", () => reject(new Error("the dashboard does not answer, or refused so much: nothing was imported")));
    request.open("POST", form.dataset.import);
    request.send(body);
  });
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  shown.hidden = false;
  say("");
  try {
    // A server that refuses a large body hangs up in the middle of it, and nobody reads its reason.
    const bytes = [...form.elements.files.files].reduce((sum, { size }) => sum + size, 0);
    if (bytes > Number(form.dataset.limit)) throw new Error(`${Math.round(bytes / 1e6)} MB are more than an upload may have: use \`pitwall import tensorboard\` on the machine`);
    const { run_id: run } = await send(new FormData(form));
    location.assign(`/runs/${run}`);
  } catch (error) {
    say(error.message);
    shown.hidden = true;
    button.disabled = false;
  }
});
