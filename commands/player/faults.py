"""The faults that a game can be played under: what the platform, or the way to it, does wrong.

Each is one line of `FAULTS`. What a fault strikes is a share of the pushes or of the API's calls,
so that every run has both: those that meet it, and those beside them that must not notice.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

SEND = "/cgi-bin/message/custom/send"


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """One fault. What is not named does not happen.

    Attributes:
        what: what goes wrong, in words.
        share: of the pushes or calls that it concerns, which part it strikes (0 to 1).
        code: the errcode that a customer message is answered with, doing nothing.
        hangs_up: the call is not done, and not answered.
        seconds: how much longer the call takes.
        loses_answer: the call is done, and its answer does not come back.
        ends_tokens: so often within a game every token that was given out ends at once.
        copies: how many deliveries of a push set out at the same moment.
        unheard: how many deliveries of a push are answered too late to be heard.
        late_copy: a delivery comes once more, behind the person's next push.
        overtaken: what the person writes right behind a push arrives before it.
        dropped: a push never arrives; the person notices, and says it again.
        gone: a photo is no longer with the platform when it is fetched; the person sends another.
        forged: somebody without the token pushes the same words first.
        asks: somebody left without an answer writes 帮助, and must be given what was kept.
        buries: what is struck can never arrive: it has to be found among the dead letters.
        repeats: the platform has no way to tell whether a message was shown, so one may come
            twice, and none may be lost.
    """

    what: str
    share: float = 0.0
    code: int = 0
    hangs_up: bool = False
    seconds: float = 0.0
    loses_answer: bool = False
    ends_tokens: int = 0
    copies: int = 1
    unheard: int = 0
    late_copy: bool = False
    overtaken: bool = False
    dropped: bool = False
    gone: bool = False
    forged: bool = False
    asks: bool = False
    buries: bool = False
    repeats: bool = False


NO_FAULT = Fault("nothing goes wrong")
FAULTS: Mapping[str, Fault] = {
    "none": NO_FAULT,
    "slow": Fault("each message takes the platform 2 s", 1.0, seconds=2.0),
    "-1": Fault("the platform is busy", 0.3, code=-1),
    "40001": Fault("the token is called invalid", 0.2, code=40001),
    "42001": Fault("the token is called expired", 0.2, code=42001),
    "45009": Fault("too many calls", 0.3, code=45009),
    "45015": Fault("the 48 hours are over", 0.3, code=45015, asks=True),
    "45047": Fault("too many messages for one of the person's", 0.3, code=45047, asks=True),
    "43101": Fault("the person refuses messages", 0.3, code=43101, asks=True),
    "40003": Fault("the platform knows nobody of this name", 0.3, code=40003, buries=True),
    "hang-up": Fault("connections break before the call is done", 0.3, hangs_up=True),
    "lost answer": Fault("the call is done, its answer lost", 0.2, loses_answer=True, repeats=True),
    "token ended": Fault("another system ends every token, twice", ends_tokens=2),
    "duplicate": Fault("two deliveries at the same moment", 1.0, copies=2),
    "concurrent": Fault("three deliveries at the same moment", 1.0, copies=3),
    "late copy": Fault("a delivery comes again, behind the next push", 1.0, late_copy=True),
    "reordered": Fault("the next push overtakes", 1.0, overtaken=True),
    "drop": Fault("a push never arrives; the person says it again", 0.2, dropped=True),
    "5 seconds": Fault("two of three deliveries are answered too late", 0.2, unheard=2),
    "forged": Fault("somebody without the token pushes the same words", 1.0, forged=True),
    "media gone": Fault("photos are no longer with the platform", 0.5, gone=True),
}
