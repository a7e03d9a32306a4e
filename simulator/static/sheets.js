// What slides over a phone: the camera, the scanner, the picture viewer, the account's options.
import { el, icon, call, attempt, toast } from "./dom.js";
import { word } from "./words.js";
import { mediaAddress } from "./bubble.js";

const LONGEST_FILM = 15000; // milliseconds

export function pick(accept, capture) {
  return new Promise((done) => {
    const input = el("input", { type: "file", accept, capture });
    input.addEventListener("change", () => done(input.files[0] || null));
    input.addEventListener("cancel", () => done(null));
    input.click();
  });
}

export async function album(phone, kind) {
  const file = await pick(`${kind}/*`);
  if (file) await phone.sendFile(kind, file, file.name);
}

// Opens in an overlay; gives ("image" | "video", Blob).
export async function camera(overlay, taken, { photoOnly = false } = {}) {
  let stream = null;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user" }, audio: false });
  } catch {
    toast(word("no_camera"));
    const file = await pick("image/*", "user");
    if (file) taken("image", file);
    return;
  }
  const view = el("video", { autoplay: true, muted: true, playsinline: true });
  view.srcObject = stream;
  const leave = () => {
    for (const track of stream.getTracks()) track.stop();
    overlay.hidden = true;
    overlay.replaceChildren();
  };
  const shutter = el("button", { type: "button", class: "shutter", "aria-label": word("shutter"), onclick: () => {
    const canvas = el("canvas", { width: view.videoWidth, height: view.videoHeight });
    canvas.getContext("2d").drawImage(view, 0, 0);
    canvas.toBlob((blob) => { leave(); taken("image", blob); }, "image/jpeg", 0.92);
  } });
  const record = photoOnly || !window.MediaRecorder ? el("span", {}) : el("button", { type: "button", class: "record", onclick: () => film(stream, record, (blob) => { leave(); taken("video", blob); }) }, word("record"));
  overlay.replaceChildren(el("div", { class: "camera" }, view,
    el("div", { class: "controls" }, el("button", { type: "button", onclick: leave }, word("cancel")), shutter, record)));
  overlay.hidden = false;
  shutter.focus();
}

function film(stream, button, done) {
  if (button.recorder) { button.recorder.stop(); return; }
  const type = ["video/mp4", "video/webm"].find((each) => MediaRecorder.isTypeSupported(each));
  const recorder = new MediaRecorder(stream, type ? { mimeType: type } : {});
  const pieces = [];
  recorder.addEventListener("dataavailable", (event) => pieces.push(event.data));
  recorder.addEventListener("stop", () => done(new Blob(pieces, { type: (type || "video/webm") })));
  recorder.start();
  button.recorder = recorder;
  button.textContent = word("stop");
  setTimeout(() => { if (recorder.state === "recording") recorder.stop(); }, LONGEST_FILM);
}

function sheet(phone, title, ...children) {
  const leave = el("button", { type: "button", class: "plain", "aria-label": word("close"), onclick: () => phone.closeOverlay() }, icon("close"));
  phone.show(el("div", { class: "backdrop", onclick: (event) => { if (event.target === event.currentTarget) phone.closeOverlay(); } },
    el("section", { class: "sheet", role: "dialog", "aria-label": title, onkeydown: (event) => { if (event.key === "Escape") phone.closeOverlay(); } },
      el("div", { class: "sheet-head" }, el("h3", {}, title), leave), ...children)));
  return leave;
}

// Scans what a QR says: a scene becomes a push, an address opens in the phone.
export async function scan(phone, key = "") {
  const input = el("input", { type: "text", placeholder: word("scan_text"), "aria-label": word("scan_text"), autocomplete: "off" });
  const form = el("form", { onsubmit: (event) => { event.preventDefault(); if (input.value.trim()) settle(phone, call("POST", `${phone.path}/scan`, { text: input.value, key })); } },
    input, el("button", { type: "submit", class: "main" }, word("scan_go")));
  const picture = el("button", { type: "button", class: "wide", onclick: async () => {
    const file = await pick("image/*");
    if (file) settle(phone, readPicture(phone, file, key));
  } }, icon("album"), word("scan_picture"));
  const scenes = el("div", { class: "scenes" });
  sheet(phone, word("scan"), form, picture, scenes);
  input.focus();
  const known = await attempt(call("GET", "/scenes"));
  if (known?.length) {
    scenes.append(el("h4", {}, word("scan_scenes")), ...known.map((each) =>
      el("button", { type: "button", class: "wide", onclick: () => settle(phone, call("POST", `${phone.path}/scan`, { text: each.ticket, key })) }, icon("scan"), each.scene)));
  }
}

function readPicture(phone, blob, key = "") {
  const form = new FormData();
  form.set("file", blob, "picture");
  form.set("key", key);
  return call("POST", `${phone.path}/scan`, form);
}

async function settle(phone, scanning) {
  const found = await attempt(scanning, () => phone.bench.refresh());
  if (!found) return;
  phone.closeOverlay();
  if (found.open) phone.open(found.open);
  else if (found.text) toast(word("scanned") + found.text);
}

export function enlarge(phone, mediaId) {
  const close = el("button", { type: "button", class: "plain", "aria-label": word("close"), onclick: () => phone.closeOverlay() }, icon("close"));
  const read = el("button", { type: "button", class: "reading", onclick: async () => {
    const blob = await (await fetch(mediaAddress(mediaId))).blob();
    settle(phone, readPicture(phone, blob));
  } }, icon("scan"), word("read_code"));
  phone.show(el("div", { class: "viewer", onkeydown: (event) => { if (event.key === "Escape") phone.closeOverlay(); } },
    close, el("img", { src: mediaAddress(mediaId), alt: word("picture"), onclick: () => phone.closeOverlay() }), read));
  close.focus();
}

export function options(phone) {
  const row = (text, act, kind = "") => el("button", { type: "button", class: `wide ${kind}`, onclick: () => { phone.closeOverlay(); act(); } }, text);
  const leave = sheet(phone, phone.name,
    el("p", { class: "openid" }, phone.openid),
    row(word("scan"), () => scan(phone)),
    row(word("clear"), async () => { await phone.act("clear"); phone.forget(); }),
    row(word("mini_program"), () => phone.open(`/simulator/mini?openid=${encodeURIComponent(phone.openid)}`)),
    phone.following ? row(word("unfollow"), () => phone.act("unfollow"), "danger") : null,
    row(word("remove"), () => phone.bench.remove(phone), "danger"));
  leave.focus();
}
