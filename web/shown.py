"""What pages show of verifications and cards: words in the reader's language, times in China's.

Values come as they are; templates and scripts put them in as text, never as markup.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterable, Mapping

from credentials.approvals import WAIT_SECONDS
from credentials.model import State, Use, Verification
from credentials.verification import Scan
from texts import Texts

CHINA = datetime.timezone(datetime.timedelta(hours=8))
NO_ANSWER = "no_answer"
Json = dict[str, object]


def clock(seconds: float) -> str:
    """A moment as China reads it: the time today, with the day before that."""
    then = datetime.datetime.fromtimestamp(seconds, CHINA)
    today = datetime.datetime.now(CHINA).date()
    return then.strftime("%H:%M:%S" if then.date() == today else "%Y-%m-%d %H:%M:%S")


def verification(found: Verification, texts: Texts, language: str) -> Json:
    """A scan as the desk's screen shows it.

    `fields` are in the purpose's order; `wait_s` is how long the holder has, by Redis's clock.
    """
    body: Json = {
        "verification_id": found.verification_id,
        "state": found.state.value,
        "level": found.level.value,
        "purpose_label": texts.say(language, f"purpose.{found.purpose}"),
        "time": clock(found.verified_at),
        "fields": [
            _field(name, value, texts, language)
            for name, value in found.attributes.items()
            if name != "portrait"
        ],
        "portrait": found.attributes.get("portrait"),
    }
    if found.number is not None and found.expires_at is not None:
        body["number"] = found.number
        body["wait_s"] = round(max(0.0, found.expires_at - found.verified_at), 1)
    if found.state is State.DENIED:
        body["refusal"] = refusal("denied", texts, language)
    return body


def refusal(code: str, texts: Texts, language: str) -> Json:
    """A refusal as the desk's screen shows it: why, what to say, what to do next."""
    return {
        "code": code,
        **{
            part: texts.say(language, f"desk.refused.{code}.{part}")
            for part in ("reason", "say", "do")
        },
    }


def today(scans: Iterable[Scan], desk: str, texts: Texts, language: str) -> list[Json]:
    """Today's scans of one desk, newest first."""
    day = datetime.datetime.now(CHINA).date()
    return [
        {
            "time": datetime.datetime.fromtimestamp(scan.at, CHINA).strftime("%H:%M"),
            "purpose": texts.say(language, f"purpose.{scan.purpose}"),
            "state": _state(scan),
            "word": texts.say(language, f"desk.today.{_state(scan)}"),
        }
        for scan in scans
        if scan.desk == desk and datetime.datetime.fromtimestamp(scan.at, CHINA).date() == day
    ]


def recent(scans: Iterable[Scan], texts: Texts, language: str) -> list[Json]:
    """Scans of anybody, as the console lists them."""
    return [
        {
            "at": scan.at,
            "verifier": scan.verifier,
            "verifier_id": scan.verifier_id,
            "desk": scan.desk,
            "purpose_name": scan.purpose,
            "purpose": texts.say(language, f"purpose.{scan.purpose}"),
            "level": scan.level.value,
            "state": _state(scan),
            "credential_id": scan.credential_id,
        }
        for scan in scans
    ]


def history(uses: Iterable[Use], texts: Texts, language: str) -> list[Json]:
    """What happened to a card, as the console lists it."""
    return [
        {
            "at": use.at,
            "event": event(use, texts, language),
            "who": " · ".join(filter(None, (use.verifier, use.desk))) or by(use, texts, language),
            "detail": _detail(use, texts, language),
        }
        for use in uses
    ]


def event(use: Use, texts: Texts, language: str) -> str:
    """What a log's entry records, in words."""
    return _known(texts, language, "event.", use.kind)


def by(use: Use, texts: Texts, language: str) -> str:
    """Who did what a log's entry records."""
    kind, _, name = use.detail.get("by", "").partition(":")
    return " ".join(filter(None, (_known(texts, language, "console.by.", kind), name)))


def _detail(use: Use, texts: Texts, language: str) -> str:
    told = [_known(texts, language, "attribute.", name) for name in use.fields]
    purpose = _known(texts, language, "purpose.", use.purpose) if use.purpose else ""
    return " · ".join(filter(None, (purpose, ", ".join(told), use.detail.get("reason", ""))))


def _field(name: str, value: object, texts: Texts, language: str) -> Mapping[str, object]:
    shown = str(value)
    if isinstance(value, bool):
        shown = texts.say(language, "attribute.yes" if value else "attribute.no")
    elif name == "sex":
        shown = _known(texts, language, "attribute.sex.", shown)
    elif name == "valid_until" and shown == "long-term":
        shown = texts.say(language, "attribute.long_term")
    return {
        "name": name,
        "label": texts.say(language, f"attribute.{name}"),
        "value": shown,
        "warn": value is False,
    }


def _state(scan: Scan) -> str:
    """The state; a scan whose guest let the time pass is still noted as waiting."""
    late = scan.state is State.AWAITING_HOLDER and time.time() > scan.at + WAIT_SECONDS
    return NO_ANSWER if late else scan.state.value


def _known(texts: Texts, language: str, stem: str, name: str) -> str:
    return texts.say(language, stem + name) if stem + name in texts else name
