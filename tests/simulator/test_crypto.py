"""The message encryption, against wechatpy and against the published description."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st
from wechatpy.crypto import PrpCrypto, WeChatCrypto
from wechatpy.utils import WeChatSigner, to_text

from simulator.crypto import Envelope, EnvelopeError, signature
from simulator.markup import read
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


# The sample that the platform publishes with its description of message encryption.
SAMPLE_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
SAMPLE_SIGNATURE = "5d197aaffba7e9b25a30732f161a50dee96bd5fa"
SAMPLE = (
    "hyzAe4OzmOMbd6TvGdIOO6uBmdJoD0Fk53REIHvxYtJlE2B655HuD0m8KUePWB3+LrPXo87wzQ1QLvbeUgmBM4x6"
    "F8PGHQHFVAFmOD2LdJF9FrXpbUAh0B5GIItb52sn896wVsMSHGuPE328HnRGBcrS7C41IzDWyWNlZkyyXwon8T33"
    "2jisa+h6tEDYsVticbSnyU8dKOIbgU6ux5VTjg3yt+WGzjlpKn6NPhRjpA912xMezR4kw6KWwMrCVKSVCZciVGCg"
    "avjIQ6X8tCOp3yZbGpy0VxpAe+77TszTfRd5RJSVO/HTnifJpXgCSUdUue1v6h0EIBYYI1BD1DlD+C0CR8e6Oewp"
    "usjZ4uBl9FyJvnhvQl+q5rv1ixrcpCumEPo5MJSgM9ehVsNPfUM669WuMyVWQLCzpu9GhglF2PE="
)


def test_the_platform_s_published_sample() -> None:
    envelope = Envelope("spamtest", SAMPLE_KEY, "wx2c2769f8efd9abc2")
    assert envelope.sign("1409735669", "1320562132", SAMPLE) == SAMPLE_SIGNATURE
    opened = envelope.open(SAMPLE, SAMPLE_SIGNATURE, "1409735669", "1320562132")
    fields = read(opened)
    assert fields["Content"] == "abcdteT"
    assert fields["MsgId"] == "6054768590064713728"
    assert envelope.seal(opened, _random_of(SAMPLE)) == SAMPLE


def _random_of(sealed: str) -> bytes:
    key = base64.b64decode(SAMPLE_KEY + "=")
    decryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).decryptor()
    return decryptor.update(base64.b64decode(sealed))[:16]
