"""The account's menu: a button for each of the six words, in each person's language.

The platform shows three buttons, each with up to five below it. What people need with a queue
behind them, the card, is one tap away; the rest is two.
"""

from __future__ import annotations

from typing import Any

from bot.wechat.client import Api
from texts import DEFAULT_LANGUAGE, LANGUAGES, Texts

MOST_BUTTON_BYTES = 16
MOST_INNER_BUTTON_BYTES = 60

# A button is a key, or a name with the keys below it.
BUTTONS: tuple[str | tuple[str, tuple[str, ...]], ...] = (
    "CARD",
    ("start", ("APPLY", "UPGRADE")),
    ("more", ("HISTORY", "FREEZE", "HELP")),
)
# The platform's names of the languages, for menus that only their speakers see.
_PLATFORM_LANGUAGES = {"zh_CN": "zh_CN", "en": "en", "id": "id"}


def menu(texts: Texts, language: str) -> dict[str, Any]:
    """The menu in one language, as `/cgi-bin/menu/create` takes it."""

    def click(key: str) -> dict[str, Any]:
        name = texts.say(language, f"menu.{key.lower()}")
        return {"type": "click", "name": name, "key": key}

    buttons = []
    for button in BUTTONS:
        if isinstance(button, str):
            buttons.append(click(button))
        else:
            name, keys = button
            below = [click(key) for key in keys]
            buttons.append({"name": texts.say(language, f"menu.{name}"), "sub_button": below})
    return {"button": buttons}


def publish(api: Api, texts: Texts) -> None:
    """Replace the account's menus: the default one, and one for each other language.

    Raises:
        PlatformUnavailableError: when the platform cannot be asked; nothing may have changed.
        RefusedError: when it refuses, as an account without menus does (48001).
    """
    api.post("/cgi-bin/menu/create", menu(texts, DEFAULT_LANGUAGE))  # also removes the others
    for language in LANGUAGES:
        if language != DEFAULT_LANGUAGE:
            rule = {"matchrule": {"language": _PLATFORM_LANGUAGES[language]}}
            api.post("/cgi-bin/menu/addconditional", menu(texts, language) | rule)
