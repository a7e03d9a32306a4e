"""Every code that a person can meet has a sentence that says what to do, in each language."""

import re
from pathlib import Path

import pytest

import credentials
from texts import LANGUAGES, Texts

REFUSALS = (
    *("malformed", "unauthenticated", "purpose_not_granted", "level_insufficient"),
    *("unknown_code", "already_used", "expired", "bad_signature", "frozen", "revoked"),
    *("too_many_requests", "unavailable"),
)
_RAISED = re.compile(r'(?:Error|super\(\).__init__)\(\s*"([a-z_]+)"|\bcode = "([a-z_]+)"')


def raised() -> set[str]:
    """The codes that stand in this package's files where errors are made."""
    folder = Path(credentials.__file__).parent
    files = (path.read_text(encoding="utf-8") for path in folder.rglob("*.py"))
    return {code for text in files for match in _RAISED.findall(text) for code in match if code}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_code_has_a_sentence(language: str) -> None:
    known = Texts().known(language)
    missing = sorted(code for code in raised() | set(REFUSALS) if f"error.{code}" not in known)
    assert missing == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_staff_are_told_what_to_say_and_do(language: str) -> None:
    known = Texts().known(language)
    assert [code for code in REFUSALS if f"error.{code}.staff" not in known] == []
