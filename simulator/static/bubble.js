// One message of a chat as an element.
import { el, icon, clock } from "./dom.js";
import { word } from "./words.js";

const GAP = 300; // seconds of silence after which a time stands between two messages
const LINK = /<a\s+[^>]*?href\s*=\s*["']?([^"'>\s]+)["']?[^>]*>([\s\S]*?)<\/a>|(https?:\/\/[^\s<>"，。；！？、（）]+)/gi;

export function bubble(message, phone) {
  if (message.side === "note") return el("p", { class: "note" }, message.content.text);
  const body = (BODIES[message.kind] ?? unknown)(message.content, phone, message);
  const mine = message.side === "person";
  return el(
    "div",
    { class: `row ${mine ? "mine" : "theirs"}`, "data-id": message.id },
    mine ? el("span", { class: "face", "aria-hidden": "true" }, [...phone.name].at(-1)) : el("span", { class: "face account", "aria-hidden": "true" }, icon("shield")),
    body,
  );
}

export function stamp(message, previous) {
  if (previous && message.at - previous.at < GAP) return null;
  const at = new Date(message.at * 1000);
  const today = new Date();
  const days = Math.round((new Date(today.toDateString()) - new Date(at.toDateString())) / 86400000);
  const day = days === 0 ? "" : days === 1 ? `${word("yesterday")} ` : `${at.getMonth() + 1}/${at.getDate()} `;
  return el("p", { class: "stamp" }, day + clock(message.at));
}

const BODIES = {
  text: (content, phone) => el("div", { class: "bubble text" }, ...linked(content.content, phone)),
  image: (content, phone) => picture(content.media_id, phone),
  voice: (content) =>
    el("div", { class: "voice" },
      el("div", { class: "bubble sound" }, icon("sound"), el("span", {}, `${Math.max(1, Math.min(60, Math.ceil((content.heard || "").length / 3)))}″`)),
      content.heard ? el("p", { class: "heard" }, content.heard) : null),
  video: (content) => film(content),
  shortvideo: (content) => film(content),
  location: (content) =>
    el("div", { class: "bubble sheetlike" }, el("strong", {}, content.label || word("place")),
      el("span", { class: "map" }, icon("place")), el("small", {}, `${content.latitude.toFixed(4)}, ${content.longitude.toFixed(4)}`)),
  link: (content, phone) => article({ ...content }, phone),
  news: (content, phone) => el("div", { class: "articles" }, ...(content.articles || []).map((each) => article(each, phone))),
  music: (content, phone) => article({ ...content }, phone),
  msgmenu: (content, phone) => choices(content, phone),
  template: (content, phone) => form(content, phone),
};

function unknown(content, phone, message) {
  return el("div", { class: "bubble text" }, `[${message.kind}]`);
}

// The account's text may hold links: `<a href>` and bare addresses. Nothing else is markup.
function linked(text, phone) {
  const parts = [];
  let end = 0;
  for (const match of String(text).matchAll(LINK)) {
    parts.push(text.slice(end, match.index));
    end = match.index + match[0].length;
    const address = match[1] ?? match[3];
    const answer = quickAnswer(address);
    if (answer) {
      parts.push(el("a", { href: "#", onclick: (event) => { event.preventDefault(); phone.answer({ content: answer.text, id: answer.id }); } }, match[2]));
      continue;
    }
    parts.push(/^https?:/i.test(address) ? anchor(address, match[2] ?? match[3], phone) : match[2] ?? match[0]);
  }
  parts.push(String(text).slice(end));
  return parts.filter(Boolean);
}

// A link of the platform's own: a tap on it writes a text.
function quickAnswer(address) {
  if (!/^weixin:\/\/bizmsgmenu\?/i.test(address)) return null;
  const said = new URLSearchParams(address.slice(address.indexOf("?") + 1).replaceAll("&amp;", "&"));
  const text = said.get("msgmenucontent");
  return text ? { text, id: said.get("msgmenuid") || "" } : null;
}

function anchor(address, text, phone) {
  return el("a", { href: address, onclick: (event) => { event.preventDefault(); phone.open(address); } }, text);
}

export function mediaAddress(id) {
  return `/simulator/api/media/${encodeURIComponent(id)}`;
}

function picture(id, phone) {
  const image = el("img", { src: mediaAddress(id), alt: word("picture"), loading: "lazy" });
  image.addEventListener("load", () => phone.settle());
  return el("button", { type: "button", class: "photo", "aria-label": word("enlarge"), onclick: () => phone.enlarge(id) }, image);
}

function film(content) {
  return el("video", { class: "film", src: mediaAddress(content.media_id), controls: true, preload: "metadata", playsinline: true });
}

function article(item, phone) {
  const usable = /^https?:/i.test(item.picurl || "");
  return el(
    "a",
    { class: "bubble article", href: item.url || "#", onclick: (event) => { event.preventDefault(); if (item.url) phone.open(item.url); } },
    el("strong", {}, item.title || item.url || ""),
    el("span", { class: "described" }, el("span", {}, item.description || ""), usable ? el("img", { src: item.picurl, alt: "" }) : el("span", { class: "thumb" }, icon("shield"))),
  );
}

function choices(content, phone) {
  return el(
    "div",
    { class: "bubble text choices" },
    ...linked(content.head_content || "", phone),
    el("ul", {}, ...(content.list || []).map((each) =>
      el("li", {}, el("button", { type: "button", onclick: () => phone.answer(each) }, each.content)))),
    ...linked(content.tail_content || "", phone),
  );
}

function form(content, phone) {
  const rows = content.values.map(([name, value]) =>
    name === "first" || name === "remark"
      ? el("p", {}, value)
      : el("p", {}, el("span", { class: "label" }, name.replace(/\.DATA$/, "")), value));
  const more = content.url ? el("a", { class: "details", href: content.url, onclick: (event) => { event.preventDefault(); phone.open(content.url); } }, word("article"), icon("right")) : null;
  return el("div", { class: "bubble sheetlike" }, ...rows, more);
}
