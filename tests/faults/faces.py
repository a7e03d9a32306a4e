"""What the rows about faces share: somebody at the face step of a world with real faces."""

from __future__ import annotations

from credentials.model import Person
from faces.gestures import Gesture
from handlers.turn import Kind
from tests.bot.talking import EILEEN, Phone, World
from tests.faces import warping


def at_the_face(world: World, person: Person, name: str = "oPhone") -> Phone:
    """A phone that the first gesture was asked of."""
    phone = world.phone(name)
    for said in ("申请", "同意", person.name, person.id_number):
        phone.say(said)
    assert "第 1/" in phone.hears()
    return phone


def asked(phone: Phone) -> list[Gesture]:
    """The challenge's gestures, as the conversation has them."""
    kept = phone.world.conversations.look(phone.holder).given["gestures"]
    assert isinstance(kept, list)
    return [Gesture(each) for each in kept]


def doing(gesture: Gesture, face: str = EILEEN, tilt: float = 0.0) -> bytes:
    """A photo of the gesture, held a little differently."""
    return warping.jpeg(warping.tilted(warping.gesture(face, gesture), tilt))


def answers(phone: Phone, photos: list[bytes]) -> str:
    """Send photos; what is said when they were checked."""
    for photo in photos:
        phone.send_photo(photo, Kind.IMAGE)
    return phone.hears()


def passes(phone: Phone, face: str = EILEEN, tilt: float = 0.0) -> str:
    """Do what is asked."""
    return answers(phone, [doing(gesture, face, tilt) for gesture in asked(phone)])
