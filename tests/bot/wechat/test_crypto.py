from __future__ import annotations

import base64
import contextlib
import secrets

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.wechat import crypto
from bot.wechat.crypto import BadPushError, Envelope, ForgedPushError
from tests.bot.wechat import pushes

# The platform's own sample: WXBizMsgCryptTest of its Java demo.
SAMPLE_TOKEN = "pamtest"
SAMPLE_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
SAMPLE_APP_ID = "wxb11529c136998cb6"
SAMPLE_MESSAGE = "我是中文abcd123"
SAMPLE_ENCRYPTED = (
    "jn1L23DB+6ELqJ+6bruv21Y6MD7KeIfP82D6gU39rmkgczbWwt5+3bnyg5K55bgVtVzd832WzZGMhkP72vVOfg=="
)
KEY = base64.b64decode(pushes.AES_KEY + "=")


@pytest.fixture
def envelope() -> Envelope:
    return Envelope(pushes.TOKEN, pushes.AES_KEY, pushes.APP_ID)


def opened(envelope: Envelope, encrypted: str) -> bytes:
    signature = pushes.sha1(pushes.TOKEN, "1", "n", encrypted)
    return envelope.open(encrypted, signature, "1", "n")


def test_the_platforms_sample_opens() -> None:
    sample = Envelope(SAMPLE_TOKEN, SAMPLE_KEY, SAMPLE_APP_ID)
    signature = pushes.sha1(SAMPLE_TOKEN, "1409304348", "xxxxxx", SAMPLE_ENCRYPTED)
    message = sample.open(SAMPLE_ENCRYPTED, signature, "1409304348", "xxxxxx")
    assert message.decode() == SAMPLE_MESSAGE


def test_the_platforms_sample_is_what_we_encrypt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "token_hex", lambda _size: "aaaabbbbccccdddd")
    sample = Envelope(SAMPLE_TOKEN, SAMPLE_KEY, SAMPLE_APP_ID)
    assert sample.close(SAMPLE_MESSAGE, "1409304348", "xxxxxx")[0] == SAMPLE_ENCRYPTED


def test_a_published_signature() -> None:
    encrypted = (
        "4ByGGj+sVCYcvGeQYhaKIk1o0pQRNbRjxybjTGblXrBaXlTXeOo1+bXFXDQQb1o6co6Yh9Bv41n7hOchLF6p+Q=="
    )
    published = "dd6b9c95b495b3f7e2901bfbc76c664930ffdb96"
    crypto.check(published, "123456", "1411443780", "437374425", encrypted)
    with pytest.raises(ForgedPushError):
        crypto.check(published, "123456", "1411443780", "437374424", encrypted)


@given(st.text(st.characters(codec="utf-8"), min_size=1))
@example("]]></xml>")
def test_what_is_closed_opens_to_the_same(message: str) -> None:
    envelope = Envelope(pushes.TOKEN, pushes.AES_KEY, pushes.APP_ID)
    encrypted, signature = envelope.close(message, "1", "n")
    assert envelope.open(encrypted, signature, "1", "n").decode() == message
    assert pushes.decrypt(encrypted).decode() == message


def test_equal_messages_do_not_look_alike(envelope: Envelope) -> None:
    assert envelope.close("same", "1", "n")[0] != envelope.close("same", "1", "n")[0]


@pytest.mark.parametrize("key", ["", "short", "x" * 42, "名" * 43, "=" * 43, "x" * 44])
def test_a_key_that_is_none(key: str) -> None:
    with pytest.raises(ValueError, match="43 characters"):
        Envelope("token", key, "wx")


@pytest.mark.parametrize("signature", ["", "0" * 40, "名", "\ud800", "x" * 10000])
def test_a_wrong_signature(envelope: Envelope, signature: str) -> None:
    with pytest.raises(ForgedPushError):
        envelope.open(pushes.encrypt(b"x"), signature, "1", "n")


def test_another_account(envelope: Envelope) -> None:
    for app_id in ("", "wxother", pushes.APP_ID + "x", pushes.APP_ID[:-1]):
        with pytest.raises(BadPushError, match="another account"):
            opened(envelope, pushes.encrypt(b"<xml/>", app_id))


def test_another_key(envelope: Envelope) -> None:
    with pytest.raises(BadPushError):
        opened(envelope, pushes.encrypt(b"<xml/>" * 10, aes_key=SAMPLE_KEY))


@pytest.mark.parametrize("length", [0, 7, 2**31 - 1, 2**31, 2**32 - 1])
def test_a_length_that_lies(envelope: Envelope, length: int) -> None:
    data = b"r" * 16 + length.to_bytes(4, "big") + b"<xml/>" + pushes.APP_ID.encode()
    padding = 32 - len(data) % 32
    blocks = data + bytes([padding]) * padding
    with pytest.raises(BadPushError):
        opened(envelope, pushes.encrypt_raw(blocks, KEY))


@given(st.text() | st.binary().map(lambda raw: base64.b64encode(raw).decode()))
def test_signed_junk_is_only_ever_bad(encrypted: str) -> None:
    """Row 5."""
    envelope = Envelope(pushes.TOKEN, pushes.AES_KEY, pushes.APP_ID)
    with contextlib.suppress(UnicodeEncodeError):
        encrypted.encode()
        with pytest.raises(BadPushError):
            opened(envelope, encrypted)


@given(st.integers(0, 6), st.binary(min_size=96, max_size=96))
def test_decrypted_junk_is_only_ever_bad(blocks: int, content: bytes) -> None:
    """Row 5: whoever knew the key could still send only junk that is refused."""
    envelope = Envelope(pushes.TOKEN, pushes.AES_KEY, pushes.APP_ID)
    encrypted = pushes.encrypt_raw(content[: 16 * blocks], KEY)
    with pytest.raises(BadPushError):
        opened(envelope, encrypted)
