// Beside the phones: made-up citizens, the wire, faults.
import { el, call, attempt, toast } from "./dom.js";
import { word } from "./words.js";
import { camera, pick } from "./sheets.js";

const KEPT_LINES = 200;
const TARGETS = ["*", "/cgi-bin/message/custom/send", "/cgi-bin/media/get", "/cgi-bin/media/upload", "/cgi-bin/stable_token", "text", "image", "CLICK"];

export class Panel {
  constructor(bench, element) {
    this.bench = bench;
    this.lastLine = 0;
    this.citizens = el("div", { class: "citizens" });
    this.lines = el("div", { class: "lines" }, el("p", { class: "empty" }, word("log_empty")));
    this.faults = el("ul", { class: "faults" });
    this.target = el("strong", {});
    this.overlay = el("div", { class: "overlay wide-overlay", hidden: true });
    this.log = part("log", false, el("p", { class: "hint" }, word("log_hint")), this.lines);
    element.append(
      part("citizens", true, el("p", { class: "hint" }, word("citizens_hint")), el("p", { class: "target" }, word("sends_from"), " ", this.target), this.citizens, el("p", { class: "hint" }, word("gestures_hint")), this.ownPhoto()),
      this.log,
      part("faults", false, this.pushForm(), this.faultForm(), this.faults),
      this.overlay);
    this.log.addEventListener("toggle", () => bench.refresh());
    this.loadCitizens();
    this.loadFaults();
  }

  get wantsLog() { return this.log.open; }

  chosen(phone) { this.target.textContent = phone ? phone.name : "—"; }

  async loadCitizens() {
    let people;
    try {
      people = await call("GET", "/citizens");
    } catch (error) {
      this.citizens.replaceChildren(el("p", { class: "empty" }, word("citizens_away"), error.message, " ", el("button", { type: "button", class: "small", onclick: () => this.loadCitizens() }, word("retry"))));
      return;
    }
    if (!people.length) { this.citizens.replaceChildren(el("p", { class: "empty" }, word("no_citizens"))); return; }
    this.citizens.replaceChildren(...people.map((person, place) => this.citizen(person, place)));
  }

  citizen(person, place) {
    const send = (key, act) => el("button", { type: "button", class: "small", "aria-label": `${word(key)}: ${person.name}`, onclick: () => { const phone = this.bench.current; if (phone) act(phone); this.bench.showPhones(); } }, word(key));
    return el("div", { class: "citizen" },
      person.photo ? el("img", { src: person.photo, alt: person.name, loading: "lazy" }) : el("span", { class: "blank" }),
      el("div", {}, el("strong", {}, person.name), el("code", {}, person.id_number),
        el("div", { class: "acts" }, send("send_name", (phone) => phone.act("say", { text: person.name })), send("send_number", (phone) => phone.act("say", { text: person.id_number })),
          person.photo ? send("send_photo", (phone) => phone.act("citizen-photo", { place })) : null),
        person.gestures?.length ? el("div", { class: "acts gestures", role: "group", "aria-label": word("gestures") }, ...person.gestures.map((gesture) => send(`gesture_${gesture}`, (phone) => phone.act("citizen-photo", { place, gesture })))) : null));
  }

  ownPhoto() {
    const done = el("p", { class: "done", role: "status" });
    const take = async (blob) => {
      if (!blob) return;
      const form = new FormData();
      form.set("photo", blob, "photo.jpg");
      const person = await attempt(call("POST", "/citizens", form));
      if (!person) return;
      done.replaceChildren(word("own_done"), el("strong", {}, person.name), " ", el("code", {}, person.id_number));
      this.loadCitizens();
    };
    return el("div", { class: "own" }, el("h3", {}, word("own_photo")), el("p", { class: "hint" }, word("own_hint")),
      el("div", { class: "acts" }, el("button", { type: "button", class: "small", onclick: async () => take(await pick("image/*")) }, word("own_file")),
        el("button", { type: "button", class: "small", onclick: () => camera(this.overlay, (_, blob) => take(blob), { photoOnly: true }) }, word("own_camera"))), done);
  }

  addLines(entries) {
    for (const entry of entries) {
      if (entry.id <= this.lastLine) continue;
      if (!this.lastLine) this.lines.replaceChildren();
      this.lastLine = entry.id;
      this.lines.prepend(line(entry));
    }
    while (this.lines.childElementCount > KEPT_LINES) this.lines.lastElementChild.remove();
  }

  pushForm() {
    const choice = (name, values) => {
      const select = el("select", { onchange: () => attempt(call("POST", "/pushes", { [name]: select.value })) }, ...values.map((each) => el("option", { value: each }, each)));
      this[name] = select;
      return el("label", {}, word(name), select);
    };
    return el("div", { class: "fields" }, choice("mode", ["safe", "compat", "plain"]), choice("format", ["xml", "json"]),
      el("button", { type: "button", class: "small", onclick: async () => { const found = await attempt(call("POST", "/webhook/check", {})); if (found) toast(found.good ? word("check_good") : found.problem); } }, word("check")),
      el("button", { type: "button", class: "small", onclick: async () => { const found = await attempt(call("POST", "/tokens/invalidate", {})); if (found) toast(word("invalidated") + found.invalidated); } }, word("invalidate")));
  }

  showAccount(account) {
    if (document.activeElement !== this.mode) this.mode.value = account.mode;
    if (document.activeElement !== this.format) this.format.value = account.format;
  }

  faultForm() {
    const kinds = ["api_error", "api_latency", "api_lost", "push_drop", "push_duplicate", "push_reorder", "push_latency", "push_forged", "reply_lost"];
    const kind = el("select", { name: "kind" }, ...kinds.map((each) => el("option", { value: each }, word(each))));
    const field = (key, node) => el("label", {}, word(key), node);
    const number = (name, attributes) => el("input", { type: "number", name, ...attributes });
    const code = field("fault_code", number("code", { value: "45047" }));
    const seconds = field("fault_seconds", number("seconds", { value: "6", min: "0", max: "600", step: "0.1" }));
    const fit = () => { code.hidden = kind.value !== "api_error"; seconds.hidden = !kind.value.endsWith("latency"); };
    kind.addEventListener("change", fit);
    fit();
    return el("form", { class: "fields", onsubmit: async (event) => {
      event.preventDefault();
      const told = Object.fromEntries(new FormData(event.target));
      await attempt(call("POST", "/faults", { kind: told.kind, target: told.target || "*", code: Number(told.code), seconds: kind.value.endsWith("latency") ? Number(told.seconds) : 0, times: told.times ? Number(told.times) : null }));
      this.loadFaults();
    } }, field("fault_kind", kind),
    field("fault_target", el("input", { name: "target", value: "*", list: "targets" })), el("datalist", { id: "targets" }, ...TARGETS.map((each) => el("option", { value: each }))),
    code, seconds, field("fault_times", number("times", { min: "1", value: "1" })), el("button", { type: "submit", class: "small" }, word("fault_on")));
  }

  async loadFaults() {
    const found = await attempt(call("GET", "/faults"));
    if (!found) return;
    this.faults.replaceChildren(...(found.on.length ? found.on.map((each) =>
      el("li", {}, el("span", {}, `${word(each.kind)} · ${each.target}${each.kind === "api_error" ? ` · ${each.code}` : ""}${each.seconds ? ` · ${each.seconds} s` : ""}${each.times ? ` · ×${each.times}` : ""}`),
        el("button", { type: "button", class: "small", onclick: async () => { await attempt(call("DELETE", `/faults/${each.id}`)); this.loadFaults(); } }, word("fault_off"))))
      : [el("li", { class: "empty" }, word("faults_none"))]));
  }
}

function part(key, open, ...children) {
  return el("details", { class: `part part-${key}`, open }, el("summary", {}, word(key)), ...children);
}

function line(entry) {
  const at = new Date(entry.at * 1000).toTimeString().slice(0, 8);
  return el("details", { class: `line ${entry.good ? "" : "bad"}` },
    el("summary", {}, el("time", {}, at), el("span", { class: `kind ${entry.kind}` }, word(entry.kind)), el("span", { class: "what" }, entry.title), el("span", { class: "took" }, `${entry.good ? "✓" : "✕"} ${entry.took_ms} ms`)),
    el("h4", {}, word("sent")), el("pre", { tabindex: "0" }, entry.sent || "—"), el("h4", {}, word("received")), el("pre", { tabindex: "0" }, entry.received || "—"));
}
