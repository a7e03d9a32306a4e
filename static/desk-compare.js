// After an accepted scan: is the guest the person of the portrait? Staff decide. They may ask the
// guest, on the guest's phone, whether a camera may help; whatever it says, they decide.
const $ = (id) => document.getElementById(id);
const POLL_MS = 1000;
const LONGEST_MS = 200_000; // a question and a consent, and some
const LONG_SIDE = 960;
const QUALITY = 0.85;

/* `ask` sends to the server, `cameraId` names the camera of choice, `refuse` shows a refusal,
   `decided` goes on when staff have said that it is this person. */
export function setUpCompare({ ask, cameraId, refuse, decided }) {
  const part = $("compare");
  const words = part.dataset;
  const canvas = document.createElement("canvas");
  let scan = ""; // the verification that is on the screen
  let asking = false; // the guest's page shows the question
  let stream;

  const say = (text) => ($("compare-told").textContent = text);

  function stop() {
    for (const track of stream?.getTracks() ?? []) track.stop();
    stream = undefined;
    $("compare-video").hidden = $("compare-take").hidden = true;
  }

  async function send(path, options = {}) {
    const mine = scan;
    try {
      const answer = await ask(`/desk/verifications/${mine}/${path}`, options);
      const told = await answer.json();
      if (mine !== scan) return null;
      if (!answer.ok) say(told.title ?? told.reason ?? words.lost);
      return answer.ok ? told : null;
    } catch {
      if (mine === scan) say(words.lost);
      return null;
    }
  }

  async function askGuest() {
    $("compare-ask").hidden = true;
    asking = true;
    const mine = scan;
    const ends = performance.now() + LONGEST_MS;
    let told = await send("comparison", { method: "POST" });
    if (!told) {
      $("compare-ask").hidden = mine !== scan; // it may be asked again
      return;
    }
    while (mine === scan && performance.now() < ends) {
      if (told) {
        if (told.state !== "agreed" || !stream) say(told.told);
        if (told.state === "agreed" && !stream) await look(mine);
        if (!["asked", "agreed"].includes(told.state)) return stop();
      }
      await new Promise((done) => setTimeout(done, POLL_MS));
      if (mine === scan) told = await send("comparison"); // one lost answer is not the last
    }
  }

  async function look(mine) {
    try {
      const id = cameraId();
      stream = await navigator.mediaDevices.getUserMedia({ video: id ? { deviceId: { ideal: id } } : true });
    } catch {
      return say(words.noCamera);
    }
    if (mine !== scan) return stop();
    $("compare-video").srcObject = stream;
    await $("compare-video").play().catch(() => {});
    $("compare-video").hidden = $("compare-take").hidden = false;
  }

  async function take() {
    const video = $("compare-video");
    const scale = Math.min(1, LONG_SIDE / Math.max(video.videoWidth, video.videoHeight));
    canvas.width = Math.round(video.videoWidth * scale);
    canvas.height = Math.round(video.videoHeight * scale);
    canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
    const picture = await new Promise((done) => canvas.toBlob(done, "image/jpeg", QUALITY));
    canvas.width = canvas.height = 0; // nothing of it stays here either
    $("compare-take").disabled = true;
    const told = await send("comparison/picture", { method: "POST", headers: { "Content-Type": "image/jpeg" }, body: picture });
    $("compare-take").disabled = false;
    if (!told) return;
    say(told.told);
    part.dataset.outcome = told.outcome;
    if (told.state !== "agreed" || !told.pictures_left) stop();
  }

  async function decide(same) {
    const told = await send("decision", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ same }),
    });
    if (!told) return;
    stop();
    scan = ""; // what is still on its way says nothing more
    asking = false;
    if (!same) return refuse();
    for (const button of part.querySelectorAll("button")) button.hidden = true;
    decided();
    say(words.kept);
  }

  $("compare-ask").addEventListener("click", askGuest);
  $("compare-take").addEventListener("click", take);
  $("compare-same").addEventListener("click", () => decide(true));
  $("compare-other").addEventListener("click", () => decide(false));

  return {
    begin(id, portrait) {
      scan = portrait ? id : "";
      asking = false;
      part.hidden = !portrait;
      for (const button of part.querySelectorAll("button")) button.hidden = button.id === "compare-take";
      part.dataset.outcome = "";
      say("");
    },
    end() {
      // Let the guest's page go on. If it is lost, the question ends by itself.
      if (asking) ask(`/desk/verifications/${scan}/comparison`, { method: "DELETE", keepalive: true }).catch(() => {});
      asking = false;
      scan = "";
      stop();
    },
  };
}
