// What this device does beside the screen: a sound and a buzz for each outcome, and large print.
// Each is a box in the dialog of purpose and place; the device remembers it.
const $ = (id) => document.getElementById(id);
// Pitches in Hz, one after another: up is good, down is not, two alike wait. Nobody needs them:
// the same is on the screen, in colour, shape and words.
const TUNES = { accepted: [660, 990], waiting: [740, 740], refused: [330, 220] };
const BUZZES = { accepted: [80], waiting: [40, 60, 40], refused: [120, 80, 120] };
const TONE_S = 0.14;
const VOLUME = 0.2;

let signals = 0;
let heard; // an AudioContext, from the first touch or key on: browsers allow none before

const on = (name) => $(`device-${name}`).checked;

/* `kept` keeps strings of this user; what was never chosen is on for sound and buzz. */
export function setUpDevice(kept) {
  for (const [name, usual] of [["sound", true], ["buzz", true], ["large", false]]) {
    const box = $(`device-${name}`);
    const chosen = kept.get(name);
    box.checked = chosen ? chosen === "on" : usual;
    box.addEventListener("change", () => {
      kept.set(name, box.checked ? "on" : "off");
      if (name === "large") enlarge();
      else signal("accepted");
    });
  }
  $("device-buzz").closest("label").hidden = !("vibrate" in navigator) || !matchMedia("(pointer: coarse)").matches;
  enlarge();
  for (const event of ["pointerdown", "keydown"]) addEventListener(event, listen, { once: true, capture: true });
}

const enlarge = () => document.documentElement.classList.toggle("large-print", on("large"));

function listen() {
  heard ??= "AudioContext" in window ? new AudioContext() : undefined;
  heard?.resume().catch(() => {});
}

/* Sounds and buzzes as an outcome does: accepted, waiting or refused. */
export async function signal(outcome) {
  if (on("buzz")) navigator.vibrate?.(BUZZES[outcome]);
  const mine = (signals += 1);
  document.body.dataset.signal = "";
  if (!on("sound") || !heard) return;
  await heard.resume().catch(() => {}); // right after the first touch the device still begins
  if (mine !== signals || heard.state !== "running") return;
  document.body.dataset.signal = outcome;
  TUNES[outcome].forEach((pitch, place) => {
    const begins = heard.currentTime + place * TONE_S;
    const tone = heard.createOscillator();
    const volume = heard.createGain();
    tone.type = "triangle";
    tone.frequency.value = pitch;
    volume.gain.setValueAtTime(VOLUME, begins);
    volume.gain.exponentialRampToValueAtTime(0.001, begins + TONE_S);
    tone.connect(volume).connect(heard.destination);
    tone.start(begins);
    tone.stop(begins + TONE_S);
  });
}

/* Whatever has not sounded yet belongs to nothing on the screen any more. */
export function silence() {
  signals += 1;
}
