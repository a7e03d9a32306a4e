"""The challenge as it is by default, in the chat, from a phone without a webcam: files are sent."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator

import httpx
import pytest
from PIL import Image

from faces.gestures import Gesture
from simulator.phone import Phone, text_of
from tests.faces import warping
from tests.product.actors import Product, running
from texts import Texts
from web.demo import CITIZENS, Citizen

HOPPER, COLLINS = CITIZENS
WORDS = {Texts().say("zh_CN", f"chat.gesture.{gesture}"): gesture for gesture in Gesture}
SLOW = 180.0  # seconds; faces are measured on a busy machine
Answer = Callable[[Gesture], bytes]


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with running(tmp_path_factory.mktemp("challenge")) as product:
        product.spare_the_disk()
        yield product


@pytest.fixture
def phone(product: Product) -> Iterator[Phone]:
    with Phone(product.address) as phone:
        phone.follow()
        phone.wait_for("申请")
        yield phone


def up_to_the_face(phone: Phone, citizen: Citizen) -> dict[str, object]:
    """Everything before the face; gives the message that asks for the first gesture."""
    phone.say("申请")
    phone.wait_for("1/4")
    phone.say("同意")
    phone.wait_for("2/4")
    phone.say(citizen.name)
    phone.wait_for("3/4")
    phone.say(citizen.id_number)
    return phone.wait_for("第 1/", seconds=SLOW)


def asked_in(message: dict[str, object]) -> tuple[Gesture, int, int]:
    """Which gesture a message asks for, and how many of how many it is."""
    text = text_of(message)
    found = re.search(r"第 (\d)/(\d) 个动作", text)
    assert found, text
    gesture = next(gesture for words, gesture in WORDS.items() if words in text)
    return gesture, int(found[1]), int(found[2])


def answer(phone: Phone, question: dict[str, object], photo: Answer) -> None:
    """A photo for each gesture, as they are asked for."""
    gesture, place, count = asked_in(question)
    phone.send_photo(photo(gesture))
    while place < count:
        question = phone.wait_for(f"第 {place + 1}/", seconds=SLOW)
        gesture, place, count = asked_in(question)
        phone.send_photo(photo(gesture))
    phone.wait_to_see("正在核对", seconds=SLOW)


def beforehand(photo: Answer) -> Answer:
    """The same photos, made before a challenge begins its two minutes."""
    made = {gesture: photo(gesture) for gesture in Gesture}
    return made.__getitem__


def attack(make: Callable[[Image.Image], Image.Image]) -> Answer:
    """What a camera sees of the person's photo: printed, or on a screen."""

    def photo(gesture: Gesture) -> bytes:
        picture = Image.open(io.BytesIO(COLLINS.gesture(gesture))).convert("RGB")
        return warping.jpeg(make(picture))

    return photo


def has_no_card(phone: Phone) -> bool:
    phone.say("card")
    phone.wait_for("还没有证件", seconds=SLOW)
    return True


@pytest.mark.parametrize("make", [warping.printed, warping.on_screen], ids=["print", "screen"])
def test_a_print_or_a_screen_is_refused(
    phone: Phone, make: Callable[[Image.Image], Image.Image]
) -> None:
    photo = beforehand(attack(make))
    question = up_to_the_face(phone, COLLINS)
    answer(phone, question, photo)
    told = phone.wait_for("第 1/", seconds=SLOW)
    assert any(
        sign in text_of(told) for sign in ("翻拍", "没有看出", "没有对上", "不是同一个人", "不计入")
    )
    phone.say("取消")
    assert has_no_card(phone)


def test_somebody_else_s_gestures_are_refused(phone: Phone) -> None:
    photo = beforehand(HOPPER.gesture)
    question = up_to_the_face(phone, COLLINS)
    answer(phone, question, photo)
    told = phone.wait_for("还可以再试 4 次", seconds=SLOW)
    assert "第 1/" in text_of(told)  # and other gestures are asked for
    phone.say("取消")
    assert has_no_card(phone)


def test_another_gesture_than_asked_is_refused(phone: Phone) -> None:
    question = up_to_the_face(phone, COLLINS)
    answer(phone, question, lambda _: COLLINS.selfie())
    phone.wait_for("还可以再试 4 次", seconds=SLOW)
    phone.say("取消")
    assert has_no_card(phone)


def test_gestures_from_files_lead_to_the_card(product: Product, phone: Phone) -> None:
    sent: list[bytes] = []

    def photo(gesture: Gesture) -> bytes:
        return httpx.get(
            f"{product.address}/demo/citizens/0/photo",
            params={"gesture": gesture},
            timeout=SLOW,  # behind spectacles, closed eyes are seen once in three takes
        ).content

    def send(gesture: Gesture) -> bytes:
        sent.append(made(gesture))
        return sent[-1]

    made = beforehand(photo)
    question = up_to_the_face(phone, HOPPER)
    drawing = Image.open(io.BytesIO(phone.wait_for_photo()))
    assert drawing.format == "PNG"
    answer(phone, question, send)
    phone.wait_for("办好了", seconds=SLOW)

    # What was sent once is no good again, whoever sends it.
    with Phone(product.address) as thief:
        thief.follow()
        thief.wait_for("申请")
        question = up_to_the_face(thief, COLLINS)
        answer(thief, question, lambda _: sent[0])
        thief.wait_for("以前发送过", seconds=SLOW)
        thief.say("取消")
        assert has_no_card(thief)
    assert "each in its place" in product.command("audit", "verify")
