// Every sentence of the phone page, in both languages.
const WORDS = {
  title: ["手机模拟器", "Phone simulator"],
  phones: ["手机", "Phones"],
  add_phone: ["添加手机", "Add a phone"],
  tools: ["工具", "Tools"],
  phone: ["手机", "Phone"],
  official: ["公众号", "Official account"],
  follow: ["关注公众号", "Follow"],
  follow_hint: ["关注后即可开始对话", "Follow the account to start the chat"],
  intro: ["居民身份网络凭证：申请、出示、查看使用记录，都在这个对话里。", "The resident's virtual identity card: apply, show it and see its uses, all in this chat."],
  mini_program: ["打开小程序", "Open the mini-program"],
  terminal: ["受理终端", "Terminal"],
  unfollow: ["不再关注", "Unfollow"],
  clear: ["清空聊天记录", "Clear the chat"],
  remove: ["移除这部手机", "Remove this phone"],
  cancel: ["取消", "Cancel"],
  typing: ["对方正在输入…", "typing…"],
  keyboard: ["切换到键盘", "Keyboard"],
  menu: ["切换到菜单", "Menu"],
  voice: ["语音", "Voice"],
  more: ["更多", "More"],
  send: ["发送", "Send"],
  speak_hint: ["输入要说的话，作为语音发送", "What you would say; it is sent as voice"],
  write: ["发消息", "Message"],
  speak: ["要说的话，按语音发送", "Words to speak"],
  album: ["照片", "Album"],
  camera: ["拍摄", "Camera"],
  video: ["视频", "Video"],
  scan: ["扫一扫", "Scan"],
  place: ["位置", "Location"],
  back: ["返回", "Back"],
  reload: ["刷新", "Reload"],
  options: ["更多选项", "Options"],
  close: ["关闭", "Close"],
  unread: ["条未读", "unread"],
  shutter: ["拍照", "Take photo"],
  record: ["录像", "Record"],
  stop: ["停止", "Stop"],
  no_camera: ["这台设备没有可用的摄像头，请从相册选择。", "No camera can be used here; choose a file instead."],
  scan_text: ["粘贴二维码内容或网址", "Paste what the QR code says, or its address"],
  scan_picture: ["从图片识别", "Read from a picture"],
  scan_scenes: ["公众号的二维码", "The account's QR codes"],
  scan_go: ["识别", "Scan"],
  scanned: ["二维码内容：", "The code says: "],
  read_code: ["识别图中二维码", "Scan the QR code in this picture"],
  picture: ["图片", "Picture"],
  enlarge: ["放大图片", "Enlarge the picture"],
  article: ["查看详情", "Details"],
  place_name: ["广州市南沙区", "Nansha, Guangzhou"],
  yesterday: ["昨天", "Yesterday"],
  citizens: ["演示市民", "Made-up citizens"],
  citizens_hint: ["这些人都是虚构的，照片取自公有领域。点按钮，即从选中的手机发出。", "These people are made up; the photos are in the public domain. A button sends from the chosen phone."],
  sends_from: ["发送自", "Sends from"],
  send_name: ["姓名", "Name"],
  send_number: ["号码", "Number"],
  send_photo: ["照片", "Photo"],
  gestures: ["动作照片", "Photos with a gesture"],
  gestures_hint: ["做动作的照片由原照片变形而成，每次略有不同，只为没有摄像头时试用。", "Photos with a gesture are warped from the portrait, a little differently each time: for trying it without a camera."],
  gesture_turn_left: ["左转头", "Turn left"],
  gesture_turn_right: ["右转头", "Turn right"],
  gesture_open_mouth: ["张嘴", "Open mouth"],
  gesture_close_eyes: ["闭眼", "Close eyes"],
  gesture_look_up: ["抬头", "Look up"],
  own_photo: ["用我自己的照片登记", "Use my own photo as the registry portrait"],
  own_hint: ["将新建一位虚构市民，登记照即为您的照片；只保存在本机。", "Makes up a citizen with your photo as the portrait; it stays on this machine."],
  own_file: ["选择照片", "Choose a photo"],
  own_camera: ["现在拍", "Take one now"],
  own_done: ["已登记：", "Registered: "],
  no_citizens: ["本次启动没有演示市民。", "Started without made-up citizens."],
  citizens_away: ["暂时取不到演示市民：", "The made-up citizens cannot be reached: "],
  retry: ["重试", "Try again"],
  log: ["线上报文", "On the wire"],
  log_hint: ["平台的推送、公众号的回复与接口调用。点一行看全文。", "Pushes, replies and API calls. Open a line for its text."],
  log_empty: ["还没有报文。发一条消息就会出现在这里。", "Nothing yet. Send a message and it will appear here."],
  push: ["推送", "push"],
  reply: ["回复", "reply"],
  api: ["接口", "API"],
  sent: ["发出", "sent"],
  received: ["收到", "received"],
  faults: ["故障与推送方式", "Faults and push mode"],
  fault_kind: ["故障", "Fault"],
  fault_target: ["对象（接口路径、消息类型，* 为全部）", "Target (API path, message type; * for all)"],
  fault_code: ["错误码", "Error code"],
  fault_seconds: ["秒数", "Seconds"],
  fault_times: ["次数（空为一直）", "Times (empty: until off)"],
  fault_on: ["打开", "Switch on"],
  fault_off: ["关闭", "Off"],
  faults_none: ["没有打开的故障。", "No fault is on."],
  invalidate: ["让 access_token 立即失效", "Invalidate access tokens"],
  invalidated: ["已失效的 token 数：", "Tokens invalidated: "],
  check: ["验证服务器地址", "Verify the webhook"],
  check_good: ["服务器地址验证通过", "The webhook answered correctly"],
  mode: ["加密方式", "Encryption"],
  format: ["格式", "Format"],
  api_error: ["接口返回错误码", "API answers an error"],
  api_latency: ["接口变慢", "API is slow"],
  api_lost: ["接口办了事但应答丢失", "API's answer is lost"],
  push_drop: ["推送丢失", "Push is lost"],
  push_duplicate: ["推送同时到两次", "Push comes twice at once"],
  push_reorder: ["推送乱序", "Pushes out of order"],
  push_latency: ["推送变慢", "Push is slow"],
  push_forged: ["推送签名错误", "Push with a wrong signature"],
  reply_lost: ["回复丢失，平台重试", "Reply is lost, push is tried again"],
  offline: ["模拟器没有应答，正在重连…", "The simulator does not answer; trying again…"],
};

const wanted = new URLSearchParams(location.search).get("lang") || localStorage.getItem("sim-language") || navigator.language;
export const language = wanted.startsWith("zh") ? "zh_CN" : "en";
const column = language === "zh_CN" ? 0 : 1;

export function word(key) {
  return WORDS[key]?.[column] ?? key;
}

export function translatePage() {
  document.documentElement.lang = language === "zh_CN" ? "zh-CN" : "en";
  document.title = word("title");
  for (const node of document.querySelectorAll("[data-word]")) node.textContent = word(node.dataset.word);
  for (const node of document.querySelectorAll("[data-label]")) node.setAttribute("aria-label", word(node.dataset.label));
}

export function switchLanguage() {
  localStorage.setItem("sim-language", language === "zh_CN" ? "en" : "zh_CN");
  const here = new URL(location.href);
  here.searchParams.delete("lang");
  location.replace(here);
}
