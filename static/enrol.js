/* The face step with a live camera. The browser helps (light, holding still), a worker looks at
   pictures (closer, the gesture itself), and the conversation decides. Nothing is stored here. */
(function () {
  "use strict";

  const body = document.body;
  const words = JSON.parse(body.dataset.words);
  const find = (id) => document.getElementById(id);
  const video = find("video");
  const camera = find("camera");
  const hint = find("hint");

  const LOOK_MS = 120; // how often the browser looks at the camera by itself
  const IDLE_MS = 1500;
  const BUSY_MS = 250;
  const PATIENCE_MS = 4000; // for a worker's word on a picture; then another one is sent
  const SIDE = 720; // of a picture that is sent
  const DARK = 55, GLARE = 232; // mean brightness inside the oval, of 255
  const MOVING = 16; // mean difference of two looks
  const GREEN_MS = 700; // for so long at least the guide says that a picture was taken
  const HINTS = { no_face: "no_face", many_faces: "many_faces", too_small: "closer", too_dark: "light", too_bright: "glare", blurred: "blurred", covered: "covered", gesture: "gesture", late: "late", taken: "taken" };

  let state = JSON.parse(body.dataset.state);
  let stream = null;
  let told = state.told[0];
  let looking = []; // the ids of pictures that a worker has said nothing of, the oldest first
  let sentAt = 0;
  let sending = false;
  let last = null; // the browser's own last look
  let deadline = 0;
  let green = 0; // until when

  const say = (key, values) => words[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);

  async function ask(path, content, type) {
    const options = { credentials: "same-origin", cache: "no-store", headers: { Accept: "application/json" } };
    if (content !== undefined) {
      options.method = "POST";
      options.body = content;
      options.headers["Content-Type"] = type;
      options.headers["X-Card-Token"] = body.dataset.token;
    }
    const answer = await fetch(path, options);
    if (answer.status === 401) location.replace("/enrol"); // the platform says again who it is
    return { status: answer.status, body: await answer.json().catch(() => null) };
  }

  // --- what is shown ---------------------------------------------------------------------

  function tell(text, refused) {
    const place = find("told");
    place.textContent = text;
    place.hidden = !text;
    place.classList.toggle("refused", Boolean(refused));
    if (text) place.scrollIntoView({ block: "nearest" });
  }

  function show(next) {
    const before = state;
    state = next;
    const asking = state.step === "gesture" || state.step === "photo";
    find("capture").hidden = !asking;
    for (const section of document.querySelectorAll("[data-step]")) section.hidden = section.dataset.step !== state.step;
    if (state.told[0] !== told) {
      told = state.told[0];
      if (state.step !== "done" && state.step !== "review") tell(state.told[1], true);
      else tell("");
    }
    if (state.step === "gesture") {
      const fresh = before.gesture !== state.gesture || before.place !== state.place;
      deadline = performance.now() + 1000 * state.left;
      find("count").textContent = say("enrol.count", state);
      find("asked").textContent = words["chat.gesture." + state.gesture].replace(/^[^\p{L}]+/u, ""); // the drawing says what the sign did
      const drawing = find("drawing");
      if (fresh || drawing.hidden) {
        drawing.src = "/enrol/gestures/" + state.gesture + ".png";
        drawing.hidden = false;
      }
    } else if (state.step === "photo") {
      find("asked").textContent = words["enrol.hint.photo"];
      find("drawing").hidden = true;
      find("left").textContent = "";
    }
    find("shoot").hidden = !(stream && state.step === "photo");
    if (find("start")) find("start").hidden = Boolean(stream);
    const ahead = find("ahead");
    ahead.hidden = !state.ahead;
    ahead.textContent = state.ahead ? say("enrol.ahead", state) : "";
    if (!asking && stream && (state.step === "done" || state.step === "review")) stop();
  }

  function say_hint(name, good) {
    if (good) green = performance.now() + GREEN_MS;
    else if (performance.now() < green) return; // the next look says it again
    const text = name ? words["enrol.hint." + name] : "";
    if (hint.textContent !== text) hint.textContent = text;
    camera.classList.toggle("good", Boolean(good));
  }

  // --- the camera -----------------------------------------------------------------------

  async function start() {
    say_hint("starting");
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: false, video: { facingMode: "user", width: { ideal: 1280 }, height: { ideal: 960 } } });
    } catch (error) {
      stream = null;
      without_camera();
      return;
    }
    tell("");
    camera.hidden = false;
    video.srcObject = stream;
    await video.play().catch(() => {});
    show(state);
    watch();
  }

  /* No empty picture then, and the files are the one main way; whoever allows it may try again. */
  function without_camera() {
    say_hint("");
    tell(words["enrol.no_camera"]);
    camera.hidden = true;
    find("start").classList.remove("main");
    find("upload").classList.add("main");
  }

  function stop() {
    for (const track of stream ? stream.getTracks() : []) track.stop();
    stream = null;
    video.srcObject = null;
  }

  const small = document.createElement("canvas");
  small.width = 36;
  small.height = 48;
  const pen = small.getContext("2d", { willReadFrequently: true });

  /* Brightness inside the oval, and how much has moved since the last look. */
  function look() {
    const wide = Math.min(video.videoWidth, (video.videoHeight * 3) / 4);
    const high = (wide * 4) / 3;
    pen.drawImage(video, (video.videoWidth - wide) / 2, (video.videoHeight - high) / 2, wide, high, 0, 0, 36, 48);
    const data = pen.getImageData(0, 0, 36, 48).data;
    const gray = new Float32Array(36 * 48);
    let light = 0, count = 0, moved = 0;
    for (let y = 0; y < 48; y++) {
      for (let x = 0; x < 36; x++) {
        const i = y * 36 + x;
        gray[i] = 0.3 * data[4 * i] + 0.59 * data[4 * i + 1] + 0.11 * data[4 * i + 2];
        if (((x - 18) / 12.5) ** 2 + ((y - 23) / 16) ** 2 < 1) {
          light += gray[i];
          count++;
          if (last) moved += Math.abs(gray[i] - last[i]);
        }
      }
    }
    const first = !last;
    last = gray;
    return { light: light / count, moved: first ? 0 : moved / count };
  }

  function picture() {
    const canvas = document.createElement("canvas");
    const ratio = Math.min(1, SIDE / Math.min(video.videoWidth, video.videoHeight));
    canvas.width = Math.round(video.videoWidth * ratio);
    canvas.height = Math.round(video.videoHeight * ratio);
    canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
    return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.88));
  }

  async function watch() {
    while (stream) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      if (!stream || document.hidden || video.readyState < 2 || !video.videoWidth) continue;
      if (state.step === "photo") { say_hint("photo"); continue; }
      if (state.step !== "gesture") { say_hint(""); continue; }
      const seen = look();
      if (seen.light < DARK) say_hint("light");
      else if (seen.light > GLARE) say_hint("glare");
      else if (seen.moved > MOVING) say_hint("still");
      else if (!sending && (!looking.length || performance.now() - sentAt > PATIENCE_MS)) {
        sending = true;
        try {
          const answer = await ask("enrol/frame", await picture(), "image/jpeg");
          if (answer.status === 200) { looking.push(answer.body.id); sentAt = performance.now(); }
          else if (answer.status === 429) { tell(words["enrol.busy"], true); stop(); show(state); }
        } catch (error) {
          tell(words["enrol.offline"], true);
        }
        sending = false;
        if (!hint.textContent || hint.textContent === words["enrol.hint.starting"]) say_hint("looking");
      }
    }
  }

  // --- how things stand --------------------------------------------------------------------

  async function follow() {
    try {
      const answer = await ask("enrol/state");
      if (answer.status === 200) {
        const [id, code] = answer.body.hint;
        const place = looking.indexOf(id);
        if (place >= 0) {
          looking = looking.slice(place + 1); // a slow worker's word counts, too
          say_hint(HINTS[code] || "looking", code === "taken");
        }
        if (find("told").textContent === words["enrol.offline"]) tell("");
        show(answer.body);
      }
    } catch (error) {
      tell(words["enrol.offline"], true);
    }
    setTimeout(follow, looking.length || state.step === "checking" ? BUSY_MS : IDLE_MS);
  }

  async function upload(file) {
    if (!file) return;
    tell("");
    try {
      const answer = await ask("enrol/upload", file, file.type || "application/octet-stream");
      if (answer.status === 200) show(answer.body);
      else tell(words[answer.status === 429 ? "enrol.busy" : "enrol.refused"], true);
    } catch (error) {
      tell(words["enrol.offline"], true);
    }
  }

  find("start").addEventListener("click", start); // taken away below where there can be no camera
  find("shoot").addEventListener("click", async () => upload(await picture()));
  find("file").addEventListener("change", (event) => { upload(event.target.files[0]); event.target.value = ""; });
  setInterval(() => {
    if (state.step !== "gesture") return;
    const seconds = Math.ceil((deadline - performance.now()) / 1000);
    find("left").textContent = seconds > 0 ? say("enrol.left", { seconds }) : words["enrol.over"];
  }, 500);
  window.addEventListener("pagehide", stop);

  if (!(navigator.mediaDevices && navigator.mediaDevices.getUserMedia)) {
    without_camera();
    find("start").remove();
  } else {
    say_hint("start");
  }
  show(state);
  follow();
})();
