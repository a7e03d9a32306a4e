// The console: lists that renew themselves, ages that grow, and a keyboard that reaches it all.
const $ = (id) => document.getElementById(id);
const list = $("list");
const ASK_MS = 1500;
const LATE_S = 600;
let tag = "";
let ahead = 0; // the server's clock before ours, in seconds
let chosen = -1;
let shown = bare(list.innerHTML); // before the ages grow
let pressing = false;
let asked = 0; // renewals so far, and the last one whose answer came
let answered = 0;

// The answer to a form stands under the form's address, which cannot be asked for: the page's own
// is asked again, reloaded, searched, and shown in another language.
if (document.body.dataset.here) history.replaceState(null, "", document.body.dataset.here);

// --- ages ----------------------------------------------------------------------

function age(seconds) {
  const language = document.documentElement.lang;
  const unit = (value, name) =>
    new Intl.NumberFormat(language, { style: "unit", unit: name, unitDisplay: "narrow" }).format(value);
  if (seconds < 60) return unit(Math.max(0, Math.floor(seconds)), "second");
  if (seconds < 3600) return unit(Math.floor(seconds / 60), "minute");
  if (seconds < 86400) return `${unit(Math.floor(seconds / 3600), "hour")} ${unit(Math.floor((seconds % 3600) / 60), "minute")}`;
  return unit(Math.floor(seconds / 86400), "day");
}

function growOlder() {
  for (const time of document.querySelectorAll("[data-age]")) {
    const seconds = Date.now() / 1000 + ahead - Number(time.dataset.at);
    time.title ||= time.textContent;
    time.textContent = age(seconds);
    time.classList.toggle("late", seconds > LATE_S);
  }
}

// --- renewing --------------------------------------------------------------------

const TOKEN = 'input[name="csrf_token"]';

// Every answer brings another token; nothing else of it need be new.
function bare(html) {
  return html.replace(/(name="csrf_token" value=")[^"]*/g, "$1");
}

// A press on a link or button counts only if it is still there when the finger leaves it.
addEventListener("pointerdown", (event) => (pressing = event.button === 0), { capture: true });
for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => (pressing = false), { capture: true });
addEventListener("blur", () => (pressing = false));

// What somebody writes or chooses in the list stays until it is sent.
function begun() {
  return Boolean(list.querySelector(":is(input, select, textarea):focus")) || written(list);
}

function written(within) {
  if (within.querySelector("form[data-kept]")) return true; // what was sent once and could not be done
  return [...within.querySelectorAll("input, select, textarea")].some(
    (field) => field.checked !== field.defaultChecked || (field.defaultValue ?? field.value) !== field.value,
  );
}

async function renew() {
  if (document.hidden || !$("live-sign")) return;
  const mine = (asked += 1);
  try {
    const answer = await fetch(location.href, {
      headers: { "X-Fragment": "1", ...(tag && { "If-None-Match": tag }) },
      cache: "no-store",
    });
    if (answer.redirected || answer.status === 401) return written(document) ? fresh(false, "ended") : location.reload();
    // Whoever signed in again in another window sends what is written here under the new session.
    const token = answer.headers.get("X-CSRF-Token");
    if (token) for (const old of document.querySelectorAll(TOKEN)) old.value = token;
    const text = answer.ok ? await answer.text() : "";
    if (mine < answered) return; // it was slow, and what is shown is newer
    answered = mine;
    const date = Date.parse(answer.headers.get("Date") ?? "");
    if (date) ahead = date / 1000 - Date.now() / 1000;
    if (answer.ok && put(text)) tag = answer.headers.get("ETag") ?? "";
    fresh(answer.ok || answer.status === 304);
  } catch {
    fresh(false);
  }
  growOlder();
}

function put(text) {
  const next = document.createElement("template");
  next.innerHTML = text;
  if (bare(next.innerHTML) === shown) return true;
  if (pressing || begun()) return false; // the next tick asks again
  shown = bare(next.innerHTML);
  list.replaceChildren(next.content);
  showNewest();
  choose(chosen);
  return true;
}

function fresh(is, why = "stale") {
  $("live-sign").classList.toggle("stale", !is);
  const sentence = document.body.dataset[is ? "fresh" : why];
  if ($("live-sign").textContent !== sentence) $("live-sign").textContent = sentence;
}

// --- keyboard ---------------------------------------------------------------------

const rows = () => [...list.querySelectorAll(".rows tbody tr")];

function choose(index) {
  const all = rows();
  chosen = all.length ? Math.min(Math.max(index, -1), all.length - 1) : -1;
  all.forEach((row, place) => row.classList.toggle("chosen", place === chosen));
}

function move(by) {
  choose(Math.max(0, chosen + by));
  const row = rows()[chosen];
  row?.scrollIntoView({ block: "nearest" });
  row?.querySelector("a.open")?.focus({ preventScroll: true });
}

const keys = {
  "/": () => $("q")?.focus(),
  j: () => move(1),
  k: () => move(-1),
  "?": () => $("help").showModal(),
  Enter: () => rows()[chosen]?.querySelector("a.open")?.click(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || $("help").open) return;
  if (event.target.closest("input, select, textarea")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.key === "Enter" && event.target.closest("a, button, summary")) return;
  const place = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  const act = keys[event.key] ?? (place && (() => place.click()));
  if (!act) return;
  event.preventDefault();
  act();
});

$("help-button").addEventListener("click", () => $("help").showModal());
for (const select of document.querySelectorAll(".filters select")) {
  select.addEventListener("change", () => select.form.requestSubmit());
}

growOlder();
setInterval(renew, ASK_MS);

// --- canned replies -----------------------------------------------------------------

for (const button of document.querySelectorAll("[data-canned]")) {
  button.addEventListener("click", () => {
    const field = $("text");
    field.value = [field.value.trim(), button.dataset.canned].filter(Boolean).join("\n");
    field.focus();
  });
}

function showNewest() {
  for (const talk of document.querySelectorAll(".talk")) talk.scrollTop = talk.scrollHeight;
}
showNewest();
