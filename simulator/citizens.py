"""The made-up people of a demo, kept by somebody else behind an address.

GET answers `[{"name", "id_number", "photo_url", "selfie_url"?, "gestures"?}]`, and a gesture of
these is asked for as `<photo_url>?gesture=<name>`. POST of a form with the file `photo` answers
the `{"name", "id_number"}` of a new person with that portrait. The address and its key stay in
this process; a browser sees pictures only through it.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urljoin

import httpx

TIMEOUT = 60.0  # a new citizen's portrait is measured first


class CitizensError(Exception):
    """The citizens' address does not answer, or refuses; the text says what it said."""


class Citizens:
    """Asks the address that the simulator was given at its start."""

    def __init__(self, url: str, key: str) -> None:
        self._url = url
        headers = {"authorization": f"Bearer {key}"} if key else {}
        self._client = httpx.Client(timeout=TIMEOUT, headers=headers, trust_env=False)

    @property
    def available(self) -> bool:
        """Whether an address was given."""
        return bool(self._url)

    def all(self) -> list[dict[str, Any]]:
        """Everybody, as the address lists them.

        Raises:
            CitizensError: when it does not.
        """
        if not self._url:
            return []
        found = self._json("GET")
        if not isinstance(found, list):
            raise CitizensError("the citizens' address did not answer with a list")
        return [each for each in found if isinstance(each, dict)]

    def photo(self, place: int, *, selfie: bool = False, gesture: str = "") -> tuple[bytes, str]:
        """The portrait of one of them, or another photo of the same person where there is one.

        With a gesture it is a photo of the person making it.

        Raises:
            CitizensError: when there is none.
        """
        people = self.all()
        if not 0 <= place < len(people):
            raise CitizensError("there is no such person")
        person = people[place]
        address = (person.get("selfie_url") if selfie else "") or person.get("photo_url")
        if not isinstance(address, str) or not address:
            raise CitizensError("this person has no photo")
        if gesture:
            if gesture not in (person.get("gestures") or ()):
                raise CitizensError("this person has no photo with this gesture")
            address += f"?gesture={gesture}"
        answer = self._ask("GET", urljoin(self._url, address))
        return answer.content, answer.headers.get("content-type", "image/jpeg")

    def add(self, photo: bytes, content_type: str) -> dict[str, Any]:
        """Make up a person with this portrait.

        Raises:
            CitizensError: when the photo is refused.
        """
        if not self._url:
            raise CitizensError("this simulator was started without made-up citizens")
        found = self._json("POST", files={"photo": ("photo", photo, content_type)})
        if not isinstance(found, dict) or not {"name", "id_number"} <= found.keys():
            raise CitizensError("the citizens' address did not answer with a person")
        return {"name": found["name"], "id_number": found["id_number"]}

    def close(self) -> None:
        """End the connections."""
        self._client.close()

    def _json(self, method: str, files: dict[str, tuple[str, bytes, str]] | None = None) -> object:
        answer = self._ask(method, self._url, files)
        try:
            found: object = answer.json()
        except ValueError as error:
            raise CitizensError("the citizens' address did not answer with JSON") from error
        return found

    def _ask(
        self, method: str, url: str, files: dict[str, tuple[str, bytes, str]] | None = None
    ) -> httpx.Response:
        try:
            answer = self._client.request(method, url, files=files)
        except httpx.HTTPError as error:
            raise CitizensError(f"{type(error).__name__}: {error}") from error
        if answer.status_code >= 400:
            raise CitizensError(_said(answer))
        return answer


def _said(answer: httpx.Response) -> str:
    """The sentence in a refusal: problem+json's detail, or the first line of the text."""
    try:
        body = answer.json()
    except ValueError:
        body = None
    if isinstance(body, dict):
        for name in ("detail", "error", "title"):
            if isinstance(body.get(name), str):
                return str(body[name])
    return answer.text.strip().partition("\n")[0][:200] or f"status {answer.status_code}"
