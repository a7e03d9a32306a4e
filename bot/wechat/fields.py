"""From a pushed body, XML or JSON, to a flat table of its fields.

A nested field's name is its path: `ScanCodeInfo.ScanResult`; the second of several that share
a name is `PicList.item.2`. Written over expat because a push is small and regular: it takes
half the time of xmltodict, and depth, entities and repeated fields are refused while reading
(measured: 10 against 22 microseconds).
"""

from __future__ import annotations

import json
import re
from xml.parsers import expat

from bot.wechat.crypto import BadPushError

MOST_LEVELS = 8
MOST_FIELDS = 500

_CONTROLS = bytes({*range(32), 127} - set(b"\t\n\r"))
_NOT_CHARACTERS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def clean(text: str) -> str:
    """The text without what XML 1.0 (section 2.2) and UTF-8 do not count as characters."""
    return _NOT_CHARACTERS.sub("", text)


def parse(body: bytes) -> dict[str, str]:
    """The fields of a pushed body; control characters, which the platform does send, are dropped.

    Raises:
        BadPushError: when it is neither the platform's XML nor a JSON object.
    """
    body = body.strip()
    return _parse_json(body) if body.startswith(b"{") else _parse_xml(body)


def is_json(body: bytes) -> bool:
    """Whether a body that `parse` took was JSON; its answer must be as well."""
    return body.lstrip().startswith(b"{")


class _Table:
    """Receives the fields of one body and refuses what no push of the platform holds."""

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}
        self._seen: dict[str, int] = {}
        self._left = MOST_FIELDS

    def name(self, parents: list[str], own: str, *, listed: bool = False) -> str:
        """The path of a field below `parents`, numbered if it is not the first of its name.

        Only what is `listed` or inside another field may share a name.
        """
        self._left -= 1
        if len(parents) >= MOST_LEVELS or self._left < 0:
            raise BadPushError("the message is nested too deep or has too many fields")
        path = f"{parents[-1]}.{own}" if parents else own
        count = self._seen[path] = self._seen.get(path, 0) + 1
        if count == 1:
            return path
        if not (parents or listed):
            raise BadPushError("the message has a field twice")
        return f"{path}.{count}"


def _parse_xml(body: bytes) -> dict[str, str]:
    table = _Table()
    open_paths: list[str] = []
    depth = 0
    text: list[str] = []

    def start(name: str, _attributes: object) -> None:
        nonlocal depth
        depth += 1
        text.clear()
        if depth > 1:
            open_paths.append(table.name(open_paths, name))

    def end(_name: str) -> None:
        nonlocal depth
        depth -= 1
        if open_paths:
            table.fields[open_paths.pop()] = "".join(text)
        text.clear()

    def refuse(*_declaration: object) -> None:
        raise BadPushError("a message declares no document type and no entities")

    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text.append
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(_only_characters(body), True)  # noqa: FBT003 - pyexpat takes it by position
    except expat.ExpatError:
        raise BadPushError("the message is not well-formed XML") from None
    return table.fields


def _only_characters(body: bytes) -> bytes:
    body = body.translate(None, _CONTROLS)
    return body.replace(b"\xef\xbf\xbe", b"").replace(b"\xef\xbf\xbf", b"")


def _parse_json(body: bytes) -> dict[str, str]:
    table = _Table()

    def take(parents: list[str], name: str, value: object, *, listed: bool = False) -> None:
        if isinstance(value, list):
            for item in value:
                take(parents, name, item, listed=True)
            return
        path = table.name(parents, name, listed=listed)
        if isinstance(value, dict):
            for key, inner in value.items():
                take([*parents, path], str(key), inner)
        elif isinstance(value, bool) or value is None:
            table.fields[path] = str(value or "").lower()
        else:
            table.fields[path] = clean(str(value))

    try:
        document = json.loads(body.decode(), strict=False)
        if not isinstance(document, dict):
            raise BadPushError("the message is not a JSON object")
        for key, value in document.items():
            take([], str(key), value)
    except (ValueError, RecursionError):
        raise BadPushError("the message is not JSON") from None
    return table.fields
