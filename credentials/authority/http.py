"""The population registry over HTTPS: one question, one JSON answer.

    POST <AUTHORITY_URL>/check
    Authorization: Bearer <AUTHORITY_KEY>
    {"name": "张三", "id_number": "11010519491231002X"}

    200 {"result": "match", "person": {"name", "id_number", "residence": "440115", "address",
         "valid_until": "2036-12-31" or null, "portrait": base64 of a JPEG or PNG}}
    200 {"result": "not_registered"}
    200 {"result": "name_mismatch"}
    200 {"result": "ended", "reason": "died" or "cancelled"}

Everything else (another status, a redirect, a person who was not asked for, an answer that is
late or too large) is `UnavailableError`: the question may be asked again, and nobody is passed.
"""

from __future__ import annotations

import datetime
import time
from typing import Annotated, Literal

import httpx
from pydantic import Base64Bytes, BaseModel, Field, TypeAdapter, ValidationError

from credentials import names
from credentials.authority.base import (
    Ending,
    NameMismatchError,
    NotRegisteredError,
    PersonEndedError,
)
from credentials.errors import UnavailableError, UnusableError
from credentials.model import Person

CONNECT_SECONDS = 2.0
WHOLE_SECONDS = 6.0
LARGEST_ANSWER = 4 * 1024 * 1024
_PICTURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")


class _Registered(BaseModel):
    name: str = Field(min_length=1, max_length=100)
    id_number: str
    residence: str = Field(pattern=r"^[0-9]{6}$")
    address: str = Field(max_length=400)
    valid_until: datetime.date | None
    portrait: Base64Bytes


class _Match(BaseModel):
    result: Literal["match"]
    person: _Registered


class _No(BaseModel):
    result: Literal["not_registered", "name_mismatch"]


class _Ended(BaseModel):
    result: Literal["ended"]
    reason: Ending


_ANSWER: TypeAdapter[_Match | _No | _Ended] = TypeAdapter(
    Annotated[_Match | _No | _Ended, Field(discriminator="result")]
)


class HttpAuthority:
    """An `Authority` behind an address; may be used by several threads.

    Environment proxies are ignored: the registry is reached over a line of its own.
    """

    def __init__(self, url: str, key: str, *, whole_seconds: float = WHOLE_SECONDS) -> None:
        self._url = url.rstrip("/") + "/check"
        self._whole_seconds = whole_seconds
        self._client = httpx.Client(
            headers={
                "Authorization": f"Bearer {key}",
                "Accept": "application/json",
                "Accept-Encoding": "identity",
            },
            timeout=httpx.Timeout(whole_seconds, connect=min(CONNECT_SECONDS, whole_seconds)),
            limits=httpx.Limits(max_connections=20, max_keepalive_connections=5),
            follow_redirects=False,
            trust_env=False,
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def check(self, name: str, id_number: str) -> Person:
        """Who is registered under this name and ID number; see `Authority.check`."""
        try:
            answer = _ANSWER.validate_json(self._ask({"name": name, "id_number": id_number}))
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise UnavailableError(what="authority", why=type(error).__name__) from error
        except ValidationError:
            # Without the cause: its text repeats the answer, with a person's data in it.
            raise UnavailableError(what="authority", why="answer") from None
        if isinstance(answer, _No):
            raise NotRegisteredError if answer.result == "not_registered" else NameMismatchError
        if isinstance(answer, _Ended):
            raise PersonEndedError(reason=answer.reason)
        return _trusted(answer.person, name, id_number)

    def _ask(self, question: dict[str, str]) -> bytes:
        deadline = time.monotonic() + self._whole_seconds
        with self._client.stream("POST", self._url, json=question) as response:
            if response.status_code != httpx.codes.OK:
                raise UnavailableError(what="authority", why=f"status {response.status_code}")
            body = bytearray()
            for part in response.iter_raw():  # never unpacked: a small answer stays small
                body += part
                if len(body) > LARGEST_ANSWER:
                    raise UnavailableError(what="authority", why="too large")
                if time.monotonic() > deadline:
                    raise UnavailableError(what="authority", why="too slow")
        return bytes(body)


def _trusted(person: _Registered, name: str, id_number: str) -> Person:
    if person.id_number != id_number or not names.same(person.name, name):
        raise UnusableError(what="authority", why="another person")
    if not person.portrait.startswith(_PICTURES):
        raise UnusableError(what="authority", why="portrait")
    return Person(
        name=person.name,
        id_number=person.id_number,
        residence=person.residence,
        address=person.address,
        valid_until=person.valid_until,
        portrait=person.portrait,
    )
