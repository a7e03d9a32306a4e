// Which phone is this page in? The phone's page (our parent window) knows; outside of a phone
// the reader chooses one. Then the platform's answer goes back to the account with a code.
const PATIENCE = 1500; // milliseconds for the parent to answer

function go(openid) {
  const here = new URL(location.href);
  here.hash = "";
  here.searchParams.set("sim_openid", openid);
  location.replace(here);
}

async function choose() {
  document.getElementById("wait").hidden = true;
  document.getElementById("choose").hidden = false;
  const state = await (await fetch("/simulator/api/state")).json();
  document.getElementById("none").hidden = state.phones.length > 0;
  for (const phone of state.phones) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = phone.name;
    button.addEventListener("click", () => go(phone.openid));
    const item = document.createElement("li");
    item.append(button);
    document.getElementById("phones").append(item);
  }
}

if (window.parent === window) {
  choose();
} else {
  const late = setTimeout(choose, PATIENCE);
  window.addEventListener("message", (event) => {
    if (event.source !== window.parent || event.data?.type !== "sim-you-are") return;
    clearTimeout(late);
    go(event.data.openid);
  });
  window.parent.postMessage({ type: "sim-who" }, "*");
}
