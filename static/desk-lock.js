// The desk locks itself when nobody touches it, and by one key; a guest's data goes at once.
const $ = (id) => document.getElementById(id);
const MINUTES = "5";
const KEY = "F9";
const CHECK_MS = 1000;
const AGAIN_MS = 2000;

let touched = Date.now();
let locked = false;

const touch = () => {
  touched = Date.now();
};

/* `kept` keeps this device's choice; `ask` sends to the server; `hide` takes a guest's data away. */
export function setUpLock({ kept, ask, hide, busy }) {
  const choice = $("device-lock");
  choice.value = kept.get("lock") || MINUTES;
  choice.addEventListener("change", () => kept.set("lock", choice.value));
  for (const event of ["pointerdown", "keydown", "wheel"]) addEventListener(event, touch, { capture: true, passive: true });

  async function lock() {
    if (locked) return;
    locked = true;
    hide();
    document.body.classList.add("locked");
    $("locked").showModal();
    await leave();
  }

  async function leave() {
    try {
      const answer = await ask("/desk/lock", { method: "POST" });
      if (answer.ok || answer.redirected) location.replace("/desk/locked");
    } catch {
      // Without a network the page stays covered; it leaves when there is one, which may be already.
      if (navigator.onLine) setTimeout(leave, AGAIN_MS);
      else addEventListener("online", leave, { once: true });
    }
  }

  $("lock").addEventListener("click", lock);
  $("locked").addEventListener("cancel", (event) => event.preventDefault());
  $("locked-again").addEventListener("click", leave);
  addEventListener("keydown", (event) => {
    if (event.key !== KEY) return;
    event.preventDefault();
    lock();
  });
  // By the clock and not by one timer: a tablet that slept locks as it wakes.
  setInterval(() => {
    if (busy()) touch();
    else if (Date.now() - touched > Number(choice.value) * 60_000) lock();
  }, CHECK_MS);
}
