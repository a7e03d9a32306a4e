// The offline check: what `credentials/offline.py` says a desk may believe without a network.
// The public keys and the signed list are kept from the last time there was one; uses wait here
// until they are told.
const STATUS = "/api/v1/offline/status";
const TOKEN = /^[A-Z2-7]{135}$/;
const PAYLOAD = 20;
const SKEW_S = 10;
const REFRESH_MS = 5 * 60 * 1000;
const MOST_USES = 50;
const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const LEVELS = { 1: "light", 2: "upgraded" };
const CONTEXT = { token: "offline-token-1\n", list: "offline-status-1\n" };

export const isToken = (code) => TOKEN.test(code.trim().toUpperCase());

class Refused extends Error {}

const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

function decoded(code) {
  const bytes = new Uint8Array(84);
  let bits = 0;
  let held = 0;
  let at = 0;
  for (const letter of code) {
    held = ((held << 5) | DIGITS.indexOf(letter)) & 0xfff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes[at] = (held >> bits) & 255;
      at += 1;
    }
  }
  if (held & ((1 << bits) - 1)) throw new Refused("malformed"); // a second spelling of one token
  return bytes;
}

async function signed(keys, version, signature, context, said) {
  const raw = keys[String(version)];
  if (!raw) throw new Refused("bad_signature");
  let key;
  try {
    key = await crypto.subtle.importKey("raw", bytesOf(raw), { name: "Ed25519" }, false, ["verify"]);
  } catch {
    throw new Refused("unsupported");
  }
  const before = new TextEncoder().encode(context);
  const whole = new Uint8Array(before.length + said.length);
  whole.set(before);
  whole.set(said, before.length);
  if (!(await crypto.subtle.verify({ name: "Ed25519" }, key, signature, whole))) throw new Refused("bad_signature");
}

function listed(handle, stopped) {
  const all = bytesOf(stopped);
  for (let at = 0; at < all.length; at += handle.length) {
    if (handle.every((byte, place) => byte === all[at + place])) return true;
  }
  return false;
}

async function check(code, kept, purpose, now) {
  if (!globalThis.crypto?.subtle) throw new Refused("unsupported");
  await signed(kept.keys, kept.key, bytesOf(kept.signature), CONTEXT.list, new TextEncoder().encode(kept.signed));
  const said = JSON.parse(kept.signed);
  const age = now - said.time;
  if (!(age >= -SKEW_S && age <= said.oldest)) throw new Refused("stale");
  const raw = decoded(code);
  const payload = raw.subarray(0, PAYLOAD);
  const view = new DataView(raw.buffer);
  if (raw[0] !== said.version || !LEVELS[raw[8]]) throw new Refused("malformed");
  await signed(kept.keys, raw[1], raw.subarray(PAYLOAD), CONTEXT.token, payload);
  if (said.purposes[purpose] !== raw[6]) throw new Refused("other_purpose");
  const since = now - view.getUint32(2);
  if (!(since >= -SKEW_S && since <= said.life)) throw new Refused("expired");
  if (listed(raw.subarray(9, 17), said.stopped)) throw new Refused("revoked");
  return { adult: Boolean(raw[7] & 1), level: LEVELS[raw[8]], asOf: said.time };
}

/* `kept` keeps strings of this user; `post` sends to the desk's server. */
export function setUpOffline({ kept, words, post, told }) {
  const read = (name, otherwise) => {
    try {
      return JSON.parse(kept.get(name)) ?? otherwise;
    } catch {
      return otherwise;
    }
  };
  const line = document.getElementById("offline-uses");
  let telling = false;
  let again = false; // the network came back while one telling was still failing

  function say(text) {
    line.textContent = text;
    line.hidden = !text;
  }

  function sayWaiting() {
    const count = read("offline-uses", []).length;
    say(count ? words["offline.desk.waiting"].replace("{count}", String(count)) : "");
  }

  async function refresh() {
    try {
      const answer = await fetch(STATUS, { cache: "no-cache" });
      if (answer.ok) kept.set("offline-status", JSON.stringify(await answer.json()));
    } catch {
      // the list that is kept serves until it is too old
    }
  }

  async function tell() {
    const uses = read("offline-uses", []).slice(0, MOST_USES);
    if (telling) again = true;
    if (telling || !uses.length) return;
    telling = true;
    again = false;
    try {
      const answer = await post("/desk/offline-uses", { uses });
      if (!answer.ok) return;
      const became = (await answer.json()).told;
      const sent = new Set(uses.map(({ token }) => token));
      kept.set("offline-uses", JSON.stringify(read("offline-uses", []).filter(({ token }) => !sent.has(token))));
      say(words[became.includes("double") ? "offline.desk.double" : "offline.desk.told"]);
      told();
    } catch {
      sayWaiting();
    } finally {
      telling = false;
      if (again) tell();
    }
  }

  /* What a token says, by what is kept here; `refused` names why it is not good. */
  async function look(text, purpose, desk) {
    const code = text.trim().toUpperCase();
    const status = read("offline-status", null);
    if (!status) return { refused: "no_list" };
    const now = Date.now() / 1000;
    const seen = read("offline-seen", []).filter(({ at }) => now - at < 600);
    try {
      const found = await check(code, status, purpose, now);
      if (seen.some(({ token }) => token === code)) throw new Refused("used");
      kept.set("offline-seen", JSON.stringify([...seen, { token: code, at: now }]));
      kept.set("offline-uses", JSON.stringify([...read("offline-uses", []), { token: code, at: now, desk }]));
      sayWaiting();
      tell();
      return found;
    } catch (error) {
      return { refused: error instanceof Refused ? error.message : "malformed" };
    }
  }

  const back = () => {
    refresh();
    tell();
  };
  addEventListener("online", back);
  setInterval(back, REFRESH_MS);
  sayWaiting();
  back();
  return { look, refresh };
}
