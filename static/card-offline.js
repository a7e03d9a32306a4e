/* The offline code on the holder's page: made when asked for, gone after a minute. ES2017, no modules. */
(function () {
  "use strict";

  const sheet = document.getElementById("offline");
  const opener = document.getElementById("offline-open");
  if (!sheet || !opener || !window.card) {
    return;
  }
  const find = (id) => document.getElementById(id);
  const words = JSON.parse(sheet.dataset.words);
  const trouble = sheet.querySelector("[data-trouble]");
  let end = 0;
  let turn = 0;

  function clear(note) {
    end = 0;
    find("offline-qr").textContent = "";
    find("offline-left").textContent = note;
  }

  async function renew() {
    const mine = (turn += 1);
    const asked = performance.now();
    clear("");
    trouble.hidden = true;
    try {
      const answer = await window.card.ask("offline?purpose=internet_cafe");
      if (mine !== turn) {
        return;
      }
      if (answer.status !== 200) {
        throw new Error(String(answer.status));
      }
      const fresh = new DOMParser().parseFromString(answer.body.svg, "image/svg+xml");
      find("offline-qr").appendChild(document.importNode(fresh.documentElement, true));
      end = asked + answer.body.expires_in * 1000;
      tick();
    } catch (error) {
      if (mine === turn) {
        trouble.textContent = words["offline.card.trouble"];
        trouble.hidden = false;
      }
    }
  }

  function tick() {
    if (!end) {
      return;
    }
    const left = Math.ceil((end - performance.now()) / 1000);
    if (left <= 0 || sheet.hidden || document.hidden) {
      clear(words["offline.card.over"]);
    } else {
      find("offline-left").textContent = words["offline.card.left"].replace("{seconds}", String(left));
    }
  }

  opener.addEventListener("click", () => {
    window.sheets.open("offline");
    renew();
  });
  find("offline-again").addEventListener("click", renew);
  setInterval(tick, 250);
})();
