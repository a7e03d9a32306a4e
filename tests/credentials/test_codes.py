"""Rotating codes: written, read, and everything that is not one."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credentials.codes import Codes, Payload
from tests.credentials.issuer import ADDRESS, refusal, ring

CODES = Codes(ring(), ADDRESS)
PAYLOAD = Payload("00112233445566ff", 1_700_000_000_123_456, 4)
BASE32 = string.ascii_uppercase + "234567"

payloads = st.builds(
    Payload,
    st.binary(min_size=8, max_size=8).map(bytes.hex),
    st.integers(0, 2**56 - 1),
    st.integers(0, 255),
)


@given(payloads)
def test_what_is_written_is_read(payload: Payload) -> None:
    code = CODES.write(payload)
    assert len(code) == 52
    assert set(code) <= set(BASE32)
    assert CODES.read(code) == payload


def test_codes_of_one_card_have_nothing_in_common() -> None:
    codes = [CODES.write(Payload(PAYLOAD.credential_id, PAYLOAD.issued + n)) for n in range(200)]
    assert len(set(codes)) == 200
    for place in range(51):
        assert len({code[place] for code in codes}) > 16


def test_its_times() -> None:
    code = CODES.rotating(PAYLOAD, "hotel")
    assert code.address == f"HTTPS://CARD.EXAMPLE.GOV.CN/V/{code.code}"
    assert code.refresh_at - code.issued_at == pytest.approx(15)
    assert code.expires_at - code.issued_at == pytest.approx(30)
    assert code.purpose == "hotel"


@pytest.mark.parametrize(
    "shape",
    [
        "{code}",
        " {code}\n",
        "{lower}",
        "HTTPS://CARD.EXAMPLE.GOV.CN/V/{code}",
        "https://card.example.gov.cn/v/{lower}",
        "https://card.example.gov.cn/v/{lower}/",
        "https://card.example.gov.cn/v/{lower}?from=camera",
        "\u3000http://127.0.0.1:8000/v/{code}#top ",
    ],
)
def test_every_way_a_scanner_gives_it(shape: str) -> None:
    code = CODES.write(PAYLOAD)
    assert CODES.read(shape.format(code=code, lower=code.lower())) == PAYLOAD


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "AAAA",
        "A" * 51,
        "A" * 53,
        "A" * 26 + " " + "A" * 25,
        "A" * 51 + "=",
        "Ａ" * 52,
        "٣" * 52,
        "https://card.example.gov.cn/v/",
        "https://card.example.gov.cn/v/AAAA/BBBB",
        "https://card.example.gov.cn/x/" + "A" * 52,
        "\x00" * 52,
    ],
)
def test_what_is_no_code(text: str) -> None:
    assert refusal(lambda: CODES.read(text)) == "malformed"


@pytest.mark.parametrize("character", ["0", "1", "8", "9"])
def test_letters_and_digits_that_base32_has_not(character: str) -> None:
    assert refusal(lambda: CODES.read(character * 52)) == "bad_signature"


def test_one_code_has_one_spelling() -> None:
    code = CODES.write(PAYLOAD)
    for last in set(BASE32) - {code[-1]}:
        assert refusal(lambda last=last: CODES.read(code[:-1] + last)) == "bad_signature"  # type: ignore[misc]


@given(st.integers(0, 51), st.sampled_from(BASE32))
def test_no_character_can_be_changed(place: int, character: str) -> None:
    code = CODES.write(PAYLOAD)
    if code[place] != character:
        changed = code[:place] + character + code[place + 1 :]
        assert refusal(lambda: CODES.read(changed)) == "bad_signature"


@given(st.text(max_size=200))
def test_no_text_is_a_surprise(text: str) -> None:
    assert refusal(lambda: CODES.read(text)) in {"malformed", "bad_signature"}


def test_keys_come_and_go() -> None:
    old = CODES.write(PAYLOAD)
    assert Codes(ring(2, 1), ADDRESS).read(old) == PAYLOAD
    assert refusal(lambda: Codes(ring(2), ADDRESS).read(old)) == "bad_signature"
    new = Codes(ring(2, 1), ADDRESS).write(PAYLOAD)
    assert refusal(lambda: CODES.read(new)) == "bad_signature"
