// One phone: its chat, menu bar, keyboard, tray and the browser inside it.
import { el, icon, call, attempt, clock } from "./dom.js";
import { word } from "./words.js";
import { bubble, stamp } from "./bubble.js";
import { album, camera, enlarge, options, scan } from "./sheets.js";

export class Phone {
  constructor(state, bench) {
    this.openid = state.openid;
    this.bench = bench;
    this.messages = new Map();
    this.unread = 0;
    this.speaking = false;
    this.typingText = null;
    this.menuShape = "";
    this.build(state);
    this.update(state);
  }

  get path() { return `/phones/${encodeURIComponent(this.openid)}`; }

  act(verb, body = {}) {
    return attempt(call("POST", `${this.path}/${verb}`, body), () => this.bench.refresh());
  }

  build(state) {
    this.time = el("span", {}, clock(Date.now() / 1000));
    this.heading = el("h2", {}, "");
    this.chat = el("div", { class: "chat", role: "log", "aria-live": "polite", tabindex: "0" });
    this.stuck = true; // the reader is at the chat's end, and stays there when it grows
    this.chat.addEventListener("scroll", () => { this.stuck = this.atEnd(); });
    new ResizeObserver(() => this.settle()).observe(this.chat);
    this.badge = el("span", { class: "badge", hidden: true });
    this.dock = el("div", { class: "dock" });
    this.tray = el("div", { class: "tray", hidden: true }, ...this.tiles());
    this.overlay = el("div", { class: "overlay", hidden: true });
    this.element = el(
      "article",
      { class: "phone", "aria-label": state.name, "data-openid": this.openid, onpointerdown: () => this.bench.choose(this), onfocusin: () => this.bench.choose(this) },
      el("div", { class: "status", "aria-hidden": "true" }, this.time, el("span", { class: "owner" }, state.name), el("span", { class: "battery" })),
      el("div", { class: "nav" }, this.badge, this.heading,
        el("button", { type: "button", class: "plain", "aria-label": word("options"), onclick: () => options(this) }, icon("dots"))),
      this.chat,
      this.dock,
      this.tray,
      this.overlay,
    );
    this.buildKeyboard();
  }

  buildKeyboard() {
    this.input = el("textarea", { rows: "1", "aria-label": word("write"), placeholder: word("write"), enterkeyhint: "send" });
    this.input.addEventListener("input", () => this.fit());
    this.input.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); this.send(); }
    });
    this.input.addEventListener("focus", () => { this.tray.hidden = true; this.settle(); });
    this.toMenu = el("button", { type: "button", class: "plain", "aria-label": word("menu"), onclick: () => this.useMenu(true) }, icon("menu"));
    this.mic = el("button", { type: "button", class: "plain", "aria-label": word("voice"), "aria-pressed": "false", onclick: () => this.speak(!this.speaking) }, icon("voice"));
    this.more = el("button", { type: "button", class: "plain", "aria-label": word("more"), onclick: () => this.toggleTray() }, icon("plus"));
    this.sendButton = el("button", { type: "button", class: "send", hidden: true, onclick: () => this.send() }, word("send"));
    this.keyboard = el("div", { class: "keys" }, this.toMenu, this.mic, this.input, this.more, this.sendButton);
    this.menuBar = el("div", { class: "menu" });
    this.dock.append(this.menuBar, this.keyboard);
    this.menuMode = true;
  }

  tiles() {
    const tile = (name, act) => el("button", { type: "button", class: "tile", onclick: () => { this.tray.hidden = true; act(); } }, el("span", {}, icon(name)), word(name));
    return [
      tile("album", () => album(this, "image")),
      tile("camera", () => camera(this.overlay, (kind, blob) => this.sendFile(kind, blob))),
      tile("video", () => album(this, "video")),
      tile("scan", () => scan(this)),
      tile("place", () => this.act("location", { latitude: 22.8016, longitude: 113.5254, label: word("place_name") })),
    ];
  }

  update(state) {
    const first = this.name === undefined;
    this.name = state.name;
    this.time.textContent = clock(Date.now() / 1000);
    if (first || this.following !== state.following) {
      this.following = state.following;
      this.element.classList.toggle("stranger", !state.following);
      this.welcome?.remove();
      this.welcome = null;
      if (!state.following) {
        this.welcome = el("div", { class: "welcome" }, el("span", { class: "face account" }, icon("shield")), el("h3", {}, this.bench.account.name),
          el("p", {}, word("intro")), el("button", { type: "button", class: "main", onclick: () => this.act("follow") }, word("follow")));
        this.element.append(this.welcome);
      }
    }
    this.heading.textContent = state.typing ? word("typing") : this.bench.account.name;
    this.drawMenu(state.menu);
  }

  drawMenu(menu) {
    const shape = JSON.stringify(menu);
    if (shape === this.menuShape) return;
    this.menuShape = shape;
    this.menuBar.replaceChildren(
      el("button", { type: "button", class: "plain", "aria-label": word("keyboard"), onclick: () => this.useMenu(false) }, icon("keyboard")),
      ...menu.map((button) => this.menuButton(button)));
    this.toMenu.hidden = menu.length === 0;
    const writing = this.input.value !== "" || document.activeElement === this.input;
    if (!writing) this.useMenu(this.menuMode && menu.length > 0, { quiet: true });
    else this.menuMode = false; // a menu that comes meanwhile takes no keyboard away
  }

  menuButton(button) {
    if (!button.sub_button?.length) return el("button", { type: "button", class: "entry", onclick: () => this.press(button) }, button.name);
    const list = el("div", { class: "submenu", hidden: true }, ...button.sub_button.map((each) =>
      el("button", { type: "button", onclick: () => { this.closeMenus(); this.press(each); } }, each.name)));
    const head = el("button", { type: "button", class: "entry has", "aria-expanded": "false", onclick: () => {
      const wasOpen = !list.hidden;
      this.closeMenus();
      list.hidden = wasOpen;
      head.setAttribute("aria-expanded", String(!wasOpen));
    } }, button.name);
    return el("div", { class: "group", onkeydown: (event) => { if (event.key === "Escape") { this.closeMenus(); head.focus(); } } }, list, head);
  }

  closeMenus() {
    for (const list of this.menuBar.querySelectorAll(".submenu")) list.hidden = true;
    for (const head of this.menuBar.querySelectorAll(".has")) head.setAttribute("aria-expanded", "false");
  }

  press(button) {
    if (button.type === "view") { this.act("view", { url: button.url }); this.open(button.url); }
    else if (button.type?.startsWith("scancode")) scan(this, button.type === "scancode_waitmsg" ? button.key : "");
    else if (button.type?.startsWith("pic_")) album(this, "image");
    else this.act("click", { key: button.key });
  }

  useMenu(wanted, { quiet = false } = {}) {
    this.menuMode = quiet ? this.menuMode : wanted;
    this.menuBar.hidden = !wanted;
    this.keyboard.hidden = wanted;
    this.tray.hidden = true;
    if (!wanted && !quiet) this.input.focus();
    this.settle();
  }

  toggleTray() {
    this.tray.hidden = !this.tray.hidden;
    this.settle();
  }

  speak(wanted) {
    this.speaking = wanted;
    this.mic.setAttribute("aria-pressed", String(wanted));
    this.mic.replaceChildren(icon(wanted ? "keyboard" : "voice"));
    this.input.placeholder = word(wanted ? "speak" : "write");
    this.input.setAttribute("aria-label", word(wanted ? "speak_hint" : "write"));
    this.fit();
    this.keyboard.classList.toggle("speaking", wanted);
    this.input.focus();
  }

  fit() {
    const filled = this.input.value.trim() !== "";
    this.sendButton.hidden = !filled;
    this.more.hidden = filled;
    this.input.style.height = "auto";
    this.input.style.height = `${Math.min(this.input.scrollHeight, 110)}px`;
  }

  async send() {
    const text = this.input.value;
    if (!text.trim()) return;
    this.input.value = "";
    this.fit();
    if (this.speaking) {
      const form = new FormData();
      form.set("heard", text.trim());
      await this.act("media/voice", form);
    } else if (!(await this.act("say", { text }))) {
      this.input.value = text; // nothing that was written is lost
      this.fit();
    }
  }

  sendFile(kind, blob, name = "file") {
    const form = new FormData();
    form.set("file", blob, name);
    return this.act(`media/${kind}`, form);
  }

  answer(choice) { return this.act("say", { text: choice.content, menu_id: String(choice.id) }); }

  add(message) {
    const before = this.messages.get(message.id);
    this.messages.set(message.id, message);
    if (before) return; // only its state changed, which the chat does not show
    const time = stamp(message, this.last);
    this.last = message;
    if (time) this.chat.append(time);
    this.chat.append(bubble(message, this));
    this.settle(message.side === "person");
    if (message.side === "account" && this.isAway()) this.countUnread(this.unread + 1);
  }

  forget() {
    this.messages.clear();
    this.last = null;
    this.chat.replaceChildren();
  }

  isAway() { return document.hidden || !this.overlay.hidden || !this.element.classList.contains("chosen"); }

  countUnread(count) {
    if (this.bench.loading) return;
    this.unread = count;
    this.badge.hidden = count === 0;
    this.badge.textContent = String(count);
    this.badge.setAttribute("aria-label", `${count} ${word("unread")}`);
    this.bench.drawSwitcher();
  }

  atEnd() { return this.chat.scrollHeight - this.chat.scrollTop - this.chat.clientHeight < 60; }

  settle(force = false) {
    if (force || this.stuck) this.chat.scrollTop = this.chat.scrollHeight;
  }

  enlarge(mediaId) { enlarge(this, mediaId); }

  // A link opens inside the phone, as in the chat's own browser.
  open(address) {
    const title = el("h2", {}, hostOf(address));
    this.frame = el("iframe", { src: address, title: hostOf(address), allow: "camera; microphone; fullscreen; clipboard-write; screen-wake-lock" });
    this.frame.addEventListener("load", () => { title.textContent = titleOf(this.frame) || hostOf(address); });
    const leave = el("button", { type: "button", class: "plain", "aria-label": word("back"), onclick: () => this.closeOverlay() }, icon("back"));
    this.show(el("div", { class: "browser" },
      el("div", { class: "nav" }, leave, title, el("button", { type: "button", class: "plain", "aria-label": word("reload"), onclick: () => { this.frame.src = address; } }, icon("reload"))),
      this.frame));
    leave.focus({ preventScroll: true });
  }

  show(content) {
    this.overlay.replaceChildren(content);
    this.overlay.hidden = false;
  }

  closeOverlay() {
    this.overlay.hidden = true;
    this.overlay.replaceChildren();
    this.frame = null;
    this.countUnread(0);
    this.settle(true);
  }
}

function hostOf(address) {
  try { return new URL(address, location.href).host; } catch { return address; }
}

function titleOf(frame) {
  try { return frame.contentDocument?.title || ""; } catch { return ""; } // another origin's page keeps its title
}
