// A job's page while it lives: new lines of the log, and the panel of its state, as the server sends them.

const log = document.getElementById("log");
const status = document.getElementById("status");
const state = document.getElementById("log-state");
const empty = document.getElementById("log-empty");
const LINES_MAX = 5000;

function isAtEnd() {
  return log.scrollHeight - log.scrollTop - log.clientHeight < 24;
}

function addLine(line) {
  const follows = isAtEnd();
  const shown = document.createElement("span");
  shown.className = `line line-${line.stream.replace(/[^a-z]/g, "")}`;
  shown.textContent = `${line.text}\n`;
  log.append(shown);
  empty.hidden = true;
  while (log.childElementCount > LINES_MAX) log.firstElementChild.remove();
  if (follows) log.scrollTop = log.scrollHeight;
}

const source = new EventSource(log.dataset.live);
source.addEventListener("open", () => { state.textContent = state.dataset.live; });
source.addEventListener("error", () => { state.textContent = state.dataset.broken; });
source.addEventListener("line", (event) => addLine(JSON.parse(event.data)));
source.addEventListener("status", (event) => {
  // Written by the server's own template, which escapes whatever a tenant wrote.
  status.innerHTML = JSON.parse(event.data).html;
});
source.addEventListener("end", () => {
  source.close();
  state.textContent = state.dataset.over;
  location.reload(); // outputs are kept by now, and there is nothing left to cancel
});
log.scrollTop = log.scrollHeight;
