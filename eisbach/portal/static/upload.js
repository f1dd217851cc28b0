// Uploads a file in pieces that are durable one by one; after a break, a reload too, it goes on where it ended.

const form = document.getElementById("upload");
const file = document.getElementById("f-file");
const bar = document.getElementById("upload-bar");
const progress = document.getElementById("upload-progress");
const state = document.getElementById("upload-state");
const error = document.getElementById("upload-error");
const pause = document.getElementById("upload-pause");
const submit = form.querySelector("button[type=submit]");
const PIECE_BYTES = Number(form.dataset.piece);
const RETRY_MS = [500, 1000, 2000, 4000, 8000];
const csrf = form.elements.csrf.value;
let isPaused = false;
let toldTenth = -1;

form.hidden = false;

class Refused extends Error {}

function shownSize(bytes) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (bytes >= 1024 && unit < units.length - 1) { bytes /= 1024; unit += 1; }
  const digits = unit ? 1 : 0;
  return `${new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: digits }).format(bytes)} ${units[unit]}`;
}

function tell(offset, size) {
  bar.value = size ? (100 * offset) / size : 0;
  const tenth = Math.floor((10 * offset) / size);
  if (tenth === toldTenth) return; // a screen reader is told ten times, not a thousand times
  toldTenth = tenth;
  state.textContent = form.dataset.going.replace("%1", shownSize(offset)).replace("%2", shownSize(size));
}

// What this browser began before: the same file is known by its name, size and date.
function fingerprint(chosen) {
  return `eisbach-upload:${form.elements.project.value}:${chosen.name}:${chosen.size}:${chosen.lastModified}`;
}

async function answerOf(response) {
  const isJson = (response.headers.get("content-type") || "").startsWith("application/json");
  if (!isJson) throw new Refused(`HTTP ${response.status}`);
  const content = await response.json();
  if (response.ok) return content;
  const told = new Refused(`${content.title}. ${content.what}. ${content.do}`);
  told.reason = content.reason;
  throw told;
}

async function begun(chosen) {
  const fields = new URLSearchParams(new FormData(form));
  fields.set("name", chosen.name);
  fields.set("size", String(chosen.size));
  fields.set("form_id", crypto.randomUUID());
  return (await answerOf(await fetch(form.action, { method: "POST", body: fields }))).data_set;
}

async function offsetOf(dataSet) {
  return (await answerOf(await fetch(form.dataset.pieces + dataSet, { cache: "no-store" }))).offset;
}

async function send(dataSet, chosen, offset) {
  const piece = chosen.slice(offset, offset + PIECE_BYTES);
  const headers = { "Upload-Offset": String(offset), "Tus-Resumable": "1.0.0", "Eisbach-Form": csrf };
  headers["Content-Type"] = "application/offset+octet-stream";
  return (await answerOf(await fetch(form.dataset.pieces + dataSet, { method: "PATCH", headers, body: piece }))).offset;
}

async function sendAll(dataSet, chosen) {
  let failures = 0;
  let offset = await offsetOf(dataSet);
  while (offset < chosen.size && !isPaused) {
    tell(offset, chosen.size);
    try {
      offset = await send(dataSet, chosen, offset);
      failures = 0;
    } catch (problem) {
      const isPassing = !(problem instanceof Refused) || ["WRONG_OFFSET", "UPLOAD_BUSY"].includes(problem.reason);
      if (!isPassing) throw problem;
      state.textContent = form.dataset.again;
      toldTenth = -1;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS[Math.min(failures, RETRY_MS.length - 1)]));
      failures += 1;
      try { offset = await offsetOf(dataSet); } catch (still) { if (still instanceof Refused) throw still; }
    }
  }
  tell(offset, chosen.size);
  return offset === chosen.size;
}

async function known(key) {
  const dataSet = localStorage.getItem(key);
  if (!dataSet) return null;
  try {
    await offsetOf(dataSet);
    state.textContent = form.dataset.resumed;
    return dataSet;
  } catch {
    localStorage.removeItem(key); // given up, expired or deleted meanwhile
    return null;
  }
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const chosen = file.files[0];
  error.textContent = "";
  if (!chosen) { error.textContent = form.dataset.choose; return; }
  isPaused = false;
  toldTenth = -1;
  submit.disabled = true;
  pause.hidden = progress.hidden = false;
  try {
    const key = fingerprint(chosen);
    const dataSet = (await known(key)) || (await begun(chosen));
    localStorage.setItem(key, dataSet);
    if (await sendAll(dataSet, chosen)) {
      localStorage.removeItem(key);
      location.assign(form.dataset.page + dataSet);
    } else {
      state.textContent = form.dataset.paused;
    }
  } catch (problem) {
    error.textContent = problem.message;
  } finally {
    submit.disabled = false;
    pause.hidden = true;
  }
});

pause.addEventListener("click", () => { isPaused = true; });
