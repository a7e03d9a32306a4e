/* The holder's page: the upgrade's binding code, setting the PIN, and entering it for a purpose.
   Works through what card.js offers as window.card. */
(function () {
  "use strict";

  const find = (id) => document.getElementById(id);
  const card = window.card;
  if (!card) {
    return; // the page without a card
  }
  const sheets = window.sheets;
  const words = card.words;
  let end = 0;
  let unlocking = null; // the chosen purpose's button

  function trouble(part, text) {
    const line = part.querySelector("[data-trouble]");
    line.textContent = text;
    line.hidden = !text;
  }

  function empty(part) {
    part.querySelectorAll("input").forEach((field) => {
      field.value = "";
    });
    trouble(part, "");
  }

  /* ---- the binding code ---- */
  async function showBindingCode() {
    const part = find("binding");
    sheets.open("binding");
    try {
      const answer = await card.ask("upgrade", {});
      if (answer.status !== 200) {
        trouble(part, answer.body.title);
        return;
      }
      trouble(part, "");
      const drawn = new DOMParser().parseFromString(answer.body.svg, "image/svg+xml");
      find("binding-qr").textContent = "";
      find("binding-qr").appendChild(document.importNode(drawn.documentElement, true));
      find("binding-digits").textContent = answer.body.digits;
      end = performance.now() + answer.body.expires_in * 1000;
      tick();
    } catch (error) {
      trouble(part, words["card.offline"]);
    }
  }

  function tick() {
    if (!end || sheets.current() !== "binding") {
      return;
    }
    const left = Math.ceil((end - performance.now()) / 1000);
    const text = Math.floor(Math.max(0, left) / 60) + ":" + String(Math.max(0, left) % 60).padStart(2, "0");
    find("binding-left").textContent = left > 0
      ? words["card.upgrade.left"].replace("{time}", text)
      : words["card.upgrade.over"];
    if (left <= 0) {
      find("binding-qr").textContent = "";
      find("binding-digits").textContent = "";
      end = 0;
    }
  }
  setInterval(tick, 500);

  /* ---- the PIN ---- */
  function openPin(change) {
    empty(find("new-pin"));
    find("current-pin").hidden = !change;
    find("new-pin-title").textContent = words[change ? "card.pin.change" : "card.pin.set"];
    sheets.open("new-pin");
    find(change ? "pin-current" : "pin-new").focus();
  }

  find("new-pin-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const part = find("new-pin");
    if (find("pin-new").value !== find("pin-again").value) {
      trouble(part, words["card.pin.differ"]);
      find("pin-again").focus();
      return;
    }
    const change = { new: find("pin-new").value };
    if (!find("current-pin").hidden) {
      change.current = find("pin-current").value;
    }
    if (await card.act(part, "pin", change, words["card.pin.saved"])) {
      empty(part);
    }
  });

  find("unlock-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const part = find("unlock");
    const button = unlocking;
    const pin = find("pin-unlock").value;
    if (await card.act(part, "unlock", { purpose: button.dataset.purpose, pin: pin })) {
      empty(part);
      card.choose(button);
    } else {
      find("pin-unlock").value = "";
      find("pin-unlock").focus();
    }
  });

  /* A purpose that needs the PIN is chosen when the PIN was entered for it. */
  card.beforeChoosing((button) => {
    if (!button.hasAttribute("data-pin")) {
      return false;
    }
    unlocking = button;
    empty(find("unlock"));
    find("unlock-what").textContent = button.querySelector("strong").textContent;
    sheets.open("unlock");
    find("pin-unlock").focus();
    return true;
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest ? event.target.closest("[data-do]") : null;
    if (!button) {
      return;
    }
    if (button.dataset.do === "upgrade") {
      showBindingCode();
    } else {
      openPin(button.dataset.do === "change-pin");
    }
  });
})();
