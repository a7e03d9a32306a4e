// The kiosk's page: a binding code, a card, a finger.
import { el, call } from "./dom.js";
import { switchLanguage } from "./words.js";
import { chinese, translate, word } from "./kiosk-words.js";

const find = (id) => document.getElementById(id);
const form = find("kiosk");
const result = find("result");

translate("title");
find("language").textContent = chinese ? "EN" : "中文";
find("language").addEventListener("click", switchLanguage);
document.querySelector(".cards").setAttribute("aria-label", word("card"));
document.querySelector(".fingers").setAttribute("aria-label", word("finger"));

find("code").addEventListener("input", (event) => {
  const digits = event.target.value.replace(/\D/g, "").slice(0, 8);
  event.target.value = digits.length > 4 ? `${digits.slice(0, 4)} ${digits.slice(4)}` : digits;
});

function card(person, place) {
  return el("label", {},
    el("input", { type: "radio", name: "place", value: String(place), required: true, checked: place === 0 }),
    person.photo ? el("img", { src: person.photo, alt: "" }) : null,
    el("span", {}, el("strong", {}, person.name), el("code", {}, person.id_number)));
}

async function prepare() {
  try {
    const terminal = await call("GET", "/terminal");
    if (!terminal.available) throw new Error(word("away"));
    find("cards").replaceChildren(...(await call("GET", "/citizens")).map(card));
  } catch (error) {
    find("away").textContent = error.message;
    find("away").hidden = false;
    form.querySelector(".main").disabled = true;
  }
}

function show(good, ...content) {
  result.className = `result ${good ? "good" : "bad"}`;
  result.replaceChildren(...content.filter(Boolean));
  result.hidden = false;
  result.scrollIntoView({ block: "nearest" });
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector(".main");
  const told = new FormData(form);
  button.disabled = true;
  button.textContent = word("reading");
  try {
    const answer = await call("POST", "/terminal/read", { code: find("code").value, place: Number(told.get("place")), finger: told.get("finger") });
    show(true, word(`level_${answer.level}`), answer.missing.length ? el("p", {}, word("missing") + answer.missing.map(word).join(chinese ? "、" : ", ")) : null);
    find("code").value = "";
  } catch (error) {
    show(false, word("refused"), el("p", {}, error.message));
  } finally {
    button.disabled = false;
    button.textContent = word("read");
  }
});

prepare();
