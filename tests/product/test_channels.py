"""The same conversation over every channel: XML plain, XML safe, JSON safe, and Alipay.

One product runs with an EncodingAESKey and one without; between the tests the simulated
platforms are told to push in another way. The transcript is the same, to the letter, because the
dialog does not know which channel speaks.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from simulator.alipay.phone import LifePhone
from simulator.phone import Phone
from tests.product.actors import HotelSoftware, Product, code_in, running
from web.demo import CITIZENS

HOPPER, COLLINS = CITIZENS
HOTEL = "南沙港湾酒店一号"
SLOW = 180.0  # seconds; a face is measured on a busy machine
MENU_LINK = re.compile(r"<a [^>]*>([^<]*)</a>")
AnyPhone = Phone | LifePhone


@dataclasses.dataclass(frozen=True)
class Way:
    """One way for messages to come in: the channel, and how the simulator writes its pushes."""

    name: str
    channel: str
    mode: str = "safe"
    format: str = "xml"
    aes_key: bool = True


WAYS = (
    Way("xml-plain", "wechat", mode="plain", aes_key=False),
    Way("xml-safe", "wechat"),
    Way("json-safe", "wechat", format="json"),
    Way("alipay-gbk", "alipay", format="GBK"),
    Way("alipay-utf8", "alipay", format="UTF-8"),
)


Place = tuple[Product, HotelSoftware]


@contextlib.contextmanager
def _place(folder: Path, **settings: str) -> Iterator[Place]:
    with running(folder, LIVENESS="unsafe-none", **settings) as product:
        product.spare_the_disk()
        yield product, HotelSoftware.registered(product, HOTEL, "hotel", "internet_cafe")


@pytest.fixture(scope="module")
def with_key(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A product with an EncodingAESKey, and a hotel that knows it."""
    with _place(tmp_path_factory.mktemp("safe")) as place:
        yield place


@pytest.fixture(scope="module")
def without_key(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The same without one."""
    with _place(tmp_path_factory.mktemp("plain"), WECHAT_AES_KEY="") as place:
        yield place


@pytest.fixture(params=WAYS, ids=lambda way: way.name)
def way(request: pytest.FixtureRequest) -> Way:
    found: Way = request.param
    return found


@pytest.fixture
def place(way: Way, request: pytest.FixtureRequest) -> Place:
    """The product of this way, whose simulated platform pushes in this way from now on."""
    found: Place = request.getfixturevalue("with_key" if way.aes_key else "without_key")
    told, path = {"mode": way.mode, "format": way.format}, "/simulator/api/pushes"
    if way.channel == "alipay":
        told, path = {"charset": way.format}, "/simulator/alipay/api/pushes"
    httpx.post(found[0].address + path, json=told, timeout=30).raise_for_status()
    return found


@pytest.fixture
def product(place: Place) -> Product:
    return place[0]


@pytest.fixture
def hotel(place: Place) -> HotelSoftware:
    return place[1]


@pytest.fixture
def phone(product: Product, way: Way) -> Iterator[AnyPhone]:
    with phone_on(product, way) as found:
        found.follow()
        found.wait_for("申请")
        yield found


def phone_on(product: Product, way: Way) -> AnyPhone:
    return LifePhone(product.address) if way.channel == "alipay" else Phone(product.address)


def said(message: dict[str, object]) -> str:
    """A message's text as a person reads it."""
    content = message["content"]
    assert isinstance(content, dict)
    text = str(content.get("content", ""))
    return MENU_LINK.sub(r"▸ \1", text)


TRANSCRIPTS: dict[str, list[str]] = {}


def test_the_same_conversation(
    phone: AnyPhone, hotel: HotelSoftware, product: Product, way: Way
) -> None:
    heard = []

    def say(text: str, expected: str) -> None:
        phone.say(text)
        heard.append(said(phone.wait_for(expected)))

    say("申请", "【1/4】")
    say("同意", "【2/4】")
    say("陈]]>&<b>", "姓名")
    say(HOPPER.name, "【3/4】")
    say(HOPPER.id_number[:17], "18")
    phone.say(HOPPER.id_number)
    found = phone.wait_for("【4/4】")
    heard += map(said, (phone.wait_to_see("正在向登记机关核实"), found))
    phone.send_photo(HOPPER.selfie())
    heard.append(said(phone.wait_for("办好了", seconds=SLOW)))
    code = code_in(phone.wait_for_photo())
    answer = hotel.scan(code, "internet_cafe")
    assert (answer.status_code, answer.json()["state"]) == (200, "accepted")
    heard.append(said(phone.wait_for(HOTEL)))
    say("记录", HOTEL)
    heard[-1] = re.sub(r"\d\d-\d\d \d\d:\d\d", "TIME", heard[-1])
    say("冻结", "证件已冻结")
    assert hotel.scan(code, "internet_cafe").status_code in (409, 423)
    say("解冻", "恢复")
    say("注销", "是")
    say("是", "注销")
    ours = [text.replace(product.address, "").replace("?channel=alipay", "") for text in heard]
    TRANSCRIPTS[way.name] = ours
    for other, theirs in TRANSCRIPTS.items():
        assert ours == theirs, other


def test_the_card_page_knows_who_is_looking(phone: AnyPhone, product: Product, way: Way) -> None:
    asked = "/card" if way.channel == "wechat" else f"/card?channel={way.channel}"
    page = phone.open(product.address + asked)
    assert page.status_code == 200
    assert "/card/s/" in str(page.url)
    again = phone.open(product.address + "/card")  # the browser says whose it is
    assert "/card/s/" in str(again.url)


def test_a_link_forwarded_to_another_browser_opens_nothing(
    phone: AnyPhone, product: Product
) -> None:
    page = phone.open(product.address + "/card")
    page = page if "/card/s/" in str(page.url) else phone.open(f"{product.address}/card")
    stranger = httpx.get(str(page.url), follow_redirects=False, timeout=30)
    assert stranger.status_code == 303


def test_a_poster_begins_enrolment(product: Product, way: Way) -> None:
    with phone_on(product, way) as phone:
        if isinstance(phone, LifePhone):
            phone.follow("district.440115")
        else:
            phone.follow(scene_of(product, phone, "district.440115"))
        phone.wait_for("【1/4】")


def scene_of(product: Product, phone: Phone, scene: str) -> str:
    """A QR of the account for a scene, as it stands on a poster."""
    del phone
    told = product.command("wechat", "poster", scene)
    return told.strip()


def test_who_leaves_is_forgotten(phone: AnyPhone) -> None:
    phone.say("申请")
    phone.wait_for("【1/4】")
    phone.unfollow()
    phone.settle()
    phone.follow()
    phone.wait_for("您好")
    phone.say("同意")  # which was consent, and with nothing to consent to is an approval's word
    assert "【2/4】" not in said(phone.wait_for("没有等待您批准"))


def test_the_life_account_proves_its_webhook(product: Product, way: Way) -> None:
    if way.channel == "alipay":
        with LifePhone(product.address) as phone:
            assert phone.check_webhook() == ""
