"""Every sentence that a person reads, in each language, from gettext catalogues.

A catalogue is `texts/<language>/<domain>.po`; a message's id is a key such as
`chat.name.ask`, whose first part is the domain's name. zh_CN is the source: a key missing
from another language falls back to it, and a key missing from zh_CN is an error at start-up
for the dialog and a KeyError elsewhere. Placeholders are `{named}`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from babel.messages.pofile import read_po

DEFAULT_LANGUAGE = "zh_CN"
LANGUAGES = {"zh_CN": "中文", "en": "English", "id": "Bahasa Indonesia"}


class Texts:
    """The catalogues of one folder, read once.

    Raises:
        KeyError: when a key that no language has is asked for.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._messages = {
            language: dict(_read(folder or Path(__file__).parent, language))
            for language in LANGUAGES
        }

    def __contains__(self, key: str) -> bool:
        return key in self._messages[DEFAULT_LANGUAGE]

    def known(self, language: str = DEFAULT_LANGUAGE) -> frozenset[str]:
        """The keys that a language's catalogues translate."""
        return frozenset(self._messages[language])

    def say(self, language: str, key: str, /, **values: object) -> str:
        """The sentence of `key` in `language`, its `{placeholders}` filled in."""
        messages = self._messages.get(language, self._messages[DEFAULT_LANGUAGE])
        template = messages.get(key) or self._messages[DEFAULT_LANGUAGE][key]
        return template.format_map(values) if values else template


def closest_language(wanted: str) -> str:
    """The language here that a tag such as `zh-CN`, `en_GB` or `id` asks for, or the default."""
    primary = wanted.replace("-", "_").split("_")[0].lower()
    return {"zh": "zh_CN", "en": "en", "id": "id", "in": "id"}.get(primary, DEFAULT_LANGUAGE)


def negotiate(accept_language: str) -> str:
    """The language here that an Accept-Language header (RFC 9110, 12.5.4) prefers."""
    ranked = []
    for place, part in enumerate(accept_language.split(",")):
        tag, _, weight = part.strip().partition(";q=")
        try:
            ranked.append((-float(weight or 1), place, tag))
        except ValueError:
            continue
    for _, _, tag in sorted(ranked):
        if tag.split("-")[0].lower() in {"zh", "en", "id", "in"}:
            return closest_language(tag)
    return DEFAULT_LANGUAGE


def _read(folder: Path, language: str) -> Iterator[tuple[str, str]]:
    for path in sorted((folder / language).glob("*.po")):
        with path.open("rb") as file:
            catalogue = read_po(file, locale=language, domain=path.stem)
        for message in catalogue:
            if isinstance(message.id, str) and message.id and isinstance(message.string, str):
                yield message.id, message.string
