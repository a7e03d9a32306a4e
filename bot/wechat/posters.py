"""Scene codes: a scan of one tells the account which poster, or which terminal, it was."""

from __future__ import annotations

import re

from bot.wechat.client import Api, RefusedError

LONGEST_SCENE = 64
_SCENE = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


def make(api: Api, scene: str) -> str:
    """The address that a poster's QR says; the platform keeps it for good.

    Raises:
        ValueError: when the scene is not 1 to 64 letters, digits, dots and dashes.
        PlatformUnavailableError: when the platform cannot be asked.
        RefusedError: when it refuses, or gives no address.
    """
    if not _SCENE.fullmatch(scene):
        raise ValueError(f"{scene!r} is no scene: 1 to {LONGEST_SCENE} of A-Z a-z 0-9 . _ -")
    asked = {"action_name": "QR_LIMIT_STR_SCENE", "action_info": {"scene": {"scene_str": scene}}}
    address = api.post("/cgi-bin/qrcode/create", asked).get("url")
    if not isinstance(address, str) or not address:
        raise RefusedError(0, "the platform gave no address for the code")
    return address
