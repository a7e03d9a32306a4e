"""The catalogues: complete, and alike in what they ask to be filled in."""

from __future__ import annotations

import string
from pathlib import Path

import pytest

from texts import DEFAULT_LANGUAGE, LANGUAGES, Texts, closest_language, negotiate


@pytest.fixture(scope="module")
def texts() -> Texts:
    return Texts()


def _holes(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


def test_english_is_complete(texts: Texts) -> None:
    assert texts.known("en") == texts.known(DEFAULT_LANGUAGE)


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_no_language_has_a_key_that_chinese_lacks(texts: Texts, language: str) -> None:
    assert texts.known(language) - texts.known(DEFAULT_LANGUAGE) == set()


@pytest.mark.parametrize("language", sorted(set(LANGUAGES) - {DEFAULT_LANGUAGE}))
def test_translations_fill_in_the_same_holes(texts: Texts, language: str) -> None:
    different = [
        key
        for key in texts.known(language)
        if _holes(texts.say(language, key)) - _holes(texts.say(DEFAULT_LANGUAGE, key))
    ]
    assert different == []


def test_holders_read_the_third_language_in_chat(texts: Texts) -> None:
    chat = {key for key in texts.known() if key.startswith("chat.")}
    assert chat
    assert chat - texts.known("id") == set()


def test_an_unknown_key_is_an_error(texts: Texts) -> None:
    with pytest.raises(KeyError):
        texts.say("en", "no.such.key")


def test_a_missing_translation_falls_back_to_chinese(tmp_path: Path) -> None:
    for language in LANGUAGES:
        (tmp_path / language).mkdir()
    (tmp_path / "zh_CN" / "a.po").write_text('msgid "a.b"\nmsgstr "你好，{name}"\n', "utf-8")
    assert Texts(tmp_path).say("id", "a.b", name="{x}") == "你好，{x}"


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("en-GB,en;q=0.9,zh;q=0.8", "en"),
        ("fr,en;q=0.5", "en"),
        ("fr", "zh_CN"),
        ("", "zh_CN"),
        ("en;q=broken, id", "id"),
        ("en;q=0.1, zh-TW;q=0.9", "zh_CN"),
    ],
)
def test_browsers_say_which_language_they_want(header: str, language: str) -> None:
    assert negotiate(header) == language


def test_unknown_languages_are_answered_in_chinese() -> None:
    assert [closest_language(tag) for tag in ("xx", "", "zh-Hant", "EN_us")] == [
        "zh_CN",
        "zh_CN",
        "zh_CN",
        "en",
    ]
