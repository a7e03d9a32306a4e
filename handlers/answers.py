"""The handlers of answers: each looks at one turn, checks one thing, and names an outcome."""

from __future__ import annotations

import datetime

from credentials import id_number, names
from credentials.id_number import IdNumberError
from credentials.names import PersonNameError
from handlers.steps import Given, Outcome, outcomes, plain
from handlers.turn import Kind, Turn

CONSENT_VERSION = "2026-11"  # grows with every change of the consents' wording in chat.po
LEAST_AGE = 16
CHINA = datetime.timezone(datetime.timedelta(hours=8))

YES = frozenset({"是", "是的", "对", "好", "好的", "确认", "确定", "yes", "y", "ok", "ya", "1"})
NO = frozenset({"否", "不", "不是", "不对", "不用", "no", "n", "tidak", "2"})
AGREE = frozenset({"同意", "我同意", "都同意", "agree", "i agree", "agreed", "setuju", "12", "1 2"})
AGREE_DATA = frozenset({"1", "同意1", "agree 1", "setuju 1"})
AGREE_FACE = frozenset({"2", "同意2", "agree 2", "setuju 2"})
REFUSE = frozenset(
    {"不同意", "拒绝", "deny", "disagree", "i disagree", "refuse", "no", "tidak setuju", "tidak"}
)
OWN = frozenset({"同意", "agree", "拒绝", "deny"})  # elsewhere these answer a verifier
CARD_READ = ("name", "id_number", "card_face")  # what a photo of the ID card gives
LANGUAGES = {
    "1": "zh_CN", "中文": "zh_CN", "汉语": "zh_CN", "chinese": "zh_CN", "zh": "zh_CN",
    "2": "en", "英文": "en", "英语": "en", "english": "en", "en": "en",
    "3": "id", "印尼文": "id", "印尼语": "id", "bahasa indonesia": "id", "bahasa": "id",
    "indonesia": "id", "indonesian": "id", "id": "id",
}  # fmt: skip


@outcomes("chatted")
def small_talk(turn: Turn, given: Given) -> Outcome:
    """Whatever is said by somebody who was not asked anything."""
    del turn, given
    return Outcome("chatted")


@outcomes("again")
def anything(turn: Turn, given: Given) -> Outcome:
    """Any message means: try once more."""
    del turn, given
    return Outcome("again")


@outcomes("both", "only_data", "only_face", "refused", "unclear")
def consents(turn: Turn, given: Given) -> Outcome:
    """The two consents: personal data, and the face; each is recorded on its own."""
    del given
    answer = plain(turn.text)
    if answer in AGREE:
        return Outcome("both", {"consents": [_consent("data", turn), _consent("face", turn)]})
    if answer in AGREE_DATA:
        return Outcome("only_data", {"consents": [_consent("data", turn)]})
    if answer in AGREE_FACE:
        return Outcome("only_face")
    return Outcome("refused" if answer in REFUSE else "unclear")


@outcomes("agreed", "refused", "unclear")
def face_consent(turn: Turn, given: Given) -> Outcome:
    """The consent to the face check, from somebody who gave only the first before.

    A 1 was the answer for "the first only", so it is none here.
    """
    answer = plain(turn.text)
    if answer in (AGREE | AGREE_FACE | YES) - AGREE_DATA:
        kept = given.get("consents")
        earlier = kept if isinstance(kept, list) else []
        return Outcome("agreed", {"consents": [*earlier, _consent("face", turn)]})
    return Outcome("refused" if answer in REFUSE | NO else "unclear")


@outcomes("named", "card_photo", "empty", "too_long", "characters", "number")
def name(turn: Turn, given: Given) -> Outcome:
    """The person's name as on the ID card, or a photo of the card."""
    del given
    if turn.kind is Kind.IMAGE:
        return Outcome("card_photo", {"card_photo": turn.media_id})
    try:
        return Outcome("named", {"name": names.parse(turn.text)})
    except PersonNameError as error:
        if id_number.normalise(turn.text)[:17].isdigit():
            return Outcome("number")
        return Outcome(error.code, values=error.details)


@outcomes(
    "valid", "length", "old_number", "character", "impossible", "future", "too_early", "checksum",
    "too_young",
)  # fmt: skip
def number(turn: Turn, given: Given) -> Outcome:
    """The ID number: its form, its date, its check character, and the age it tells."""
    del given
    today = datetime.datetime.fromtimestamp(turn.at, CHINA).date()
    try:
        parsed = id_number.parse(turn.text, today=today)
    except IdNumberError as error:
        code = str(error.details["reason"]) if error.code == "date" else error.code
        return Outcome(code, values=error.details)
    if parsed.age_on(today) < LEAST_AGE:
        return Outcome("too_young", values={"age": LEAST_AGE})
    return Outcome("valid", {"id_number": parsed.value})


@outcomes("photo", "text", "video")
def selfie(turn: Turn, given: Given) -> Outcome:
    """One photo of the person's face."""
    del given
    if turn.kind is Kind.IMAGE:
        return Outcome("photo", {"photo": turn.media_id})
    return Outcome("video" if turn.kind is Kind.VIDEO else "text")


@outcomes("next", "complete", "late", "text")
def gesture(turn: Turn, given: Given) -> Outcome:
    """The photo of the gesture that was asked for, or one video of them all."""
    asked, frames = _strings(given, "gestures"), _strings(given, "frames")
    if turn.at > float(str(given.get("until", 0))):
        return Outcome("late")
    if turn.kind is Kind.VIDEO:
        return Outcome("complete", {"video": turn.media_id, "frames": []})
    if turn.kind is not Kind.IMAGE:
        return Outcome("text")
    frames = [*frames, turn.media_id]
    if len(frames) < len(asked):
        shown = shown_gesture(asked, len(frames), str(given.get("link", "")))
        return Outcome("next", {"frames": frames, "shown": shown})
    return Outcome("complete", {"frames": frames, "video": None})


@outcomes("yes", "no", "unclear")
def yes_or_no(turn: Turn, given: Given) -> Outcome:
    """是 or 否."""
    del given
    answer = plain(turn.text)
    if answer in YES:
        return Outcome("yes")
    return Outcome("no" if answer in NO else "unclear")


@outcomes("yes", "no", "unclear")
def confirms_card(turn: Turn, given: Given) -> Outcome:
    """Whether what was read of the ID card is right; what was only shown is forgotten either way.

    After a no nothing of that card counts: it may be somebody else's, and its portrait must not
    speak against whoever types their name now.
    """
    outcome = yes_or_no(turn, given)
    if outcome.name == "unclear":
        return outcome
    wrong = CARD_READ if outcome.name == "no" else ()
    return Outcome(outcome.name, dict.fromkeys(("shown", *wrong)))


@outcomes("chosen", "unclear")
def language(turn: Turn, given: Given) -> Outcome:
    """One of the languages, by its number or its name."""
    del given
    chosen = LANGUAGES.get(plain(turn.text))
    return Outcome("chosen", notes={"language": chosen}) if chosen else Outcome("unclear")


def shown_gesture(gestures: list[str], place: int, link: str) -> dict[str, object]:
    """What the question of a challenge shows: which gesture, how many of how many, the page."""
    asked = gestures[place]
    word = {"word": f"chat.gesture.{asked}"}
    shown: dict[str, object] = {"gesture": word, "place": place + 1, "all": len(gestures)}
    return {**shown, "link": link, "picture": asked}


def _consent(kind: str, turn: Turn) -> dict[str, object]:
    return {"kind": kind, "version": CONSENT_VERSION, "at": turn.at}


def _strings(given: Given, key: str) -> list[str]:
    value = given.get(key)
    return [str(part) for part in value] if isinstance(value, list) else []
