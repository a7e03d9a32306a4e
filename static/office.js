// The pages behind the desk: copying what is shown once, printing, waiting, and trying the API.
const $ = (id) => document.getElementById(id);

for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    const source = $(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = button.dataset.done;
    } catch {
      getSelection().selectAllChildren(source); // without a clipboard it is at least selected
    }
  });
}

$("print")?.addEventListener("click", () => print());

if (document.body.dataset.again) {
  setInterval(async () => {
    try {
      const page = await (await fetch(location.href, { cache: "no-store" })).text();
      const now = new DOMParser().parseFromString(page, "text/html").body.dataset.status;
      if (now && now !== document.body.dataset.status) location.reload();
    } catch {
      // the next tick asks again
    }
  }, Number(document.body.dataset.again));
}

const form = $("try");
if (form) {
  let last = "";

  const send = async (method, path, content) => {
    const headers = { Authorization: `Bearer ${$("key").value.trim()}` };
    if (content) headers["Content-Type"] = "application/json";
    const text = content ? JSON.stringify(content) : undefined;
    const shown = [`curl -X ${method} ${form.dataset.address}${path}`, '-H "Authorization: Bearer $API_KEY"'];
    if (text) shown.push('-H "Content-Type: application/json"', `-d '${text}'`);
    $("request").textContent = shown.join(" \\\n  ");
    const began = performance.now();
    try {
      const answer = await fetch(path, { method, headers, body: text });
      const told = await answer.json();
      if (typeof told.attributes?.portrait === "string") told.attributes.portrait = `${told.attributes.portrait.slice(0, 24)}…`;
      last = told.verification_id ?? last;
      $("look").disabled = !last;
      const lines = [`HTTP ${answer.status} · ${Math.round(performance.now() - began)} ms`];
      for (const name of ["ratelimit", "retry-after"]) {
        if (answer.headers.get(name)) lines.push(`${name}: ${answer.headers.get(name)}`);
      }
      $("answer").textContent = `${lines.join("\n")}\n\n${JSON.stringify(told, null, 2)}`;
    } catch {
      $("answer").textContent = form.dataset.lost;
    }
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send("POST", "/api/v1/verifications", { code: $("code").value.trim(), purpose: $("purpose").value });
  });
  $("look").addEventListener("click", () => send("GET", `/api/v1/verifications/${last}`));
}
