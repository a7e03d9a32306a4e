// Passkeys: the browser makes one, or signs in with one. The server checks both.
const place = document.getElementById("second") ?? document.getElementById("enter");
const { area, csrf, next = "" } = place.dataset;
const words = JSON.parse(place.dataset.words);
const trouble = document.getElementById("passkey-trouble");

const bytes = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (one) => one.charCodeAt(0));
const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replace(/\+/g, "-")
    .replace(/\//g, "_")
    .replace(/=+$/, "");

async function post(path, body, headers = {}) {
  const answer = await fetch(`/${area}/${path}`, {
    method: "POST",
    headers: { Accept: "application/json", "Content-Type": "application/json", "X-CSRF-Token": csrf, ...headers },
    body,
  });
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.title);
  return told;
}

// What a browser gives holds buffers; the server reads base64url (WebAuthn 5.1, toJSON).
function plain(made) {
  const parts = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"];
  const response = Object.fromEntries(
    parts.filter((name) => made.response[name]).map((name) => [name, text(made.response[name])]),
  );
  return JSON.stringify({ id: made.id, rawId: text(made.rawId), type: made.type, response });
}

async function add() {
  const options = await post("passkeys/options");
  options.challenge = bytes(options.challenge);
  options.user.id = bytes(options.user.id);
  for (const one of options.excludeCredentials ?? []) one.id = bytes(one.id);
  const made = await navigator.credentials.create({ publicKey: options });
  const name = document.getElementById("passkey-name").value;
  // A header is Latin-1; what is not is sent as it would stand in an address.
  await post("passkeys", plain(made), { "X-Passkey-Name": encodeURIComponent(name) });
  location.assign(`/${area}/second`);
}

async function enter() {
  const options = await post("passkey/options");
  options.challenge = bytes(options.challenge);
  const made = await navigator.credentials.get({ publicKey: options });
  const { to } = await post(`passkey?next=${encodeURIComponent(next)}`, plain(made));
  location.assign(to);
}

function wire(id, act) {
  const button = document.getElementById(id);
  button?.addEventListener("click", async () => {
    trouble.hidden = true;
    if (!("credentials" in navigator) || !("PublicKeyCredential" in window)) return say(words["sign.passkey.none"]);
    button.disabled = true;
    try {
      await act();
    } catch (error) {
      // Whoever presses "cancel" gets a DOMException; the server's refusals bring their sentence.
      say(error instanceof DOMException ? words["sign.passkey.failed"] : error.message || words["sign.passkey.failed"]);
    } finally {
      button.disabled = false;
    }
  });
}

function say(sentence) {
  trouble.textContent = sentence;
  trouble.hidden = false;
}

wire("passkey-add", add);
wire("passkey-enter", enter);
