"""The account's menu: one for everybody, and conditional ones by language."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from simulator.platform.errors import ApiError
from simulator.platform.people import Person
from simulator.platform.world import World

KEY_TYPES = {
    "click",
    "scancode_push",
    "scancode_waitmsg",
    "pic_sysphoto",
    "pic_photo_or_album",
    "pic_weixin",
    "location_select",
}
MEDIA_TYPES = {"media_id", "article_id", "article_view_limited", "view_limited"}


class Menus:
    """What the bar under a chat shows."""

    def __init__(self, world: World) -> None:
        self._world = world
        kept = world.shelf.get("menu", "all") or {"button": [], "conditional": []}
        self._button: list[dict[str, Any]] = kept["button"]
        self._conditional: list[dict[str, Any]] = kept["conditional"]
        numbers = [each["menuid"] for each in self._conditional]
        self._ids = itertools.count(max(numbers, default=400_000_000) + 1)

    def create(self, body: Mapping[str, Any]) -> None:
        """Set the menu for everybody.

        Raises:
            ApiError: 40016 to 40027.
        """
        self._button = _checked(body.get("button"))
        self._keep()

    def add_conditional(self, body: Mapping[str, Any]) -> str:
        """Add a menu for those whom a rule matches, and give its menuid.

        Raises:
            ApiError: 65303 without a menu for everybody, 65305 without a rule.
        """
        if not self._button:
            raise ApiError(65303)
        rule = body.get("matchrule")
        if not isinstance(rule, dict) or not any(rule.values()):
            raise ApiError(65305)
        number = next(self._ids)
        self._conditional.append(
            {"button": _checked(body.get("button")), "matchrule": rule, "menuid": number}
        )
        self._keep()
        return str(number)

    def remove_conditional(self, menu_id: str) -> None:
        """Remove one conditional menu.

        Raises:
            ApiError: 65301.
        """
        kept = [each for each in self._conditional if str(each["menuid"]) != menu_id]
        if len(kept) == len(self._conditional):
            raise ApiError(65301)
        self._conditional = kept
        self._keep()

    def delete(self) -> None:
        """Remove all menus."""
        self._button, self._conditional = [], []
        self._keep()

    def get(self) -> dict[str, Any]:
        """All menus, as the API shows them.

        Raises:
            ApiError: 46003 when there is none.
        """
        if not self._button:
            raise ApiError(46003)
        found: dict[str, Any] = {"menu": {"button": self._button}}
        if self._conditional:
            found["conditionalmenu"] = self._conditional
        return found

    def of(self, person: Person) -> list[dict[str, Any]]:
        """The buttons that a person sees: of the newest rule that matches them."""
        for menu in reversed(self._conditional):
            language = menu["matchrule"].get("language")
            if language in {None, "", person.language}:
                found: list[dict[str, Any]] = menu["button"]
                return found
        return self._button

    def _keep(self) -> None:
        self._world.shelf.put(
            "menu", "all", {"button": self._button, "conditional": self._conditional}
        )
        self._world.touch()


def _checked(buttons: object) -> list[dict[str, Any]]:
    if not isinstance(buttons, list) or not 1 <= len(buttons) <= 3:
        raise ApiError(40016)
    for button in buttons:
        if not isinstance(button, dict):
            raise ApiError(40016)
        _check_name(button, 16, 40018)
        children = button.get("sub_button")
        if children:
            if not isinstance(children, list) or len(children) > 5:
                raise ApiError(40023)
            for child in children:
                if not isinstance(child, dict) or child.get("sub_button"):
                    raise ApiError(40023)
                _check_name(child, 60, 40025)
                _check_action(child, 40024, 40026, 40027)
        else:
            _check_action(button, 40017, 40019, 40020)
    return buttons


def _check_name(button: Mapping[str, Any], limit: int, code: int) -> None:
    if not 1 <= len(str(button.get("name", "")).encode()) <= limit:
        raise ApiError(code)


def _check_action(button: Mapping[str, Any], type_: int, key: int, url: int) -> None:
    kind = button.get("type")
    if kind in KEY_TYPES:
        if not 1 <= len(str(button.get("key", "")).encode()) <= 128:
            raise ApiError(key)
    elif kind in {"view", "miniprogram"}:
        address = str(button.get("url", ""))
        if not 1 <= len(address.encode()) <= 1024 or not address.startswith(
            ("http://", "https://")
        ):
            raise ApiError(url)
    elif kind not in MEDIA_TYPES:
        raise ApiError(type_)
