"""The message encryption, against wechatpy and against the published description."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wechatpy.crypto import PrpCrypto, WeChatCrypto
from wechatpy.utils import WeChatSigner, to_text

from simulator.crypto import Envelope, EnvelopeError, signature
from tests.simulator.account import AES_KEY, APP_ID, TOKEN

ENVELOPE = Envelope(TOKEN, AES_KEY, APP_ID)
STAMP, NONCE = "1409735669", "1320562132"


def test_signature_is_the_one_of_wechatpy() -> None:
    signer = WeChatSigner()
    signer.add_data(TOKEN, STAMP, NONCE)
    assert signature(TOKEN, STAMP, NONCE) == signer.signature


@given(st.text())
def test_wechatpy_opens_what_is_sealed(message: str) -> None:
    sealed = ENVELOPE.seal(message)
    key = WeChatCrypto(TOKEN, AES_KEY, APP_ID).key
    assert to_text(PrpCrypto(key).decrypt(sealed, APP_ID)) == message


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_what_wechatpy_seals_is_opened(message: str) -> None:
    key = WeChatCrypto(TOKEN, AES_KEY, APP_ID).key
    sealed = to_text(PrpCrypto(key).encrypt(message, APP_ID))
    assert ENVELOPE.open(sealed, ENVELOPE.sign(STAMP, NONCE, sealed), STAMP, NONCE) == message


def test_sealing_is_deterministic_under_a_given_random() -> None:
    random = b"1" * 16
    assert ENVELOPE.seal("你好", random) == ENVELOPE.seal("你好", random)
    assert ENVELOPE.seal("你好") != ENVELOPE.seal("你好")


@pytest.mark.parametrize("key", ["", "short", "a" * 42, "a" * 44, "?" * 43])
def test_a_wrong_key_is_refused(key: str) -> None:
    with pytest.raises(EnvelopeError):
        Envelope(TOKEN, key, APP_ID)


def _open(sealed: str, envelope: Envelope = ENVELOPE) -> str:
    return envelope.open(sealed, envelope.sign(STAMP, NONCE, sealed), STAMP, NONCE)


def test_a_wrong_signature_is_refused() -> None:
    with pytest.raises(EnvelopeError, match="MsgSignature"):
        ENVELOPE.open(ENVELOPE.seal("x"), "0" * 40, STAMP, NONCE)


def test_another_account_s_message_is_refused() -> None:
    sealed = Envelope(TOKEN, AES_KEY, "wx0000000000000000").seal("x")
    with pytest.raises(EnvelopeError, match="AppID"):
        _open(sealed)


@pytest.mark.parametrize("sealed", ["", "*", "QUJD", "5a+G5paH5a+G5paH5a+G5paH5a+G5paH"])
def test_junk_is_refused(sealed: str) -> None:
    with pytest.raises(EnvelopeError):
        _open(sealed)


@given(st.binary(max_size=200))
def test_signed_junk_never_raises_anything_else(junk: bytes) -> None:
    with pytest.raises(EnvelopeError):
        _open(base64.b64encode(junk).decode())
