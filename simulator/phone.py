"""An actor for tests and load: a phone with verbs, over the simulator's JSON.

    phone = Phone("http://127.0.0.1:8001")
    phone.follow()
    phone.say("申请")
    phone.wait_for("同意")

`wait_for` reads on from where the last one stopped, so a test reads as a transcript.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, quote, urljoin, urlsplit

import httpx

PATIENCE = 60.0  # an end, not a wait: a busy machine takes many times as long
ROUND = 10.0  # seconds of one long question
HOPS = 12
AUTHORIZE = "/connect/oauth2/authorize"
QUICK_ANSWER = re.compile(r"""href=["']?weixin://bizmsgmenu\?([^"'> ]+)""")


class NotSeenError(AssertionError):
    """What was waited for did not come; the text is the chat's transcript."""


class Phone:
    """One phone. Its verbs return at once; `wait_…` wait."""

    def __init__(
        self,
        base_url: str,
        *,
        name: str = "actor",
        language: str = "zh_CN",
        openid: str = "",
        visible: bool = False,
        client: httpx.Client | None = None,
    ) -> None:
        self._api = base_url.rstrip("/") + "/simulator/api"
        self._base = base_url.rstrip("/")
        self._own_client = client is None
        self._client = client or httpx.Client(timeout=40.0, trust_env=False)
        self._browser = httpx.Client(timeout=40.0, trust_env=False)
        self._after = 0  # the world's change up to which messages were fetched
        self._seen: dict[int, dict[str, Any]] = {}
        self._read = 0  # the message id up to which waiting has read
        if not openid:
            told = {"name": name, "language": language, "visible": visible}
            openid = self._ask("POST", "/phones", json=told)["openid"]
        self.openid = openid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connections; the phone stays where it is."""
        self._browser.close()
        if self._own_client:
            self._client.close()

    # What a hand does.

    def follow(self, scene: str = "") -> None:
        """Follow the account, with a scene by scanning its QR."""
        self._do("follow", scene=scene)

    def unfollow(self) -> None:
        """Stop following."""
        self._do("unfollow")

    def say(self, text: str) -> int:
        """Write a text; its message id."""
        return int(self._do("say", text=text)["id"])

    def answer(self, choice: str) -> None:
        """Tap a quick answer of the last message that offers it.

        Raises:
            NotSeenError: when none does.
        """
        self.look()
        for message in reversed(self.from_account()):
            for item in message["content"].get("list", []):
                if message["kind"] == "msgmenu" and item["content"] == choice:
                    self._do("say", text=choice, menu_id=str(item["id"]))
                    return
            for said, number in _tappable(str(message["content"].get("content", ""))):
                if said == choice:
                    self._do("say", text=choice, menu_id=number)
                    return
        raise NotSeenError(f"no quick answer {choice!r} in\n{self.transcript()}")

    def click(self, key: str) -> None:
        """Tap a menu button by its event key."""
        self._do("click", key=key)

    def scan(self, what: str) -> dict[str, str]:
        """Scan what a QR says: `{"scene"}`, `{"open"}` or `{"text"}`."""
        found: dict[str, str] = self._do("scan", text=what)
        return found

    def send_photo(self, photo: bytes | Path) -> None:
        """Send a photo."""
        self._send("image", photo, "image/jpeg")

    def send_video(self, film: bytes | Path, *, short: bool = False) -> None:
        """Send a video."""
        self._send("shortvideo" if short else "video", film, "video/mp4")

    def send_voice(self, heard: str, sound: bytes | Path = b"") -> None:
        """Send a voice note of which the platform recognises `heard`."""
        self._send("voice", sound, "audio/amr", heard)

    def send_location(self, latitude: float, longitude: float, label: str = "") -> None:
        """Send a place."""
        self._do("location", latitude=latitude, longitude=longitude, label=label)

    def send_link(self, title: str, url: str, description: str = "") -> None:
        """Forward a link."""
        self._do("link", title=title, url=url, description=description)

    def subscribe(self, template_id: str, *, accept: bool = True) -> None:
        """Agree or not to one subscription message of a template."""
        self._do("subscription", template_id=template_id, accept=accept)

    def js_code(self) -> str:
        """The code of the mini-program's wx.login."""
        return str(self._do("mini-program")["js_code"])

    def touch_sensor(self, challenge: str) -> dict[str, str]:
        """Sign a challenge with the finger: `{"json_string", "json_signature"}`."""
        signed: dict[str, str] = self._do("fingerprint", challenge=challenge)
        return signed

    def open(self, address: str) -> httpx.Response:
        """Open a link in the phone's browser, signing in through OAuth where it is asked to.

        The phone's browser keeps its cookies; `browser` goes on from there.
        """
        for _ in range(HOPS):
            if urlsplit(address).path == AUTHORIZE:
                address = f"{address.partition('#')[0]}&sim_openid={quote(self.openid)}"
            answer = self._browser.get(address)
            if not answer.has_redirect_location:
                return answer
            address = urljoin(str(answer.url), answer.headers["location"])
        raise NotSeenError(f"more than {HOPS} redirections, the last to {address}")

    @property
    def browser(self) -> httpx.Client:
        """The browser inside the phone."""
        return self._browser

    # What an eye sees.

    def wait_for(self, text: str, *, seconds: float = PATIENCE) -> dict[str, Any]:
        """Wait for a message of the account (or a note) that holds a text.

        Raises:
            NotSeenError: when it does not come.
        """
        return self._wait(lambda message: text in text_of(message), f"{text!r}", seconds)

    def wait_to_see(self, text: str, *, seconds: float = PATIENCE) -> dict[str, Any]:
        """Wait until a text stands anywhere in the chat; the next `wait_for` reads on as before.

        What a worker sends may overtake the answer that the webhook gives at the same time.

        Raises:
            NotSeenError: when it does not come.
        """
        return self._find(lambda message: text in text_of(message), f"{text!r}", seconds, 0)

    def wait_for_any(self, *, seconds: float = PATIENCE) -> dict[str, Any]:
        """Wait for the account's next message.

        Raises:
            NotSeenError: when none comes.
        """
        return self._wait(lambda _: True, "any message", seconds)

    def wait_for_photo(self, *, seconds: float = PATIENCE) -> bytes:
        """Wait for a picture of the account and give its file.

        Raises:
            NotSeenError: when none comes.
        """
        message = self._wait(lambda each: each["kind"] == "image", "a picture", seconds)
        return self.photo(message)

    def photo(self, message: dict[str, Any]) -> bytes:
        """The file of a message's picture."""
        answer = self._client.get(f"{self._api}/media/{message['content']['media_id']}")
        answer.raise_for_status()
        return answer.content

    def settle(self, *, seconds: float = PATIENCE) -> None:
        """Wait until every push of this phone was answered or given up.

        Raises:
            NotSeenError: when it takes longer.
        """
        until, wait = time.monotonic() + seconds, {"wait": min(seconds, ROUND)}
        while not self._ask("GET", f"{self._path}/idle", params=wait)["idle"]:
            if time.monotonic() > until:
                raise NotSeenError(f"pushes are still under way after {seconds} s")

    def look(self, wait: float = 0.0) -> None:
        """Fetch what is new, waiting some seconds for it."""
        found = self._ask("GET", self._path, params={"after": self._after, "wait": wait})
        self._after = found["change"]
        for message in found["messages"]:
            self._seen[message["id"]] = message

    def messages(self) -> list[dict[str, Any]]:
        """The whole chat as far as it was fetched, oldest first."""
        return [self._seen[number] for number in sorted(self._seen)]

    def from_account(self) -> list[dict[str, Any]]:
        """What the account and the platform said."""
        return [each for each in self.messages() if each["side"] != "person"]

    def menu(self) -> list[dict[str, Any]]:
        """The menu's buttons."""
        found: list[dict[str, Any]] = self._ask("GET", self._path)["menu"]
        return found

    def transcript(self) -> str:
        """The chat as text."""
        return "\n".join(
            f"{each['side']:>8} {each['kind']}: {text_of(each)}" for each in self.messages()
        )

    # How it is asked.

    @property
    def _path(self) -> str:
        return f"/phones/{quote(self.openid)}"

    def _wait(
        self, wanted: Callable[[dict[str, Any]], bool], what: str, seconds: float
    ) -> dict[str, Any]:
        message = self._find(wanted, what, seconds, self._read)
        self._read = message["id"]
        return message

    def _find(
        self, wanted: Callable[[dict[str, Any]], bool], what: str, seconds: float, after: int
    ) -> dict[str, Any]:
        until = time.monotonic() + seconds
        self.look()
        while True:
            for message in self.from_account():
                if message["id"] > after and wanted(message):
                    return message
            left = until - time.monotonic()
            if left <= 0:
                raise NotSeenError(f"{what} did not come within {seconds} s:\n{self.transcript()}")
            self.look(min(left, ROUND))

    def _do(self, verb: str, **told: object) -> Any:
        return self._ask("POST", f"{self._path}/{verb}", json=told)

    def _send(self, kind: str, file: bytes | Path, content_type: str, heard: str = "") -> None:
        data = file.read_bytes() if isinstance(file, Path) else file
        name = file.name if isinstance(file, Path) else "file"
        self._ask(
            "POST",
            f"{self._path}/media/{kind}",
            files={"file": (name, data, content_type)},
            data={"heard": heard},
        )

    def _ask(self, method: str, path: str, **more: Any) -> Any:
        answer = self._client.request(method, self._api + path, **more)
        if answer.status_code >= 400:
            raise NotSeenError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json()


def text_of(message: Mapping[str, Any]) -> str:
    """Everything that can be read in a message, as one text."""
    return "\n".join(_texts(message["content"]))


def _tappable(text: str) -> list[tuple[str, str]]:
    """The texts that the links in a text write when they are tapped, with their numbers."""
    found = []
    for query in QUICK_ANSWER.findall(text):
        told = dict(parse_qsl(query.replace("&amp;", "&")))
        found.append((told.get("msgmenucontent", ""), told.get("msgmenuid", "")))
    return found


def _texts(content: object) -> list[str]:
    if isinstance(content, str):
        return [content]
    if isinstance(content, dict):
        return [text for value in content.values() for text in _texts(value)]
    if isinstance(content, list):
        return [text for value in content for text in _texts(value)]
    return []
