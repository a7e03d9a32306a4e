"""The catalogues: complete, and alike in what they ask to be filled in."""

from __future__ import annotations

import ast
import string
from pathlib import Path

import pytest

from bot.figures import ways
from handlers.dialog import DIALOG
from texts import DEFAULT_LANGUAGE, LANGUAGES, Texts, closest_language, negotiate

ROOT = Path(__file__).resolve().parents[1]


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


def test_the_chat_has_a_word_for_every_line_of_the_page(texts: Texts) -> None:
    """But for what the page alone tells apart: `bound.chip`."""
    page = {key.removeprefix("card.use.") for key in texts.known() if key.startswith("card.use.")}
    assert page
    assert {kind for kind in page if f"chat.use.{kind}" not in texts and "." not in kind} == set()


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_pages_name_the_menu_s_buttons_as_the_menu_does(texts: Texts, language: str) -> None:
    named = {
        "card.none.step1": "menu.apply",
        "card.way.browser.what": "menu.card",
        "card.way.code.what": "menu.card",
        "web.scan.holder.what": "menu.card",
    }
    for key, button in named.items():
        assert texts.say(language, button) in texts.say(language, key), key


def test_every_event_of_the_logs_has_its_words(texts: Texts) -> None:
    unsaid = {kind for kind in _kinds_in_the_code() if f"event.{kind}" not in texts}
    assert unsaid == set()


def test_every_step_of_the_dialog_has_its_name(texts: Texts) -> None:
    waits = {name or "home" for name in ways(DIALOG)}
    assert {name for name in waits if f"console.step.{name}" not in texts} == set()


def _kinds_in_the_code() -> set[str]:
    """What the code writes into a log under a name that stands there as it is.

    `audit.note(kind, …)`, `audit.entry(about, kind, …)` and the shorter forms of commands and
    pages, `note(services, kind, …)` and `_noted(services, kind, …)`.
    """
    place = {"note": 0, "entry": 1, "_noted": 1}
    found = set()
    for package in ("bot", "commands", "credentials", "handlers", "web"):
        for path in (ROOT / package).rglob("*.py"):
            for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not isinstance(call, ast.Call):
                    continue
                plain = isinstance(call.func, ast.Name)
                name = getattr(call.func, "id" if plain else "attr", "")
                at = 1 if name == "note" and plain else place.get(name, len(call.args))
                if at < len(call.args) and isinstance(call.args[at], ast.Constant):
                    found.add(str(ast.literal_eval(call.args[at])))
    assert {"frozen", "signed_in", "verifier_added", "key_made"} <= found
    return found
