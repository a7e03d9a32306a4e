// The sentences of the kiosk and of the mini-program, in both languages.
import { language } from "./words.js";

const WORDS = {
  title: ["受理终端", "ID card terminal"],
  phones: ["返回手机", "Back to the phones"],
  lead: ["这是一台受认可的终端：读取身份证芯片，比对指纹，把签名后的结果交给网证系统。", "An accredited terminal: it reads the ID card's chip, compares the finger, and signs what it found for the card system."],
  code: ["输入绑定码", "Enter the binding code"],
  code_hint: ["持证人在对话中发送“升级”，或在证件页面，可以看到 8 位绑定码。", "The holder sees eight digits after sending “upgrade” in the chat, or on the card page."],
  card: ["放上身份证", "Put down the ID card"],
  finger: ["按指纹", "Press the finger"],
  own: ["本人的手指", "The card's owner"],
  other: ["别人的手指", "Somebody else"],
  none: ["不按指纹", "No finger"],
  read: ["读卡并提交", "Read and send"],
  reading: ["正在读取…", "Reading…"],
  away: ["模拟器启动时没有终端密钥。", "This simulator was started without a terminal's key."],
  level_light: ["已绑定", "Bound"],
  level_upgraded: ["升级完成", "The card is upgraded"],
  missing: ["还需要：", "Still to do: "],
  chip: ["身份证芯片", "ID card's chip"],
  fingerprint: ["指纹", "fingerprint"],
  face: ["面容（在对话中）", "face (in the chat)"],
  refused: ["未绑定", "Nothing was bound"],
  mini_title: ["网证小程序", "Card mini-program"],
  mini_card: ["我的证件", "My card"],
  mini_light: ["轻量版", "Light"],
  mini_upgraded: ["升级版", "Upgraded"],
  mini_begin: ["开始升级，显示绑定码", "Begin the upgrade, show the binding code"],
  mini_finger: ["用本机指纹绑定", "Bind with this phone's fingerprint"],
  mini_code: ["绑定码", "Binding code"],
  mini_done: ["已绑定", "bound"],
  mini_open: ["未绑定", "to do"],
  mini_asks: ["请求查看您的信息", "asks for your data"],
  mini_pin: ["PIN 码", "PIN"],
  mini_approve: ["同意", "Approve"],
  mini_deny: ["拒绝", "Deny"],
  mini_history: ["使用记录", "History"],
  mini_freeze: ["冻结证件", "Freeze the card"],
  mini_unfreeze: ["解冻", "Unfreeze"],
  mini_held: ["证件由我们冻结，只有工作人员能解冻。请在聊天中发送“人工”。", "We froze this card, and only our staff can unfreeze it. Send “human” in the chat."],
  mini_no_card: ["还没有证件，请先在对话中发送“申请”。", "No card yet: send “apply” in the chat first."],
  mini_nobody: ["请从手机里打开小程序。", "Open the mini-program from a phone."],
};

export const chinese = language === "zh_CN";
export const word = (key) => WORDS[key]?.[chinese ? 0 : 1] ?? key;

export function translate(titleKey) {
  document.documentElement.lang = chinese ? "zh-CN" : "en";
  document.title = word(titleKey);
  for (const node of document.querySelectorAll("[data-kiosk]")) node.textContent = word(node.dataset.kiosk);
}
