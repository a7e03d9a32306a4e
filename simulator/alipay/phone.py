"""An actor for tests: a phone in the life account's chat, with the verbs of the other phone."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urljoin, urlsplit

import httpx

from simulator.phone import PATIENCE, ROUND, NotSeenError, text_of

HOPS = 12
AUTHORIZE = "/oauth2/publicAppAuthorize.htm"
BROWSER = "Mozilla/5.0 (iPhone) Nebula AlipayDefined(nt:WIFI) AliApp(AP/10.5) AlipayClient/10.5"


class LifePhone:
    """One phone. Its verbs return at once; `wait_…` wait, each from where the last one stopped."""

    def __init__(self, base_url: str, *, name: str = "actor") -> None:
        self._api = base_url.rstrip("/") + "/simulator/alipay/api"
        self._base = base_url.rstrip("/")
        self._client = httpx.Client(timeout=40.0, trust_env=False)
        self._browser = httpx.Client(timeout=40.0, trust_env=False, headers={"user-agent": BROWSER})
        self._messages: list[dict[str, Any]] = []
        self._read = 0
        self.openid = str(self._ask("POST", "/phones", json={"name": name})["user_id"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connections."""
        self._browser.close()
        self._client.close()

    def follow(self, scene: str = "") -> None:
        """Follow the account, with a scene by scanning its QR."""
        self._do("follow", scene)

    def unfollow(self) -> None:
        """Stop following."""
        self._do("unfollow")

    def say(self, text: str) -> None:
        """Write a text."""
        self._do("say", text)

    def click(self, key: str) -> None:
        """Tap a menu button."""
        self._do("click", key)

    def enter(self, scene: str = "") -> None:
        """Come into the chat, by scanning a code if there is a scene."""
        self._do("enter", scene)

    def send_photo(self, photo: bytes | Path) -> None:
        """Send a photo."""
        data = photo.read_bytes() if isinstance(photo, Path) else photo
        self._ask("POST", f"{self._path}/image", files={"file": ("photo.jpg", data, "image/jpeg")})

    def open(self, address: str) -> httpx.Response:
        """Open a link in the phone's browser, signing in through OAuth where it is asked to."""
        for _ in range(HOPS):
            if urlsplit(address).path == AUTHORIZE:
                address = f"{address}&sim_user={quote(self.openid)}"
            answer = self._browser.get(address)
            if not answer.has_redirect_location:
                return answer
            address = urljoin(str(answer.url), answer.headers["location"])
        raise NotSeenError(f"more than {HOPS} redirections, the last to {address}")

    @property
    def browser(self) -> httpx.Client:
        """The browser inside the phone."""
        return self._browser

    def wait_for(self, text: str, *, seconds: float = PATIENCE) -> dict[str, Any]:
        """Wait for a message of the account that holds a text.

        Raises:
            NotSeenError: when it does not come.
        """
        return self._wait(lambda message: text in text_of(message), repr(text), seconds)

    def wait_to_see(self, text: str, *, seconds: float = PATIENCE) -> dict[str, Any]:
        """Wait until a text stands anywhere in the chat; the next `wait_for` reads on as before.

        Raises:
            NotSeenError: when it does not come.
        """
        return self._find(lambda message: text in text_of(message), repr(text), seconds, 0)

    def wait_for_photo(self, *, seconds: float = PATIENCE) -> bytes:
        """Wait for an article with a picture, and give the picture's file.

        Raises:
            NotSeenError: when none comes.
        """
        message = self._wait(lambda each: bool(_picture(each)), "a picture", seconds)
        # The address is the platform's own; the file is there as well where we were sent to.
        answer = self._client.get(self._base + urlsplit(_picture(message)).path)
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

    def check_webhook(self) -> str:
        """Have the platform ask whether the webhook is the account's; empty when it proves so."""
        return str(self._ask("POST", "/check")["problem"])

    def transcript(self) -> str:
        """The chat as text."""
        return "\n".join(
            f"{each['side']:>8} {each['kind']}: {json.dumps(each['content'], ensure_ascii=False)}"
            for each in self._messages
        )

    @property
    def _path(self) -> str:
        return f"/phones/{quote(self.openid)}"

    def _wait(
        self, wanted: Callable[[dict[str, Any]], bool], what: str, seconds: float
    ) -> dict[str, Any]:
        message = self._find(wanted, what, seconds, self._read)
        self._read = int(message["id"])
        return message

    def _find(
        self, wanted: Callable[[dict[str, Any]], bool], what: str, seconds: float, after: int
    ) -> dict[str, Any]:
        until = time.monotonic() + seconds
        wait = 0.0
        while True:
            params: dict[str, float] = {"after": len(self._messages), "wait": wait}
            self._messages += self._ask("GET", self._path, params=params)["messages"]
            for message in self._messages[after:]:
                if message["side"] != "person" and wanted(message):
                    return message
            wait = min(until - time.monotonic(), ROUND)
            if wait <= 0:
                raise NotSeenError(f"{what} did not come within {seconds} s:\n{self.transcript()}")

    def _do(self, verb: str, text: str = "") -> None:
        self._ask("POST", f"{self._path}/{verb}", json={"text": text})

    def _ask(self, method: str, path: str, **more: Any) -> Any:
        answer = self._client.request(method, self._api + path, **more)
        if answer.status_code >= 400:
            raise NotSeenError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json()


def _picture(message: dict[str, Any]) -> str:
    articles = message["content"].get("articles") or [{}]
    return str(articles[0].get("image_url", ""))
