// The camera of the desk: the browser's own detector where there is one, else the server reads
// the frames. Frames are sent one at a time, small, and only while a code is wanted.
const $ = (id) => document.getElementById(id);
const LONG_SIDE = 960;
const QUALITY = 0.72;
const LARGEST = 300 * 1024;
const SERVER_GAP_MS = 260;
const OWN_GAP_MS = 90;

let options;
let stream;
let running = 0;
const canvas = document.createElement("canvas");

export function setUpCamera(given) {
  options = given;
  $("camera-switch-on").addEventListener("click", () => (stream ? stopCamera(true) : startCamera()));
  $("camera-other").addEventListener("click", other);
  $("camera-torch").addEventListener("click", torch);
}

export async function startCamera(deviceId) {
  if (!navigator.mediaDevices?.getUserMedia) {
    return trouble(isSecureContext ? "desk.camera.none" : "desk.camera.insecure");
  }
  stopTracks();
  try {
    stream = await navigator.mediaDevices.getUserMedia({
      video: {
        width: { ideal: 1280 },
        height: { ideal: 720 },
        ...(deviceId ? { deviceId: { exact: deviceId } } : { facingMode: "environment" }),
      },
    });
  } catch (error) {
    stopCamera();
    return trouble(error.name === "NotAllowedError" ? "desk.camera.denied" : "desk.camera.none");
  }
  $("video").srcObject = stream;
  await $("video").play().catch(() => {});
  show(true);
  options.remember(true);
  const cameras = (await navigator.mediaDevices.enumerateDevices()).filter(({ kind }) => kind === "videoinput");
  $("camera-other").hidden = cameras.length < 2;
  $("camera-torch").hidden = !stream.getVideoTracks()[0].getCapabilities?.().torch;
  running += 1;
  look(running);
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

async function other() {
  const all = await navigator.mediaDevices.enumerateDevices();
  const cameras = all.filter(({ kind }) => kind === "videoinput").map((device) => device.deviceId);
  const now = cameras.indexOf(stream?.getVideoTracks()[0].getSettings().deviceId);
  await startCamera(cameras[(now + 1) % cameras.length]);
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
    await new Promise((done) => setTimeout(done, detector ? OWN_GAP_MS : SERVER_GAP_MS));
  }
}

async function readHere(detector) {
  const [found] = await detector.detect($("video"));
  return found?.rawValue ?? "";
}

async function readThere() {
  const video = $("video");
  const scale = Math.min(1, LONG_SIDE / Math.max(video.videoWidth, video.videoHeight));
  canvas.width = Math.round(video.videoWidth * scale);
  canvas.height = Math.round(video.videoHeight * scale);
  canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
  const frame = await new Promise((done) => canvas.toBlob(done, "image/jpeg", QUALITY));
  if (!frame || frame.size > LARGEST) return "";
  const answer = await options.read(frame);
  return answer.ok ? ((await answer.json()).code ?? "") : "";
}
