"""A crowd of simulated people with realistic failures, and its own log of what each did.

The log is kept from what the plan of each person says, never from what the product counted, so
that the console's figures can be held against it.
"""

from __future__ import annotations

import collections
import dataclasses
import random
from collections.abc import Callable

from credentials.model import Holder
from tests.bot.talking import Phone, World
from tests.credentials.issuer import id_number

THINKS_S = 20.0
BEFORE_S = 400.0  # all of it was before now: no figures of an hour that has not begun
NAMES = ("张三丰", "李小明", "王芳", "欧阳娜娜", "赵子龙")


@dataclasses.dataclass
class Log:
    """What the crowd did, by its own account."""

    came: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    onward: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    back: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    ended: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    turned: collections.Counter[tuple[str, str]] = dataclasses.field(
        default_factory=collections.Counter
    )
    there: dict[str, str] = dataclasses.field(default_factory=dict)
    stuck: set[str] = dataclasses.field(default_factory=set)
    human: set[str] = dataclasses.field(default_factory=set)
    turns: int = 0
    people: int = 0


class Walker:
    """One person of the crowd: acts, and notes what that must have led to."""

    def __init__(self, world: World, log: Log, number: int) -> None:
        self.world, self.log, self.number = world, log, number
        self.phone = Phone(world, Holder("wechat", f"oCrowd{number}"))
        self.step = ""
        self.failed = 0
        log.people += 1

    def say(self, text: str) -> None:
        """Say something after some thought."""
        self.phone.say(text)
        self.log.turns += 1
        self.world.later_s += THINKS_S

    def goes(self, step: str, *, back: bool = False) -> None:
        """Note having come to a step."""
        if self.step:
            (self.log.back if back else self.log.onward)[self.step] += 1
        self.log.came[step] += 1
        self.step, self.failed = step, 0

    def fails(self, text: str, key: str) -> None:
        """Say what is refused here."""
        self.say(text)
        self.log.turned[self.step, key] += 1
        self.failed += 1

    def ends(self, key: str) -> None:
        """Note having come home without a card."""
        self.log.ended[self.step] += 1
        self.log.turned[self.step, key] += 1
        self.step = ""

    def rests(self) -> None:
        """Note staying where one is."""
        if self.step:
            self.log.there[self.phone.holder.openid] = self.step
        if self.failed >= 3:
            self.log.stuck.add(self.phone.holder.openid)


def play(world: World, people: int, seed: int = 1) -> Log:
    """Let so many people come; gives their log. Photos are left out: they cost a second each."""
    dice, log = random.Random(seed), Log()
    fates: list[tuple[int, Callable[[Walker, random.Random], None]]] = [
        (2, _looks_only),
        (2, _refuses),
        (2, _stuck_at_the_number),
        (2, _asks_for_a_human),
        (2, _is_not_registered),
        (1, _cancels),
        (1, _unfollows),
        (4, _comes_to_the_face),
    ]
    weights = [weight for weight, _ in fates]
    for number in range(people):
        world.later_s = -BEFORE_S
        walker = Walker(world, log, number)
        dice.choices([fate for _, fate in fates], weights)[0](walker, dice)
        walker.rests()
    world.later_s = 0.0
    return log


def _begins(walker: Walker, dice: random.Random) -> None:
    walker.say("申请")
    walker.goes("consent")


def _agrees(walker: Walker, dice: random.Random) -> None:
    _begins(walker, dice)
    if dice.random() < 0.3:
        walker.fails("什么意思", "chat.consent.unclear")
    walker.say("同意")
    walker.goes("name")


def _names(walker: Walker, dice: random.Random) -> None:
    _agrees(walker, dice)
    for _ in range(dice.choice((0, 0, 1, 2))):
        walker.fails("abc!123", "chat.name.characters")
    walker.say(dice.choice(NAMES))
    walker.goes("id_number")


def _looks_only(walker: Walker, dice: random.Random) -> None:
    _begins(walker, dice)


def _refuses(walker: Walker, dice: random.Random) -> None:
    _begins(walker, dice)
    walker.say("不同意")
    walker.ends("chat.consent.refused")


def _stuck_at_the_number(walker: Walker, dice: random.Random) -> None:
    _names(walker, dice)
    for _ in range(dice.choice((2, 3, 4))):
        walker.fails("12345", "chat.id_number.length")


def _asks_for_a_human(walker: Walker, dice: random.Random) -> None:
    _names(walker, dice)
    walker.fails("440115199003070010", "chat.id_number.checksum")
    walker.say("人工")
    walker.log.human.add(walker.phone.holder.openid)


def _is_not_registered(walker: Walker, dice: random.Random) -> None:
    _names(walker, dice)
    walker.say(id_number(500 + walker.number % 400))
    walker.goes("registry")
    walker.phone.hears()
    walker.log.turned["registry", "chat.registry.not_registered"] += 1
    walker.goes("id_number", back=True)


def _cancels(walker: Walker, dice: random.Random) -> None:
    _names(walker, dice)
    walker.say("取消")
    walker.ends("chat.cancelled")


def _unfollows(walker: Walker, dice: random.Random) -> None:
    _agrees(walker, dice)
    walker.phone.unfollow()
    walker.log.ended[walker.step] += 1
    walker.step = ""


def _comes_to_the_face(walker: Walker, dice: random.Random) -> None:
    _agrees(walker, dice)
    person = walker.world.register(1 + walker.number % 400)
    walker.say(person.name)
    walker.goes("id_number")
    walker.say(person.id_number)
    walker.goes("registry")
    walker.phone.hears()
    walker.goes("face")
