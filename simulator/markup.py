"""The platform's XML: one flat or nested `<xml>` element, texts in CDATA."""

from __future__ import annotations

from collections.abc import Mapping
from xml.etree.ElementTree import Element, ParseError

from defusedxml import ElementTree as SafeTree
from defusedxml.common import DefusedXmlException

Fields = Mapping[str, object]


class MarkupError(Exception):
    """What should have been the platform's XML is not."""


def write(fields: Fields, root: str = "xml") -> str:
    """Write fields as the platform does; a mapping nests, numbers stand bare, `]]>` is split."""
    return f"<{root}>{_inside(fields)}</{root}>"


def _inside(fields: Fields) -> str:
    return "".join(_element(name, value) for name, value in fields.items())


def _element(name: str, value: object) -> str:
    if isinstance(value, Mapping):
        return write(value, name)
    if isinstance(value, list | tuple):
        return "".join(_element(name, each) for each in value)
    if isinstance(value, int | float):
        return f"<{name}>{value}</{name}>"
    text = str(value).replace("]]>", "]]]]><![CDATA[>")
    return f"<{name}><![CDATA[{text}]]></{name}>"


def read(text: str | bytes) -> dict[str, object]:
    """Read an `<xml>` element: texts as str, nested elements as dicts, repeated ones as lists.

    Raises:
        MarkupError: when it is not XML, declares entities, or has another root.
    """
    try:
        root: Element = SafeTree.fromstring(text, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise MarkupError(f"not XML: {error}") from error
    if root.tag != "xml":
        raise MarkupError(f"the root is <{root.tag}>, not <xml>")
    found = _fields(root)
    return found if isinstance(found, dict) else {}


def _fields(element: Element) -> dict[str, object] | str:
    if not len(element):
        return element.text or ""
    found: dict[str, object] = {}
    for child in element:
        value = _fields(child)
        if child.tag in found:
            before = found[child.tag]
            found[child.tag] = [*before, value] if isinstance(before, list) else [before, value]
        else:
            found[child.tag] = value
    return found
