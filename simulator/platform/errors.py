"""The platform's error numbers and sentences, as its API answers them."""

from __future__ import annotations

SENTENCES = {
    -1: "system error",
    0: "ok",
    40001: "invalid credential, access_token is invalid or not latest",
    40002: "invalid grant_type",
    40003: "invalid openid",
    40004: "invalid media type",
    40005: "invalid file type",
    40006: "invalid meida size",
    40007: "invalid media_id",
    40008: "invalid message type",
    40009: "invalid image size",
    40010: "invalid voice size",
    40011: "invalid video size",
    40012: "invalid thumb size",
    40013: "invalid appid",
    40014: "invalid access_token",
    40015: "invalid menu type",
    40016: "invalid button size",
    40017: "invalid button type",
    40018: "invalid button name size",
    40019: "invalid button key size",
    40020: "invalid button url size",
    40023: "invalid sub button size",
    40024: "invalid sub button type",
    40025: "invalid sub button name size",
    40026: "invalid sub button key size",
    40027: "invalid sub button url size",
    40029: "invalid code",
    40033: "invalid charset",
    40035: "invalid parameter",
    40037: "invalid template_id",
    40053: "invalid action info",
    40054: "invalid sub button url domain",
    40063: "some parameters are empty",
    40066: "invalid url",
    40097: "invalid args",
    40125: "invalid appsecret",
    40129: "invalid scene",
    40163: "code been used",
    40164: "invalid ip, not in whitelist",
    41001: "access_token missing",
    41002: "appid missing",
    41004: "appsecret missing",
    41005: "media data missing",
    41006: "media_id missing",
    41008: "missing code",
    41030: "invalid page",
    42001: "access_token expired",
    43002: "require POST method",
    43004: "require subscribe",
    43101: "user refuse to accept the msg",
    44002: "empty post data",
    44004: "empty content",
    45002: "content size out of limit",
    45007: "playtime out of limit",
    45008: "article size out of limit",
    45009: "reach max api daily quota limit",
    45011: "api minute-quota reach limit, must slower, retry next minute",
    45015: "response out of time limit or subscription is canceled",
    45047: "out of response count limit",
    45072: "command is invalid",
    45080: "a message of the user within 30 seconds is needed before typing",
    45081: "already typing",
    46003: "menu no exist",
    47001: "data format error",
    48001: "api unauthorized",
    65301: "conditional menu not found",
    65303: "there is no selfmenu, please create selfmenu first",
    65305: "empty matchrule",
    65307: "no matching conditional menu",
    89503: "this ip needs the administrator's consent",
    90001: "invalid parameter",
    90002: "invalid json string",
}


class ApiError(Exception):
    """What an endpoint refuses with; answered as `{"errcode", "errmsg"}`, status 200."""

    def __init__(self, code: int, hint: str = "") -> None:
        self.code = code
        self.sentence = SENTENCES.get(code, "unknown error") + (f" ({hint})" if hint else "")
        super().__init__(f"{code}: {self.sentence}")

    def body(self) -> dict[str, object]:
        """The JSON of the answer."""
        return {"errcode": self.code, "errmsg": self.sentence}
