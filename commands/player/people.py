"""Who plays: made-up people with ID numbers, and what each of them will say and expect.

A play is a way through the enrolment with the mistakes that people make. The sentences that are
expected are parts of those in texts/zh_CN/chat.po.
"""

from __future__ import annotations

import dataclasses
import datetime
import random
from collections.abc import Iterator, Sequence

from credentials import id_number

SURNAMES = "李王张刘陈杨黄赵周吴徐孙马朱胡郭何高林罗"
GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰涛明超霞平刚桂英华慧玉建文"
HELD = "人工核对"
ISSUED = "办好了"
GONE = "没有收到完整文件"
HELP = "帮助"
WRONG_NAME = "欧阳不是"
PHOTO = "[photo]"
OTHER_PHOTO = "[another person's photo]"
PHOTOS = (PHOTO, OTHER_PHOTO)
FIRST_BIRTH = datetime.date(1955, 1, 1)
BIRTHS = 15_000  # days: everybody is between about 30 and 70

SHARES = {
    "straight": 0.58,
    "wrong number": 0.12,
    "unknown number": 0.06,
    "wrong name": 0.10,
    "gives up": 0.08,
    "falls silent": 0.06,
}


@dataclasses.dataclass(frozen=True, slots=True)
class Turn:
    """What is said, parts of which one must come (`a|b`), and the step that this leads to."""

    says: str
    expects: str
    leads_to: str


@dataclasses.dataclass(frozen=True, slots=True)
class Player:
    """One person: the account, the identity, and the turns to play."""

    openid: str
    name: str
    id_number: str
    play: str
    turns: tuple[Turn, ...]

    @property
    def ends_at(self) -> str:
        """The step at which the person is left."""
        return self.turns[-1].leads_to if self.turns else "home"

    @property
    def gets_card(self) -> bool:
        """Whether a card is issued on the way, unless the face is held for a person to see."""
        return any(turn.says == PHOTO for turn in self.turns)


def numbers(chance: random.Random) -> Iterator[str]:
    """Valid ID numbers without end, none twice."""
    known = set()
    while True:
        day = FIRST_BIRTH + datetime.timedelta(days=chance.randrange(BIRTHS))
        body = f"440115{day:%Y%m%d}{chance.randrange(1000):03}"
        if body not in known:
            known.add(body)
            yield body + id_number.check_character(body)


def players(
    count: int,
    chance: random.Random,
    *,
    run: str,
    faces: float = 0.0,
    identities: Sequence[tuple[str, str]] = (),
) -> list[Player]:
    """So many people; `faces` is the share of them that goes through the face step.

    Args:
        count: how many.
        chance: decides who does what.
        run: sets this run's accounts apart from others'.
        faces: 0 to 1.
        identities: names and ID numbers to use instead of made-up ones.
    """
    fresh = numbers(chance)
    found = []
    for place in range(count):
        name = chance.choice(SURNAMES) + "".join(chance.sample(GIVEN, 2))
        number = next(fresh)
        if identities:
            name, number = identities[place]
        play = chance.choices(list(SHARES), list(SHARES.values()))[0]
        turns = _turns(play, name, number, next(fresh), chance)
        if turns[-1].leads_to == "face" and chance.random() < faces:
            turns += _photos(chance)
        found.append(Player(f"o{run}{place:06d}", name, number, play, tuple(turns)))
    return found


def _turns(play: str, name: str, number: str, unknown: str, chance: random.Random) -> list[Turn]:
    begin = [Turn("申请", "1/4", "consent"), Turn("同意", "2/4", "name")]
    named = Turn(name, "3/4", "id_number")
    numbered = Turn(number, "身份核实通过", "face")
    if play == "wrong number":
        wrong = number[:-1] + chance.choice([each for each in "0123456789" if each != number[-1]])
        return [*begin, named, Turn(wrong, "最后一位与前面不符", "id_number"), numbered]
    if play == "unknown number":
        return [*begin, named, Turn(unknown, "没有查到", "id_number"), numbered]
    if play == "wrong name":
        other = Turn(WRONG_NAME, "3/4", "id_number")
        return [*begin, other, Turn(number, "登记不一致", "name"), named, numbered]
    whole = [*begin, named, numbered]
    if play == "straight":
        return whole
    left = whole[: chance.randint(1, len(whole))]
    return [*left, Turn("取消", "已取消", "home")] if play == "gives up" else left


def _photos(chance: random.Random) -> list[Turn]:
    # One portrait serves all, so that all but the first are one face under another number.
    own = Turn(PHOTO, f"{ISSUED}|{HELD}", "home")
    other = Turn(OTHER_PHOTO, "还可以再试|不计入次数", "face")
    return [other, own] if chance.random() < 0.1 else [own]
