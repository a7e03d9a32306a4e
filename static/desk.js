// The desk: one scan after another. One state fills the screen; everything else is in its service.
import { startCamera, stopCamera, setUpCamera } from "./desk-camera.js";
import { setUpCompare } from "./desk-compare.js";
import { setUpDevice, signal, silence } from "./desk-device.js";
import { setUpLock } from "./desk-lock.js";
import { isToken, setUpOffline } from "./desk-offline.js";

const body = document.body;
const words = JSON.parse(body.dataset.words);
const $ = (id) => document.getElementById(id);
const stage = $("stage");
const field = $("code");
const POLL_MS = 1000;
const TODAY_MS = 5000;
const RETRIES = 3;
const LOCK = "/desk/lock";
const SHY_MS = 600; // a tap this soon after a result was meant for what was there before
const OVER = ["accepted", "refused", "offline"]; // a tap or Enter leads on to the next guest
const byTouch = matchMedia("(pointer: coarse)").matches;

// The tablet's, whoever of the organisation stands at it: staff change, desk and purpose stay.
const kept = {
  get: (name) => localStorage.getItem(`desk:${body.dataset.verifier}:${name}`) ?? "",
  set: (name, value) => localStorage.setItem(`desk:${body.dataset.verifier}:${name}`, value),
};
let state = "ready";
let since = 0;
let round = 0; // grows with every guest; an answer that comes for an earlier one is dropped
let lastCode = "";
let todayTag = "";

const say = (key, values = {}) =>
  Object.entries(values).reduce((text, [name, value]) => text.replace(`{${name}}`, value), words[key]);

// --- showing -----------------------------------------------------------------

function show(name, spoken = "") {
  state = name;
  since = performance.now();
  stage.dataset.state = name;
  for (const part of stage.querySelectorAll("[data-for]")) part.hidden = part.dataset.for !== name;
  $("next").hidden = !OVER.includes(name);
  $("spoken").textContent = spoken;
  if (!byTouch && !$("setup").open) field.focus({ preventScroll: true });
  if (byTouch) scrollTo({ top: 0 });
}

function ready() {
  round += 1;
  silence();
  compare.end();
  $("portrait").removeAttribute("src");
  $("fields").replaceChildren();
  show("ready");
}

function showAccepted(answer) {
  const told = answer.fields.map(({ label, value, warn }) => {
    const row = document.createElement("div");
    row.className = warn ? "told-field warn" : "told-field";
    const term = document.createElement("dt");
    term.textContent = label;
    const detail = document.createElement("dd");
    detail.textContent = value;
    const copy = document.createElement("button");
    copy.type = "button";
    copy.className = "button";
    copy.textContent = words["desk.copy"];
    copy.setAttribute("aria-label", say("desk.copy.of", { field: label }));
    copy.addEventListener("click", () => copyText(value, copy));
    row.append(term, detail, copy);
    return row;
  });
  $("fields").replaceChildren(...told);
  $("portrait-box").hidden = !answer.portrait;
  $("portrait-box").parentElement.classList.toggle("with-portrait", Boolean(answer.portrait));
  if (answer.portrait) $("portrait").src = `data:image/jpeg;base64,${answer.portrait}`;
  compare.begin(answer.verification_id, answer.portrait);
  const at = { time: answer.time, purpose: answer.purpose_label };
  $("accepted-at").textContent = say("desk.accepted.at", at);
  signal("accepted");
  const spoken = answer.fields.map(({ label, value }) => `${label} ${value}`).join(", ");
  show("accepted", `${words["desk.accepted.title"]}. ${spoken}`);
}

function showRefused({ reason, say: tell, do: todo }) {
  compare.end();
  $("reason").textContent = reason;
  $("say").textContent = tell;
  $("do").textContent = todo;
  signal("refused");
  show("refused", `${reason}. ${todo}`);
}

const showRefusedAs = (code) =>
  showRefused(Object.fromEntries(["reason", "say", "do"].map((part) => [part, words[`desk.refused.${code}.${part}`]])));

async function copyText(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  button.textContent = words["desk.copied"];
  setTimeout(() => (button.textContent = words["desk.copy"]), 1500);
  if (!byTouch) field.focus({ preventScroll: true });
}

// --- asking the server ---------------------------------------------------------

async function ask(path, options = {}) {
  const answer = await fetch(path, {
    ...options,
    headers: { Accept: "application/json", "X-CSRF-Token": body.dataset.csrf, ...options.headers },
  });
  if (answer.status === 401) location.assign("/desk/locked"); // or, from there, to sign in
  // Another session began in this browser, in another window: what this page shows is of one that
  // is over. It is asked for anew; a page that locks itself need not be.
  if (answer.status === 400 && (await isOver(answer.clone()))) location.assign(path === LOCK ? "/desk/locked" : "/desk");
  return answer;
}

const isOver = async (answer) => (await answer.json().catch(() => ({}))).code === "csrf";

// A request whose answer was lost is sent again with the same id, and gets the same answer.
async function askSurely(path, options) {
  for (let left = RETRIES; ; left -= 1) {
    try {
      const answer = await ask(path, options);
      $("offline").hidden = true;
      return answer;
    } catch (error) {
      if (left === 0) throw error;
      $("offline").hidden = false;
      await wait(700);
    }
  }
}

const wait = (ms) => new Promise((done) => setTimeout(done, ms));

function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 15) | 64;
  bytes[8] = (bytes[8] & 63) | 128;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

async function scan(code) {
  if (["checking", "waiting"].includes(state) || $("setup").open) return;
  round += 1;
  const mine = round;
  lastCode = code;
  compare.end();
  show("checking", words["desk.checking.title"]);
  if (isToken(code)) return scanOffline(code, mine);
  try {
    const answer = await askSurely("/desk/verifications", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ code, purpose: kept.get("purpose"), desk: kept.get("desk"), request_id: newId() }),
    });
    const told = await answer.json();
    if (mine === round) take(answer, told, mine);
  } catch {
    if (mine === round) showRefusedAs("unavailable");
  }
  refreshToday();
}

// A code for desks without a network is read here; what follows from it is told when there is one.
async function scanOffline(code, mine) {
  if (navigator.onLine) await Promise.race([offline.refresh(), wait(1500)]);
  const found = await offline.look(code, kept.get("purpose"), kept.get("desk"));
  if (mine !== round) return;
  if (found.refused) {
    showRefused(Object.fromEntries(["reason", "say", "do"].map((part) => [part, words[`offline.refused.${found.refused}.${part}`]])));
    return;
  }
  const at = new Date(found.asOf * 1000);
  const time = [at.getHours(), at.getMinutes()].map((part) => String(part).padStart(2, "0")).join(":");
  $("offline-as-of").textContent = say("offline.desk.as_of", { time });
  $("offline-adult").textContent = words[found.adult ? "offline.desk.yes" : "offline.desk.no"];
  $("offline-adult").parentElement.classList.toggle("warn", !found.adult);
  $("offline-level").textContent = words[`offline.desk.${found.level}`];
  $("offline-limits").textContent = say("offline.desk.limits", { time });
  signal("accepted");
  const adult = `${words["offline.desk.adult"]}: ${$("offline-adult").textContent}`;
  show("offline", `${words["offline.desk.valid"]}. ${$("offline-as-of").textContent}. ${adult}`);
}

function take(answer, told, mine) {
  if (!answer.ok && !told.reason) showRefusedAs("unavailable"); // a fault has no words for a guest
  else if (!answer.ok) showRefused(told);
  else if (told.state === "accepted") showAccepted(told);
  else if (told.state === "denied") showRefused(told.refusal);
  else if (state !== "waiting") waitForGuest(told, mine);
}

async function waitForGuest(first, mine) {
  const ends = performance.now() + first.wait_s * 1000;
  $("number").textContent = first.number;
  const spoken = `${words["desk.waiting.title"]}. ${[...String(first.number)].join(" ")}`;
  show("waiting", spoken);
  signal("waiting");
  while (mine === round && state === "waiting") {
    const left = Math.max(0, (ends - performance.now()) / 1000);
    $("left").value = first.wait_s ? left / first.wait_s : 0;
    $("left-words").textContent = say("desk.waiting.left", { seconds: Math.ceil(left) });
    await wait(POLL_MS);
    if (mine !== round) return;
    try {
      const answer = await ask(`/desk/verifications/${first.verification_id}`);
      const told = await answer.json();
      $("offline").hidden = true;
      if (mine !== round) return;
      if (answer.status === 503) {
        if (performance.now() > ends + 3 * POLL_MS) showRefusedAs("unavailable");
        continue;
      }
      // The server counts a guest who let the time pass as one who denied; staff say it otherwise.
      const over = performance.now() > ends - POLL_MS;
      if (answer.ok && told.state !== "accepted" && over) showRefusedAs("no_answer");
      else if (!answer.ok || told.state !== "awaiting_holder") take(answer, told, mine);
    } catch {
      $("offline").hidden = false;
      if (performance.now() > ends + 3 * POLL_MS) showRefusedAs("unavailable");
    }
  }
  refreshToday();
}

// --- today -----------------------------------------------------------------------

async function refreshToday() {
  const desk = encodeURIComponent(kept.get("desk"));
  try {
    const answer = await ask(`/desk/today?desk=${desk}`, { headers: todayTag ? { "If-None-Match": todayTag } : {} });
    if (!answer.ok) return;
    todayTag = answer.headers.get("ETag") ?? "";
    const { rows } = await answer.json();
    $("today-empty").hidden = rows.length > 0;
    $("today-count").textContent = rows.length ? say("desk.today.count", { count: rows.length }) : "";
    $("today").replaceChildren(...rows.map(todayRow));
  } catch {
    // the next tick asks again
  }
}

function todayRow({ time, purpose, state: outcome, word }) {
  const row = document.createElement("li");
  const parts = [["time", time], ["span", purpose], ["span", word]].map(([tag, text]) => {
    const part = document.createElement(tag);
    part.textContent = text;
    return part;
  });
  parts[2].className = `mark ${outcome}`;
  row.append(...parts);
  return row;
}

// --- purpose and place ---------------------------------------------------------

const dialog = $("setup");

function chosen() {
  return [...dialog.querySelectorAll("input[name=purpose]")].find(({ value }) => value === kept.get("purpose"));
}

function openSetup() {
  const radios = [...dialog.querySelectorAll("input[name=purpose]")];
  const radio = chosen() ?? (radios.length === 1 ? radios[0] : undefined);
  if (radio) radio.checked = true;
  if ($("desk-field") && kept.get("desk")) $("desk-field").value = kept.get("desk");
  dialog.showModal();
}

function applySetup() {
  $("purpose-name").textContent = chosen()?.dataset.label ?? "";
  $("desk-name").textContent = body.dataset.desk || kept.get("desk");
  todayTag = "";
  refreshToday();
}

// In one piece: Chromium gives the field its focus back without a caret, and what a scanner types
// until it has one goes nowhere.
function closeSetup() {
  dialog.close();
  if (byTouch) return;
  field.blur();
  field.focus({ preventScroll: true });
}

$("setup-form").addEventListener("submit", (event) => {
  event.preventDefault();
  kept.set("purpose", new FormData($("setup-form")).get("purpose") ?? "");
  if ($("desk-field")) kept.set("desk", $("desk-field").value.trim());
  closeSetup();
  applySetup();
});
dialog.addEventListener("cancel", (event) => {
  event.preventDefault();
  if (chosen()) closeSetup();
});
$("change").addEventListener("click", openSetup);

// --- scanner, keyboard, tap ---------------------------------------------------

$("entry").addEventListener("submit", (event) => {
  event.preventDefault();
  const code = field.value.normalize("NFKC").trim();
  field.value = "";
  if (code) scan(code);
  else if (OVER.includes(state)) ready();
});

// A scanner is a keyboard: with an input method on, it types into the method's own window.
field.addEventListener("compositionstart", () => ($("ime").hidden = false));
field.addEventListener("input", (event) => {
  if (!event.isComposing && /^[\x20-\x7e]*$/.test(field.value)) $("ime").hidden = true;
});

document.addEventListener("keydown", (event) => {
  if (dialog.open || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape" && OVER.includes(state)) return ready();
  if (event.target.closest("input, textarea, select")) return;
  // A scanner types wherever the focus is; only a blank or Enter may still press a button.
  if (event.key.length === 1 && event.key !== " ") field.focus();
  else if (event.target.closest("button, a")) return;
  else if (event.key === "Enter" && OVER.includes(state)) ready();
});

stage.addEventListener("click", (event) => {
  if (!OVER.includes(state) || performance.now() - since < SHY_MS) return;
  if (event.target.closest("button, a, input, dialog, .compare") || String(getSelection())) return;
  ready();
});
$("next-button").addEventListener("click", ready);
$("stop").addEventListener("click", ready);

// --- camera ---------------------------------------------------------------------

setUpCamera({
  words,
  // A refused guest may show another code at once; after an accepted one staff look first.
  wanted: () => ["ready", "refused"].includes(state) && !dialog.open,
  read: (frame) => ask("/desk/frame", { method: "POST", headers: { "Content-Type": "image/jpeg" }, body: frame }),
  found: (code) => {
    if (code !== lastCode) scan(code);
  },
  chosen: () => kept.get("camera-which"),
  remember: (on, which) => {
    kept.set("camera", on ? "on" : "");
    if (which) kept.set("camera-which", which);
  },
});

const compare = setUpCompare({
  ask,
  decided: () => {
    if (!byTouch) field.focus({ preventScroll: true }); // its button is gone, and Enter is the next guest
  },
  cameraId: () => kept.get("camera-which"),
  refuse: () => showRefused($("compare").dataset),
});

const offline = setUpOffline({
  kept,
  words,
  post: (path, sent) =>
    ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(sent) }),
  told: refreshToday,
});

setUpDevice(kept);
setUpLock({
  kept,
  ask,
  hide: () => {
    stopCamera();
    ready();
  },
  busy: () => ["checking", "waiting"].includes(state),
});
applySetup();
show("ready");
if (!chosen()) openSetup();
if (kept.get("camera")) startCamera();
setInterval(() => {
  if (!document.hidden) refreshToday();
}, TODAY_MS);
addEventListener("pagehide", stopCamera);
navigator.serviceWorker?.register("/desk/sw.js", { scope: "/desk" }).catch(() => {}); // works without
