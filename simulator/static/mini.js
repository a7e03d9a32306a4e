// A mini-program of few lines: wx.login, the product's /mini/… and the phone's fingerprint sensor.
import { el, call } from "./dom.js";
import { chinese, translate, word } from "./kiosk-words.js";

const openid = new URLSearchParams(location.search).get("openid") || "";
const phone = `/phones/${encodeURIComponent(openid)}`;
const content = document.getElementById("content");
const trouble = document.getElementById("trouble");
let token = "";
let state = null;
let code = null;
let change = -1;

translate("mini_title");

function complain(text) {
  trouble.textContent = text;
  trouble.hidden = !text;
}

async function product(method, path, body) {
  if (!token) {
    const { js_code } = await call("POST", `${phone}/mini-program`, {});
    token = (await ask("POST", "/mini/login", { js_code })).token;
  }
  return ask(method, path, body);
}

async function ask(method, path, body) {
  const headers = { accept: "application/json", "accept-language": chinese ? "zh-CN" : "en" };
  if (token) headers.authorization = `Bearer ${token}`;
  if (body !== undefined) headers["content-type"] = "application/json";
  const answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  if (answer.status === 304) return null;
  const told = await answer.json().catch(() => ({}));
  if (answer.status === 401) token = "";
  if (!answer.ok) {
    const error = new Error(told.title || `${answer.status}`);
    error.code = told.code;
    throw error;
  }
  return told;
}

async function act(job) {
  complain("");
  try {
    await job();
    await refresh();
  } catch (error) {
    complain(error.message);
  }
}

const beginUpgrade = () => act(async () => { code = (await product("POST", "/mini/upgrade", {})).binding_code; });
const pressFinger = () => act(async () => {
  const { challenge } = await product("POST", "/mini/soter/challenge", {});
  await product("POST", "/mini/soter/answer", await call("POST", `${phone}/fingerprint`, { challenge }));
});
const answer = (how, pin) => act(() => product("POST", `/mini/approvals/${state.approval.id}`, { answer: how, pin: pin || "" }));
const button = (kind, key, onclick) => el("button", { type: "button", class: kind, onclick }, word(key));

function upgrade() {
  const bound = state.upgrade ? state.upgrade.bound : [];
  return el("section", {},
    el("ul", { class: "state" }, ...["chip", "fingerprint", "face"].map((name) => el("li", {}, el("span", {}, word(name)), el("span", { class: bound.includes(name) ? "yes" : "no" }, word(bound.includes(name) ? "mini_done" : "mini_open"))))),
    code ? el("p", { class: "hint" }, word("mini_code")) : null,
    code ? el("p", { class: "number" }, `${code.slice(0, 4)} ${code.slice(4)}`) : null,
    button("second", "mini_begin", beginUpgrade),
    button("second", "mini_finger", pressFinger));
}

function approval() {
  const asked = state.approval;
  const pin = asked.pin ? el("input", { class: "pin", type: "password", inputmode: "numeric", maxlength: "8", "aria-label": word("mini_pin"), placeholder: word("mini_pin") }) : null;
  return el("section", {},
    el("h2", {}, asked.verifier), el("p", { class: "hint" }, `${asked.desk} · ${asked.purpose_word} · ${word("mini_asks")}`),
    el("p", { class: "number" }, String(asked.number)), el("p", {}, asked.fields.join(chinese ? "、" : ", ")), pin,
    button("main", "mini_approve", () => answer("approve", pin?.value)), button("second", "mini_deny", () => answer("deny")));
}

async function refresh() {
  const told = await product("GET", `/mini/state?change=${change}`);
  if (told === null) return;
  state = told;
  change = told.change;
  const uses = (await product("GET", "/mini/history")).slice(0, 6);
  content.replaceChildren(
    el("section", {}, el("h2", {}, word("mini_card")), el("p", {}, `${state.name_masked} · ${state.id_number_masked}`),
      el("p", { class: "hint" }, word(`mini_${state.level}`)),
      state.can_unfreeze ? button("second", "mini_unfreeze", () => act(() => product("POST", "/mini/unfreeze", {})))
        : state.status === "frozen" ? el("p", {}, word("mini_held")) : button("second", "mini_freeze", () => act(() => product("POST", "/mini/freeze", {})))),
    ...(state.approval ? [approval()] : []),
    ...(state.level === "light" && state.status === "active" ? [upgrade()] : []),
    el("section", {}, el("h2", {}, word("mini_history")), el("ul", { class: "state" }, ...uses.map((use) => el("li", {}, el("span", {}, [use.verifier, use.what].filter(Boolean).join(" · ")), el("time", { class: "no" }, new Date(use.at * 1000).toLocaleTimeString(chinese ? "zh-CN" : "en", { hour: "2-digit", minute: "2-digit" })))))));
}

async function loop() {
  try {
    await refresh();
  } catch (error) {
    complain(error.code === "no_card" ? word("mini_no_card") : error.message);
  }
  setTimeout(loop, document.hidden ? 5000 : 1500);
}

if (openid) loop();
else complain(word("mini_nobody"));
