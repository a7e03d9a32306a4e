"""A life account's people, their chats and the pushes to its webhook, all in memory."""

from __future__ import annotations

import collections
import dataclasses
import re
import secrets
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import httpx

from simulator.alipay.keys import KeyPair, joined

DELIVERIES = 3
DEADLINE = 5.0
WINDOW = 48 * 3600.0
CODE_LIFE = 24 * 3600.0
NOTIFY = "alipay.mobile.public.message.notify"
CHECK = "alipay.service.check"


class LifeError(Exception):
    """What the platform refuses: its code, sub-code and sentence."""

    def __init__(self, code: str, sub_code: str, sentence: str) -> None:
        self.code, self.sub_code, self.sentence = code, sub_code, sentence
        super().__init__(f"{code} {sub_code}: {sentence}")


@dataclasses.dataclass
class User:
    """One phone. `touched_at` is when its owner last did something in the chat."""

    user_id: str
    name: str
    following: bool = False
    touched_at: float = 0.0
    messages: list[dict[str, Any]] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class LifeConfig:
    """The account and where its webhook is; `charset` is that of the pushes."""

    app_id: str
    platform_private_key: str
    app_public_key: str
    webhook: str
    base: str = "http://127.0.0.1:8001"
    charset: str = "GBK"


class Life:
    """The platform's side of one life account."""

    def __init__(self, config: LifeConfig, clock: Callable[[], float] = time.time) -> None:
        self.config = config
        self.now = clock
        self.keys = KeyPair(config.platform_private_key, config.app_public_key)
        self.files: dict[str, tuple[bytes, str]] = {}
        self.problems: list[str] = []
        self.charset = config.charset
        self._codes: dict[str, tuple[str, float]] = {}
        self._users: dict[str, User] = {}
        self._changed = threading.Condition()
        self._queues: dict[str, collections.deque[dict[str, str]]] = {}
        self._client = httpx.Client(timeout=DEADLINE, trust_env=False)

    # People.

    def add(self, name: str) -> User:
        """A new phone, which follows nobody."""
        user = User("2088" + "".join(secrets.choice("0123456789") for _ in range(12)), name)
        with self._changed:
            self._users[user.user_id] = user
        return user

    def user(self, user_id: str) -> User:
        """The phone of a user.

        Raises:
            LifeError: when there is none.
        """
        try:
            return self._users[user_id]
        except KeyError:
            raise LifeError("40004", "USER_NOT_EXIST", "用户不存在") from None

    def after(self, user: User, number: int, wait: float) -> list[dict[str, Any]]:
        """The messages of a chat beyond a number; waits some seconds for one."""
        with self._changed:
            self._changed.wait_for(lambda: len(user.messages) > number, timeout=wait)
            return user.messages[number:]

    def write(self, user: User, side: str, kind: str, content: dict[str, Any]) -> None:
        """Put a message into a chat."""
        with self._changed:
            user.messages.append(
                {"id": len(user.messages) + 1, "side": side, "kind": kind, "content": content}
            )
            self._changed.notify_all()

    def keep_file(self, data: bytes, content_type: str) -> str:
        """Keep a file, and give its id."""
        file_id = secrets.token_urlsafe(18)
        self.files[file_id] = (data, content_type)
        return file_id

    # OAuth.

    def code_for(self, user: User) -> str:
        """A code that says once who is looking."""
        code = secrets.token_hex(16)
        self._codes[code] = (user.user_id, self.now() + CODE_LIFE)
        return code

    def spend(self, code: str) -> str:
        """The user behind a code, once.

        Raises:
            LifeError: when it is unknown, spent or old.
        """
        user_id, until = self._codes.pop(code, ("", 0.0))
        if not user_id or self.now() > until:
            raise LifeError("40002", "isv.code-invalid", "授权码code无效")
        return user_id

    # What a hand does, and the push that it becomes.

    def event(self, user: User, event: str, action: str = "") -> None:
        """An event: follow, unfollow, enter, click."""
        user.following = event != "unfollow" if event in {"follow", "unfollow"} else user.following
        user.touched_at = self.now()
        self._push(user, "event", f"<EventType>{_cdata(event)}</EventType>", action)

    def say(self, user: User, text: str) -> None:
        """Write a text."""
        self.write(user, "person", "text", {"content": text})
        self._message(user, "text", f"<Text><Content>{_cdata(text)}</Content></Text>")

    def send_file(self, user: User, kind: str, data: bytes, content_type: str) -> None:
        """Send a photo or a video."""
        media_id = self.keep_file(data, content_type)
        self.write(user, "person", kind, {"media_id": media_id})
        group, form = kind.capitalize(), content_type.partition("/")[2]
        inner = f"<MediaId>{_cdata(media_id)}</MediaId><Format>{_cdata(form)}</Format>"
        self._message(user, kind, f"<{group}>{inner}</{group}>")

    def idle(self, user: User, seconds: float) -> bool:
        """Wait until every push of a phone was answered or given up."""
        with self._changed:
            return self._changed.wait_for(lambda: user.user_id not in self._queues, timeout=seconds)

    def check_webhook(self) -> str:
        """Ask whether the webhook is the account's server; empty when it proves so."""
        content = (
            f'<?xml version="1.0" encoding="{self.charset}"?><XML>'
            f"<AppId>{_cdata(self.config.app_id)}</AppId><CreateTime>{self._stamp()}</CreateTime>"
            f"<MsgType>{_cdata('event')}</MsgType><EventType>{_cdata('verifygw')}</EventType></XML>"
        )
        problem, answer = self._post(self._form(CHECK, content))
        if problem:
            return problem
        if "<success>true</success>" not in answer:
            return f"no success: {answer[:80]}"
        if f"<biz_content>{self.keys.app_public}</biz_content>" not in answer:
            return "the public key is another"
        return ""

    def close(self) -> None:
        """End the connections."""
        self._client.close()

    def _message(self, user: User, kind: str, inner: str) -> None:
        if not user.following:
            raise LifeError("40004", "USER_NOT_FOLLOW", "follow the account first")
        user.touched_at = self.now()
        self._push(user, kind, inner, message_id=secrets.token_hex(12))

    def _push(
        self, user: User, kind: str, inner: str, action: str = "", message_id: str = ""
    ) -> None:
        content = (
            f"<XML><AppId>{_cdata(self.config.app_id)}</AppId>"
            f"<FromUserId>{_cdata('o-' + user.user_id)}</FromUserId>"
            f"<FromAlipayUserId>{_cdata(user.user_id)}</FromAlipayUserId>"
            f"<CreateTime>{self._stamp()}</CreateTime><MsgType>{_cdata(kind)}</MsgType>"
            f"{inner}<ActionParam>{_cdata(action)}</ActionParam>"
            f"<MsgId>{_cdata(message_id)}</MsgId></XML>"
        )
        form = self._form(NOTIFY, content)
        with self._changed:
            queue = self._queues.get(user.user_id)
            if queue is not None:
                queue.append(form)
                return
            self._queues[user.user_id] = collections.deque([form])
        threading.Thread(target=self._run, args=(user,), daemon=True).start()

    def _run(self, user: User) -> None:
        while True:
            with self._changed:
                queue = self._queues[user.user_id]
                if not queue:
                    del self._queues[user.user_id]
                    self._changed.notify_all()
                    return
                form = queue.popleft()
            self._deliver(user, form)

    def _deliver(self, user: User, form: dict[str, str]) -> None:
        for _ in range(DELIVERIES):
            problem, answer = self._post(form)
            if not problem and f"<ToUserId>{_cdata(user.user_id)}</ToUserId>" not in answer:
                problem = f"not acknowledged: {answer[:200]}"
            if not problem:
                return
            self.problems.append(problem)
        self.write(user, "note", "note", {"text": "服务暂不可用"})

    def _post(self, form: dict[str, str]) -> tuple[str, str]:
        """Post a form; what was wrong with the answer, and the signed part of it."""
        body = urlencode(form, encoding=self.charset, errors="replace")
        kind = f"application/x-www-form-urlencoded; charset={self.charset}"
        try:
            answer = self._client.post(
                self.config.webhook, content=body, headers={"content-type": kind}
            )
        except httpx.HTTPError as error:
            return f"{type(error).__name__}: {error}", ""
        text = answer.content.decode(self.charset, "replace")
        if answer.status_code != 200:
            return f"status {answer.status_code}: {text[:200]}", ""
        found = re.fullmatch(
            r"\s*<\?xml[^>]*\?>\s*<alipay><response>(.*)</response>"
            r"<sign>([^<]*)</sign><sign_type>RSA2</sign_type></alipay>\s*",
            text,
            re.DOTALL,
        )
        if found is None:
            return f"not the platform's form: {text[:200]}", ""
        if not self.keys.signed_by_app(found[1].encode(self.charset), found[2]):
            return "the answer's signature does not match", ""
        return "", found[1]

    def _form(self, service: str, content: str) -> dict[str, str]:
        # What the charset cannot write is replaced before it is signed, as it is when it is sent.
        content = content.encode(self.charset, "replace").decode(self.charset)
        form = {
            "service": service,
            "sign_type": "RSA2",
            "charset": self.charset,
            "biz_content": content,
        }
        return form | {"sign": self.keys.sign(joined(form, self.charset))}

    def _stamp(self) -> int:
        return int(self.now() * 1000)


def _cdata(text: str) -> str:
    return "<![CDATA[" + text.replace("]]>", "]]]]><![CDATA[>") + "]]>"
