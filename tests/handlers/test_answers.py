from __future__ import annotations

import calendar
from typing import ClassVar

import pytest

from credentials.model import Holder
from handlers import answers
from handlers.steps import Given
from handlers.turn import Kind, Turn
from tests.credentials.issuer import id_number

NOW = calendar.timegm((2026, 11, 23, 4, 0, 0))
HOLDER = Holder("wechat", "oPhone")


def turn(text: str = "", kind: Kind = Kind.TEXT, media_id: str = "", at: float = NOW) -> Turn:
    return Turn(HOLDER, kind, text, media_id, at)


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ("同意", "both"),
        ("AGREE", "both"),
        (" 我同意。", "both"),
        ("1", "only_data"),
        ("１", "only_data"),
        ("2", "only_face"),
        ("不同意", "refused"),
        ("no", "refused"),
        ("", "unclear"),
        ("同意吗", "unclear"),
        ("disagree agree", "unclear"),
        ("3", "unclear"),
    ],
)
def test_consents(said: str, outcome: str) -> None:
    assert answers.consents(turn(said), {}).name == outcome


def test_consents_have_version_and_time() -> None:
    kept = answers.consents(turn("同意"), {}).given["consents"]
    version = answers.CONSENT_VERSION
    assert kept == [
        {"kind": "data", "version": version, "at": NOW},
        {"kind": "face", "version": version, "at": NOW},
    ]


def test_the_face_consent_joins_the_first() -> None:
    earlier = answers.consents(turn("1"), {}).given
    kept = answers.face_consent(turn("同意"), earlier).given["consents"]
    assert isinstance(kept, list)
    assert [each["kind"] for each in kept] == ["data", "face"]


@pytest.mark.parametrize("said", ["2", "好", "agree"])
def test_the_face_consent_is_given(said: str) -> None:
    assert answers.face_consent(turn(said), {}).name == "agreed"


@pytest.mark.parametrize("said", ["1", "１", "同意1", "agree 1"])
def test_the_first_consent_is_not_that_to_the_face(said: str) -> None:
    assert answers.face_consent(turn(said), {}).name == "unclear"


@pytest.mark.parametrize("said", ["不同意", "no", "否"])
def test_the_face_consent_is_refused(said: str) -> None:
    assert answers.face_consent(turn(said), {}).name == "refused"


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ("王小明", "named"),
        ("阿迪力•买买提", "named"),
        ("𠮷田", "named"),
        ("", "empty"),
        ("   ", "empty"),
        ("王" * 21, "too_long"),
        ("王1明", "characters"),
        ("440115199003070011", "number"),
        ("44011519900307001x", "number"),
    ],
)
def test_name(said: str, outcome: str) -> None:
    assert answers.name(turn(said), {}).name == outcome


def test_a_name_is_kept_as_the_registry_writes_it() -> None:
    assert answers.name(turn(" 阿迪力•买买提 "), {}).given == {"name": "阿迪力·买买提"}


def test_a_photo_of_the_card_is_kept() -> None:
    outcome = answers.name(turn(kind=Kind.IMAGE, media_id="M1"), {})
    assert (outcome.name, outcome.given) == ("card_photo", {"card_photo": "M1"})


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        (id_number(), "valid"),
        (id_number().lower(), "valid"),
        ("44011519900307001", "length"),
        ("你好", "length"),
        ("440115900307001", "old_number"),
        ("44011519900307O011", "character"),
        ("440115199013070011", "impossible"),
        (id_number(birth="20261124"), "future"),
        ("440115170003070011", "too_early"),
        (id_number()[:-1] + ("0" if id_number()[-1] != "0" else "1"), "checksum"),
        (id_number(birth="20101124"), "too_young"),
        (id_number(birth="20101123"), "valid"),
    ],
)
def test_number(said: str, outcome: str) -> None:
    assert answers.number(turn(said), {}).name == outcome


@pytest.mark.parametrize(
    ("kind", "outcome"), [(Kind.IMAGE, "photo"), (Kind.TEXT, "text"), (Kind.VIDEO, "video")]
)
def test_selfie(kind: Kind, outcome: str) -> None:
    assert answers.selfie(turn(kind=kind, media_id="M"), {}).name == outcome


class TestGesture:
    ASKED: ClassVar[Given] = {
        "gestures": ["turn_left", "open_mouth"],
        "frames": [],
        "until": NOW + 120,
    }

    def test_photos_in_order(self) -> None:
        first = answers.gesture(turn(kind=Kind.IMAGE, media_id="M1"), self.ASKED)
        assert first.name == "next"
        assert first.given["shown"] == {
            "gesture": {"word": "chat.gesture.open_mouth"}, "place": 2, "all": 2,
            "link": "", "picture": "open_mouth",
        }  # fmt: skip
        given = {**self.ASKED, **first.given}
        last = answers.gesture(turn(kind=Kind.IMAGE, media_id="M2"), given)
        assert (last.name, last.given["frames"]) == ("complete", ["M1", "M2"])

    def test_a_video_is_all_of_them(self) -> None:
        outcome = answers.gesture(turn(kind=Kind.VIDEO, media_id="V"), self.ASKED)
        assert (outcome.name, outcome.given["video"]) == ("complete", "V")

    @pytest.mark.parametrize("kind", [Kind.TEXT, Kind.IMAGE, Kind.VIDEO])
    def test_after_two_minutes_it_is_too_late(self, kind: Kind) -> None:
        assert answers.gesture(turn(kind=kind, at=NOW + 121), self.ASKED).name == "late"

    def test_without_a_challenge_it_is_too_late(self) -> None:
        assert answers.gesture(turn(kind=Kind.IMAGE), {}).name == "late"

    def test_words_are_no_photo(self) -> None:
        assert answers.gesture(turn("好了"), self.ASKED).name == "text"


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ("是", "yes"),
        ("YES", "yes"),
        ("否", "no"),
        ("no", "no"),
        ("", "unclear"),
        ("是吗", "unclear"),
    ],
)
def test_yes_or_no(said: str, outcome: str) -> None:
    assert answers.yes_or_no(turn(said), {}).name == outcome


@pytest.mark.parametrize(
    ("said", "language"),
    [("1", "zh_CN"), ("中文", "zh_CN"), ("English", "en"), ("3", "id"), ("Bahasa Indonesia", "id")],
)
def test_language(said: str, language: str) -> None:
    assert answers.language(turn(said), {}).notes == {"language": language}


@pytest.mark.parametrize("said", ["", "4", "français", "繁體"])
def test_no_language_of_ours(said: str) -> None:
    assert answers.language(turn(said), {}).name == "unclear"
