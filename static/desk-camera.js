// The camera of the desk: the browser's own detector where there is one, else the server reads
// the frames. Frames are sent one at a time, small, only while a code is wanted, and at once only
// when something moves: a camera that looks at an empty counter sends a few a second.
const $ = (id) => document.getElementById(id);
const LONG_SIDE = 960;
const QUALITY = 0.72;
const LARGEST = 300 * 1024;
const GAP_MS = 90;
const STILL_MS = 400;
const SMALL = [32, 18]; // the picture in which movement is looked for
const MOVED = 2; // mean difference of its pixels, of 255: more than a webcam's noise

let options;
let stream;
let running = 0;
let before; // the small picture of the frame that was sent last
let sentAt = 0;
const canvas = document.createElement("canvas");
const small = document.createElement("canvas");
[small.width, small.height] = SMALL;

export function setUpCamera(given) {
  options = given;
  $("camera-switch-on").addEventListener("click", () => (stream ? stopCamera(true) : startCamera()));
  $("camera-which").addEventListener("change", () => startCamera($("camera-which").value));
  $("camera-torch").addEventListener("click", torch);
}

/* Starts the camera named, else the one used last, else the one that looks away from the person. */
export async function startCamera(deviceId = options.chosen()) {
  if (!navigator.mediaDevices?.getUserMedia) {
    return trouble(isSecureContext ? "desk.camera.none" : "desk.camera.insecure");
  }
  stopTracks();
  running += 1;
  const mine = running; // whoever stops the camera, or starts it anew, is not overtaken by this one
  let begun;
  const size = { width: { ideal: 1280 }, height: { ideal: 720 } };
  try {
    begun = await navigator.mediaDevices
      .getUserMedia({ video: { ...size, ...(deviceId ? { deviceId: { exact: deviceId } } : { facingMode: "environment" }) } })
      .catch((error) => {
        if (!deviceId || error.name === "NotAllowedError") throw error;
        return navigator.mediaDevices.getUserMedia({ video: size }); // that camera is gone: any other
      });
  } catch (error) {
    if (mine !== running) return;
    stopCamera();
    return trouble(error.name === "NotAllowedError" ? "desk.camera.denied" : "desk.camera.none");
  }
  if (mine !== running) return begun.getTracks().forEach((track) => track.stop());
  stream = begun;
  $("video").srcObject = stream;
  await $("video").play().catch(() => {});
  if (mine !== running) return;
  show(true);
  const [track] = stream.getVideoTracks();
  options.remember(true, track.getSettings().deviceId);
  await list(track.getSettings().deviceId);
  if (mine !== running) return;
  $("camera-torch").hidden = !track.getCapabilities?.().torch;
  $("camera-torch").setAttribute("aria-pressed", "false");
  look(mine);
}

export function stopCamera(forget = false) {
  running += 1;
  stopTracks();
  show(false);
  if (forget === true) options.remember(false);
}

function stopTracks() {
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = undefined;
}

function show(on) {
  $("camera").hidden = !on;
  $("stage").classList.toggle("with-camera", on);
  if (on) $("camera-trouble").hidden = true;
  else $("camera-other").hidden = $("camera-torch").hidden = true;
  $("camera-switch-on").textContent = options.words[on ? "desk.camera.stop" : "desk.camera.start"];
}

function trouble(key) {
  $("camera-trouble").textContent = options.words[key];
  $("camera-trouble").hidden = false;
}

async function list(current) {
  const all = (await navigator.mediaDevices.enumerateDevices()).filter(({ kind }) => kind === "videoinput");
  const choices = all.map(({ deviceId, label }, place) => new Option(label || `${place + 1}`, deviceId, false, deviceId === current));
  $("camera-which").replaceChildren(...choices);
  $("camera-other").hidden = all.length < 2;
}

async function torch() {
  const on = $("camera-torch").getAttribute("aria-pressed") !== "true";
  try {
    await stream.getVideoTracks()[0].applyConstraints({ advanced: [{ torch: on }] });
    $("camera-torch").setAttribute("aria-pressed", String(on));
  } catch {
    $("camera-torch").hidden = true;
  }
}

async function ownDetector() {
  if (!("BarcodeDetector" in window)) return null;
  const formats = await BarcodeDetector.getSupportedFormats().catch(() => []);
  return formats.includes("qr_code") ? new BarcodeDetector({ formats: ["qr_code"] }) : null;
}

async function look(mine) {
  const detector = await ownDetector();
  while (mine === running) {
    if (options.wanted() && !document.hidden && $("video").readyState >= 2) {
      const code = await (detector ? readHere(detector) : readThere()).catch(() => "");
      if (code && mine === running && options.wanted()) options.found(code);
    }
    await new Promise((done) => setTimeout(done, GAP_MS));
  }
}

async function readHere(detector) {
  const [found] = await detector.detect($("video"));
  return found?.rawValue ?? "";
}

async function readThere() {
  if (!moved() && performance.now() - sentAt < STILL_MS) return "";
  sentAt = performance.now();
  const frame = await picture(LONG_SIDE, QUALITY);
  if (!frame || frame.size > LARGEST) return "";
  const answer = await options.read(frame);
  return answer.ok ? ((await answer.json()).code ?? "") : "";
}

/* Whether the picture is another than the one that was sent last. */
function moved() {
  const pen = small.getContext("2d", { willReadFrequently: true });
  pen.drawImage($("video"), 0, 0, ...SMALL);
  const { data } = pen.getImageData(0, 0, ...SMALL);
  let difference = 0;
  if (before) for (let at = 0; at < data.length; at += 4) difference += Math.abs(data[at + 1] - before[at + 1]);
  if (before && difference < MOVED * SMALL[0] * SMALL[1]) return false;
  before = data;
  return true;
}

/* What the camera sees now, as a JPEG; nothing of it is kept here. */
export async function picture(longSide, quality) {
  const video = $("video");
  const scale = Math.min(1, longSide / Math.max(video.videoWidth, video.videoHeight));
  canvas.width = Math.round(video.videoWidth * scale);
  canvas.height = Math.round(video.videoHeight * scale);
  canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => canvas.toBlob(done, "image/jpeg", quality));
}
