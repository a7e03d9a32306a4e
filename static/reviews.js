// One case of the reviews by keyboard: a approves, r rejects, j and k go to the next and the one before.
const reason = document.getElementById("reason");

/* The reason comes first: the key puts the cursor there, and Enter then presses its button. */
let pressed = null;

const keys = {
  a: () => decide("a"),
  r: () => decide("r"),
  j: () => document.querySelector('a[rel="next"]')?.click(),
  k: () => document.querySelector('a[rel="prev"]')?.click(),
};

function decide(key) {
  const button = document.querySelector(`[data-act="${key}"]`);
  if (!button || button.disabled) return;
  pressed = button;
  if (reason.value.trim().length >= 3) button.focus();
  else reason.focus();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.getElementById("help").open) return;
  if (event.target === reason && event.key === "Enter") {
    event.preventDefault();
    if (pressed && reason.reportValidity()) pressed.form.requestSubmit(pressed);
    return;
  }
  if (event.target.closest("input, select, textarea") || !keys[event.key]) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  keys[event.key]();
}, { capture: true });
