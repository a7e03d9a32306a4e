// WeChat's own scanner, on the desk's page inside WeChat: a tap, a scan, and the code is entered.
const button = document.getElementById("wechat-scan");
const entry = document.getElementById("entry");

async function begin() {
  if (!window.wx || !button) return;
  const page = location.href.split("#")[0];
  const answer = await fetch(`/desk/wechat?url=${encodeURIComponent(page)}`, { headers: { Accept: "application/json" } });
  if (!answer.ok) return;
  const told = await answer.json();
  window.wx.config({ ...told, timestamp: Number(told.timestamp), jsApiList: ["scanQRCode"] });
  window.wx.ready(() => {
    button.hidden = false;
  });
  // A page whose signature is refused goes on without the scanner: the camera is still there.
  window.wx.error(() => {
    button.hidden = true;
  });
}

button?.addEventListener("click", () =>
  window.wx.scanQRCode({
    needResult: 1,
    scanType: ["qrCode"],
    success({ resultStr }) {
      document.getElementById("code").value = resultStr;
      entry.requestSubmit();
    },
  }),
);

begin().catch(() => {});
