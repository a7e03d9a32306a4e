/* The holder's page: keeps a fresh code on the screen, and shows who asks and who was answered.

   Times come from the server as seconds from now, so the phone's clock does not matter. A code is
   taken off the screen before it ends, when the page is hidden, and when the network is gone.
   Written for phones of 2017 (ES2017, no modules). */
(function () {
  "use strict";

  const POLL_MS = 1000;
  const PATIENCE_MS = 5000;
  const MARGIN_MS = 1500; // a code is off the screen this long before it would be refused
  const body = document.body;
  const find = (id) => document.getElementById(id);

  const clock = () => performance.now();

  async function ask(path, change) {
    const options = { credentials: "same-origin", cache: "no-store", headers: { Accept: "application/json" } };
    if (change !== undefined) {
      options.method = "POST";
      options.headers["Content-Type"] = "application/json";
      options.headers["X-Card-Token"] = body.dataset.token;
      options.body = JSON.stringify(change);
    }
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error("late")), PATIENCE_MS);
    });
    try {
      const answer = await Promise.race([fetch(path, options), late]);
      if (answer.status === 401) {
        location.replace("/card"); // the visit is over: the platform says again who is looking
      }
      const read = answer.status === 304 ? null : await Promise.race([answer.json(), late]);
      return { status: answer.status, body: read };
    } finally {
      clearTimeout(timer);
    }
  }

  if (body.classList.contains("none")) {
    const wait = async () => {
      if (!document.hidden) {
        try {
          const answer = await ask("state?change=" + body.dataset.change);
          if (answer.status === 200 && answer.body.status) {
            location.reload();
            return;
          }
        } catch (error) {
          // Nothing to take back: the page says how to apply, with or without a network.
        }
      }
      setTimeout(wait, 2 * POLL_MS);
    };
    wait();
    return;
  }

  const words = JSON.parse(body.dataset.words);
  const ring = find("ring");
  const tile = document.querySelector(".tile");
  let state = JSON.parse(body.dataset.state);
  let purpose = "";
  let purposeWord = words["card.purpose.any"];
  let code = null; // { taken, refresh, end, endDate }
  let asking = 0; // counts questions for a code: only the newest answer is shown
  let waiting = false; // whether one is under way
  let retryAt = 0;
  let digits = false; // whether the holder asked for eight digits beside the code
  let approval = null; // { id, end, span }
  let known = state.last ? state.last.id : "";
  let failure = "";
  let held = () => false; // whether something comes before a purpose is chosen: the PIN

  const sheets = window.sheets;

  const fill = (key, value) => words[key].replace(/\{\w+\}/, value);
  const announce = (text) => {
    find("announce").textContent = text;
  };

  /* ---- the code ---- */
  const shows = () => state.usable && !document.hidden && !failure &&
    ["", "purposes", "confirm", "unlock"].includes(sheets.current());

  function remove(note) {
    code = null;
    asking += 1;
    waiting = false;
    find("qr").hidden = true;
    find("qr").textContent = "";
    find("digits").textContent = "";
    find("digits").hidden = true;
    tile.classList.remove("full");
    find("note").textContent = note;
    find("count").textContent = "\u00a0";
    ring.classList.remove("running");
    ring.style.strokeDashoffset = "101";
  }

  async function renew() {
    const turn = (asking += 1);
    const asked = clock();
    waiting = true;
    try {
      const answer = await ask("code?purpose=" + encodeURIComponent(purpose) + (digits ? "&short=1" : ""));
      if (turn !== asking) {
        return;
      }
      if (answer.status !== 200) {
        retryAt = clock() + 2 * POLL_MS;
        if (answer.status === 503) {
          fail("card.unavailable");
        } else {
          remove(answer.body.title || words["card.problem.other"]);
          state.change = -1; // the card is not what this page believes: ask for everything
          if (answer.body.code === "pin_required") { // what the PIN was entered for is done
            choose(document.querySelector(".choice[data-purpose='']"));
          }
        }
        return;
      }
      const lasts = answer.body.expires_in * 1000 - MARGIN_MS;
      code = {
        taken: asked,
        refresh: asked + answer.body.refresh_in * 1000,
        end: asked + lasts,
        endDate: Date.now() + lasts - (clock() - asked),
      };
      const fresh = new DOMParser().parseFromString(answer.body.svg, "image/svg+xml");
      find("qr").textContent = "";
      find("qr").appendChild(document.importNode(fresh.documentElement, true));
      find("qr").hidden = false;
      const short = answer.body.short || "";
      find("digits").textContent = short && short.slice(0, 4) + " " + short.slice(4);
      find("digits").hidden = !short;
      tile.classList.add("full");
      ring.classList.remove("running");
      ring.style.strokeDashoffset = "0";
    } catch (error) {
      if (turn === asking) {
        retryAt = clock() + 2 * POLL_MS;
        fail("card.offline");
      }
    } finally {
      if (turn === asking) {
        waiting = false;
      }
    }
  }

  function tick() {
    tickApproval();
    if (!shows()) {
      if (code || waiting) {
        remove(document.hidden ? words["card.paused"] : words["card.fetching"]);
      }
      return;
    }
    const now = clock();
    if (code && (now >= code.end || Date.now() >= code.endDate)) {
      remove(words["card.fetching"]);
    }
    if ((!code || now >= code.refresh) && !waiting && now >= retryAt) {
      renew();
    }
    if (code) {
      const left = Math.max(0, code.refresh - now);
      find("count").textContent = fill("card.count", String(Math.ceil(left / 1000)));
      ring.classList.add("running");
      ring.style.strokeDashoffset = String(100 * (1 - left / (code.refresh - code.taken)));
    }
  }

  function choose(button) {
    purpose = button.dataset.purpose;
    purposeWord = button.querySelector("strong").textContent;
    document.querySelectorAll(".choice").forEach((each) => {
      each.setAttribute("aria-pressed", String(each === button));
    });
    find("purpose").textContent = purposeWord;
    remove(words["card.fetching"]); // the old code stands for something else
    retryAt = 0;
    announce(purpose ? fill("card.purpose.bound", purposeWord) : purposeWord);
    sheets.close();
    tick();
  }

  find("choose").addEventListener("click", () => sheets.open("purposes"));
  find("show-digits").addEventListener("click", () => {
    digits = !digits;
    find("show-digits").setAttribute("aria-pressed", String(digits));
    find("show-digits").textContent = words[digits ? "short.hide" : "short.show"];
    remove(words["card.fetching"]);
    retryAt = 0;
    tick();
  });
  document.querySelectorAll(".choice").forEach((button) => {
    button.addEventListener("click", () => {
      if (!held(button)) {
        choose(button);
      }
    });
  });

  /* ---- what the server says ---- */
  function fail(key) {
    if (failure !== key) {
      failure = key;
      find("trouble").textContent = words[key];
      find("trouble").hidden = state.usable; // the tile says it, where the code would be
      tile.classList.add("broken");
      remove(words[key]);
      announce(words[key]);
    }
  }

  function recover() {
    if (failure) {
      failure = "";
      retryAt = 0;
      find("trouble").hidden = true;
      tile.classList.remove("broken");
      find("note").textContent = words["card.fetching"];
    }
  }

  function show(next) {
    if (!next.status) {
      location.reload(); // the card is gone: the page that says how to apply
      return;
    }
    const before = state.status;
    state = next;
    if (next.card !== undefined) {
      find("card").innerHTML = next.card;
      find("uses").innerHTML = next.uses;
      find("strengthen").innerHTML = next.upgrade;
      document.querySelectorAll(".choice").forEach((button) => {
        button.disabled = button.hasAttribute("data-upgraded") && next.level !== "upgraded";
      });
    }
    find("pass").hidden = !next.usable;
    find("freeze").hidden = !next.usable;
    document.querySelectorAll(".stopped").forEach((part) => {
      part.hidden = part.dataset.status !== next.stopped;
    });
    if (before !== next.status) {
      announce(words[next.usable ? "card.said.unfrozen" : "card.said.frozen"]);
    }
    if (next.last && next.last.id !== known) {
      known = next.last.id;
      approval = null;
      find("verified-what").innerHTML = next.last.html;
      find("not-me").dataset.id = next.last.id;
      sheets.open("verified");
      announce(words["card.verified.title"]);
      if (navigator.vibrate) {
        navigator.vibrate(80);
      }
    } else if (next.approval) {
      if (!approval || approval.id !== next.approval.id) {
        find("approval-what").innerHTML = next.approval.html;
        find("approval-pin").hidden = !next.approval.pin;
        find("pin-approval").value = "";
        approval = { id: next.approval.id, end: clock() + next.approval.expires_in * 1000, span: 60000 };
        setBusy(find("approval"), false);
        sheets.open("approval");
        announce(words["card.approval.title"]);
      }
    } else if (approval) {
      approval = null;
      if (sheets.current() === "approval") {
        sheets.close();
      }
      announce(words["card.approval.over"]);
    }
    document.dispatchEvent(new CustomEvent("card-shown", { detail: next }));
    tick();
  }

  function tickApproval() {
    if (!approval) {
      return;
    }
    const left = approval.end - clock();
    find("approval-bar").style.transform = "scaleX(" + Math.max(0, left) / approval.span + ")";
    find("approval-left").textContent = left > 0
      ? fill("card.approval.left", String(Math.ceil(left / 1000)))
      : words["card.approval.over"];
    if (left <= 0) {
      find("approval").querySelector("[data-answer=approve]").disabled = true;
    }
    if (left < -3 * POLL_MS) {
      approval = null;
      sheets.close();
    }
  }

  function setBusy(part, busy) {
    part.querySelectorAll("button").forEach((button) => {
      button.disabled = busy;
    });
  }

  /* ---- what the holder does ---- */
  async function act(part, path, change, said) {
    const trouble = part.querySelector("[data-trouble]") || find("trouble");
    setBusy(part, true);
    try {
      const answer = await ask(path, change);
      polling += 1; // what is still on its way was said before this
      setTimeout(poll, POLL_MS);
      if (answer.status === 200) {
        trouble.hidden = true;
        if (sheets.current() === part.id) {
          sheets.close();
        }
        show(answer.body);
        if (said) {
          announce(said);
        }
        return true;
      }
      trouble.textContent = answer.body.title;
      trouble.hidden = false;
      state.change = -1;
    } catch (error) {
      trouble.textContent = words["card.offline"];
      trouble.hidden = false;
    } finally {
      setBusy(part, false);
    }
    return false;
  }

  document.querySelectorAll("[data-answer]").forEach((button) => {
    button.addEventListener("click", () => {
      if (approval) {
        const answer = button.dataset.answer;
        const said = answer === "deny" ? words["card.approval.denied"] : "";
        const pin = answer === "approve" ? find("pin-approval").value : "";
        find("pin-approval").value = "";
        act(find("approval"), "approvals/" + approval.id, { answer: answer, pin: pin }, said);
      }
    });
  });
  find("freeze").addEventListener("click", () => sheets.open("confirm"));
  find("freeze-now").addEventListener("click", () => act(find("confirm"), "freeze", {}));
  find("not-me").addEventListener("click", () => {
    act(find("verified"), "not-me", { verification_id: find("not-me").dataset.id });
  });
  find("unfreeze").addEventListener("click", () => {
    act(document.querySelector(".stopped[data-status=frozen]"), "unfreeze", {});
  });

  /* ---- asking again, every second, while somebody looks ---- */
  let polling = 0;

  async function poll() {
    const turn = (polling += 1);
    if (document.hidden) {
      return;
    }
    try {
      const answer = await ask("state?change=" + state.change);
      if (turn !== polling) {
        return;
      }
      if (answer.status === 200 || answer.status === 304) {
        recover();
      }
      if (answer.status === 200) {
        show(answer.body);
      } else if (answer.status >= 500) {
        fail("card.unavailable");
      }
    } catch (error) {
      if (turn === polling) {
        fail("card.offline");
      }
    }
    if (turn === polling) {
      setTimeout(poll, POLL_MS);
    }
  }

  function look() {
    tick();
    if (!document.hidden) {
      retryAt = 0;
      poll();
    } else {
      polling += 1;
    }
  }

  document.addEventListener("visibilitychange", look);
  window.addEventListener("pagehide", () => remove(words["card.paused"]));
  window.addEventListener("pageshow", look);
  window.addEventListener("offline", () => fail("card.offline"));
  window.addEventListener("online", look);
  sheets.whenClosed(tick);
  window.card = {
    ask: ask,
    act: act,
    choose: choose,
    words: words,
    beforeChoosing: (callback) => {
      held = callback;
    },
  };
  show(state);
  setInterval(tick, 250);
})();
