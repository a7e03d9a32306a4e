// The bench: phones side by side, asked for changes every second, and the panel beside them.
import { el, call, attempt, toast } from "./dom.js";
import { language, switchLanguage, translatePage, word } from "./words.js";
import { Phone } from "./phone.js";
import { Panel } from "./panel.js";

const LIVELY = 500, CALM = 1200, HIDDEN = 4000; // milliseconds between two questions
const LIVELY_FOR = 20000;

class Bench {
  constructor() {
    this.phones = new Map();
    this.account = { name: "" };
    this.change = 0;
    this.loading = true;
    this.current = null;
    this.livelyUntil = 0;
    translatePage();
    this.shelf = document.getElementById("phones");
    this.panel = new Panel(this, document.getElementById("panel"));
    document.getElementById("add").addEventListener("click", () => this.addPhone());
    document.getElementById("language").textContent = language === "zh_CN" ? "EN" : "中文";
    document.getElementById("language").addEventListener("click", switchLanguage);
    document.getElementById("tools").addEventListener("click", () => this.toggleTools());
    document.addEventListener("visibilitychange", () => { if (!document.hidden) { this.current?.countUnread(0); this.refresh(); } });
    window.addEventListener("message", (event) => this.answerFrame(event));
    this.start();
  }

  async start() {
    await this.ask();
    if (!this.phones.size && this.reached) await this.addPhone();
    this.loading = false;
    this.loop();
  }

  refresh() {
    this.livelyUntil = Date.now() + LIVELY_FOR;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.loop(), 60);
  }

  async loop() {
    clearTimeout(this.timer);
    if (this.asking) { this.again = true; return; }
    await this.ask();
    const pause = document.hidden ? HIDDEN : Date.now() < this.livelyUntil ? LIVELY : CALM;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.loop(), this.again ? 50 : pause);
    this.again = false;
  }

  // One question after the other: an older answer after a newer one would look like another simulator's.
  ask() {
    this.asked = (this.asked ?? Promise.resolve()).then(() => this.askOnce());
    return this.asked;
  }

  async askOnce() {
    this.asking = true;
    try {
      const log = this.panel.wantsLog ? this.panel.lastLine : -1;
      const state = await call("GET", `/state?after=${this.change}&log=${log}`);
      if (state.change < this.change) { location.reload(); return; } // a fresh simulator
      this.take(state);
      if (this.reached === false) document.getElementById("toast").hidden = true;
      this.reached = true;
    } catch (error) {
      this.reached = false;
      toast(error.message === "offline" || /^5/.test(error.message) ? word("offline") : error.message);
    } finally {
      this.asking = false;
    }
  }

  take(state) {
    this.account = state.account;
    this.change = state.change;
    this.panel.showAccount(state.account);
    const present = new Set(state.phones.map((each) => each.openid));
    for (const phone of [...this.phones.values()]) if (!present.has(phone.openid)) this.drop(phone);
    for (const each of state.phones) {
      const known = this.phones.get(each.openid);
      if (known) known.update(each);
      else this.put(new Phone(each, this));
    }
    for (const message of state.messages) this.phones.get(message.openid)?.add(message);
    this.panel.addLines(state.log);
    if (state.messages.length) this.livelyUntil = Date.now() + LIVELY_FOR;
  }

  put(phone) {
    this.phones.set(phone.openid, phone);
    this.shelf.append(phone.element);
    if (!this.current || !this.loading) this.choose(phone);
    this.drawSwitcher();
  }

  drop(phone) {
    phone.element.remove();
    this.phones.delete(phone.openid);
    if (this.current === phone) { this.current = null; const next = this.phones.values().next().value; if (next) this.choose(next); }
    this.drawSwitcher();
  }

  async addPhone() {
    const numbers = [...this.phones.values()].map((each) => Number(each.name.match(/\d+$/)?.[0] || 0));
    await attempt(call("POST", "/phones", { name: `${word("phone")} ${Math.max(0, ...numbers) + 1}`, language }));
    await this.ask();
    this.showPhones();
  }

  async remove(phone) {
    await attempt(call("DELETE", phone.path));
    this.refresh();
  }

  choose(phone) {
    if (this.current === phone) { if (phone.unread && phone.overlay.hidden) phone.countUnread(0); return; }
    this.current?.element.classList.remove("chosen");
    this.current = phone;
    phone.element.classList.add("chosen");
    if (phone.overlay.hidden) phone.countUnread(0);
    phone.settle(true);
    this.panel.chosen(phone);
    this.drawSwitcher();
  }

  drawSwitcher() {
    document.getElementById("switcher").replaceChildren(...[...this.phones.values()].map((phone) =>
      el("button", { type: "button", class: "tool", "aria-pressed": String(phone === this.current), onclick: () => { this.choose(phone); this.showPhones(); phone.element.scrollIntoView({ inline: "nearest", block: "nearest" }); } },
        phone.name, phone.unread ? el("span", { class: "badge" }, String(phone.unread)) : null)));
    const waiting = [...this.phones.values()].reduce((sum, each) => sum + each.unread, 0);
    document.title = (waiting ? `(${waiting}) ` : "") + word("title");
  }

  toggleTools() {
    const open = document.body.classList.toggle("tools-open");
    document.getElementById("tools").setAttribute("aria-expanded", String(open));
  }

  showPhones() {
    document.body.classList.remove("tools-open");
    document.getElementById("tools").setAttribute("aria-expanded", "false");
  }

  // The platform's sign-in page asks which phone it is in.
  answerFrame(event) {
    for (const phone of this.phones.values()) {
      if (!phone.frame || phone.frame.contentWindow !== event.source) continue;
      if (event.data?.type === "sim-who") event.source.postMessage({ type: "sim-you-are", openid: phone.openid }, event.origin);
      if (event.data?.type === "sim-close") phone.closeOverlay();
    }
  }
}

new Bench();
