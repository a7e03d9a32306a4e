"""How many customer messages an account may send, after what, and for how long.

A person's message opens 48 hours with five messages; a click, a follow or a scan opens one
minute with three, and does not open the 48 hours. A newer act replaces an older one of its kind.
"""

from __future__ import annotations

from simulator.platform.errors import ApiError
from simulator.platform.people import Person
from simulator.platform.world import World

TYPING_AFTER = 30.0
TYPING_LASTS = 15.0


def wrote(world: World, person: Person) -> None:
    """Count a message of a person."""
    with world.locked():
        now = world.now()
        person.message_left = world.config.message_quota
        person.message_until = now + world.config.window
        person.last_message_at = now
        world.keep(person)


def touched(world: World, person: Person) -> None:
    """Count a click, a follow or a scan of a person."""
    with world.locked():
        person.touch_left = world.config.touch_quota
        person.touch_until = world.now() + world.config.touch_window
        world.keep(person)


def spend(world: World, openid: str) -> None:
    """Take one customer message from what is left.

    Raises:
        ApiError: 40003, 45015 out of the window or unfollowed, 45047 used up.
    """
    with world.locked():
        person = world.person(openid)
        now = world.now()
        if not person.following:
            raise ApiError(45015)
        if now < person.touch_until and person.touch_left:
            person.touch_left -= 1
        elif now < person.message_until and person.message_left:
            person.message_left -= 1
        elif now < person.message_until or now < person.touch_until:
            raise ApiError(45047)
        else:
            raise ApiError(45015)
        world.keep(person)


def typing(world: World, openid: str, command: str) -> None:
    """Show or hide that the account is typing.

    Raises:
        ApiError: 40003, 45072, 45080, 45081.
    """
    with world.locked():
        person = world.person(openid)
        now = world.now()
        if command not in {"Typing", "CancelTyping"}:
            raise ApiError(45072)
        if not person.following or now - person.last_message_at > TYPING_AFTER:
            raise ApiError(45080)
        if command == "Typing" and now < person.typing_until:
            raise ApiError(45081)
        person.typing_until = now + TYPING_LASTS if command == "Typing" else 0.0
        world.keep(person)
