"""Every fault of the platform, switched on one by one under the load player; nothing may be lost.

    python -m benchmarks.platform_faults [--people 60] [--rate 15] [fault …]

One product runs (`make run`'s processes), and one game after the other is played against it,
each with people of its own. What people were told is held against Redis: their place in the
talk, the messages that still wait or are kept, the dead letters.

Where the platform cannot tell whether a message was shown ("lost answer"), one may come twice:
there is no call that would ask. Whoever sends less often would lose some instead.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import random
import secrets
import sys
from collections.abc import Iterator, Mapping, Sequence

from app import opened_services
from benchmarks.harness import publish, table
from bot.outbox import Outbox
from commands.load import Stage, progress, register, staged
from commands.player.faults import FAULTS, Fault
from commands.player.game import Rules
from commands.player.people import players
from commands.player.report import looked_into, percentiles
from commands.player.tally import Tally

COLUMNS = (
    "fault",
    "what happens",
    "people",
    "said",
    "struck",
    "lost",
    "doubled",
    "otherwise in Redis",
    "kept",
    "dead letters",
    "webhook p50 / p99 (ms)",
    "answers p50 / p99 / max (ms)",
)
MOST_FACES = 12  # a face costs a second: only the fault of photos has any, and few
PATIENCE_SECONDS = 90.0


class Found:
    """What one game came to."""

    def __init__(self, name: str, people: int, tally: Tally, wrong: Sequence[str]) -> None:
        self.name, self.people, self.tally, self.wrong = name, people, tally, wrong
        self.kept = self.dead = self.struck = 0

    @property
    def stands(self) -> bool:
        """Whether nothing was lost, nor said twice where that can be helped."""
        twice = self.tally.doubled and not self.fault.repeats
        return not (self.tally.lost or twice or self.wrong or self.tally.errors)

    @property
    def fault(self) -> Fault:
        """The fault that was on."""
        return FAULTS[self.name]

    def row(self) -> list[str]:
        """Its line in the table."""
        webhook, answers = percentiles(self.tally.webhook), percentiles(self.tally.answers)
        counts = (self.people, self.tally.pushes, self.struck)
        ends = (len(self.tally.lost), len(self.tally.doubled), len(self.wrong))
        return [
            self.name,
            self.fault.what,
            *(str(count) for count in counts),
            *(f"**{count}**" if count else "0" for count in ends),
            str(self.kept),
            str(self.dead),
            f"{webhook[0]:.0f} / {webhook[2]:.0f}",
            f"{answers[0]:.0f} / {answers[2]:.0f} / {answers[3]:.0f}",
        ]


def play_all(stage: Stage, names: Sequence[str], people: int, rules: Rules) -> Iterator[Found]:
    """Play under each fault in turn; one that stands leaves nothing behind for the next."""
    for name in names:
        before = _figures(stage)
        found = _play(stage, name, people, rules)
        after = _figures(stage)
        found.kept = sum(
            count - before.get(key, 0) for key, count in after.items() if key.startswith("kept:")
        )
        found.dead = after.get("dead", 0) - before.get("dead", 0)
        yield found


def _play(stage: Stage, name: str, people: int, rules: Rules) -> Found:
    fault, chance = FAULTS[name], random.Random(name)
    of_photos = fault.gone
    people = min(people, MOST_FACES) if of_photos else people
    cast = players(people, chance, run=secrets.token_hex(5), faces=1.0 if of_photos else 0.0)
    assert stage.services is not None
    register(stage.services, cast)
    rules = dataclasses.replace(rules, fault=fault)
    with io.StringIO() as ledger, progress(len(cast)) as moved:
        tally = stage.play(cast, rules, chance, ledger, moved)
    found = Found(name, len(cast), tally, stage.differences(cast, tally))
    platform = stage.platform
    found.struck = platform.refused + platform.ended + platform.slowed
    found.struck += tally.forged + tally.dropped + tally.redelivered + tally.copies + tally.gone
    return found


def _figures(stage: Stage) -> Mapping[str, int]:
    assert stage.services is not None
    outbox: Outbox = looked_into(stage.services)
    return outbox.figures()


def page(found: Sequence[Found]) -> str:
    """The table in Markdown."""
    bad = [each.name for each in found if not each.stands]
    verdict = (
        f"**Does not stand: {', '.join(bad)}.**"
        if bad
        else "Nothing was lost, and nothing said twice where the platform can tell."
    )
    note = (
        "Made by `python -m benchmarks.platform_faults` (part of `make faults`): enrolments played "
        "against `make run`'s processes, one fault at a time. *Struck* is how many pushes or "
        "calls met the fault; *kept* were given with the person's next turn. Times are of a "
        f"machine with other work.\n\n{verdict}"
    )
    return table("Faults of the platform, under load", note, COLUMNS, [f.row() for f in found])


def main(arguments: Sequence[str] | None = None) -> int:
    """Play, print and keep the table; 1 when anything was lost or said twice."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.platform_faults", description=__doc__
    )
    parser.add_argument("--people", type=int, default=60)
    parser.add_argument("--rate", type=float, default=15.0)
    parser.add_argument("faults", nargs="*", choices=[[], *FAULTS], default=[])
    given = parser.parse_args(arguments)
    names = given.faults or list(FAULTS)
    found, rules = [], Rules(given.rate, patience=PATIENCE_SECONDS)
    with staged(opened_services, "", 0, compare=True) as stage:
        for each in play_all(stage, names, given.people, rules):
            found.append(each)
            print(" | ".join(each.row()))
            for told in (*each.tally.lost, *each.tally.doubled, *each.wrong, *each.tally.errors):
                print(f"    {told}")
    shown = page(found)
    if given.faults:
        print(shown)
    else:
        publish("platform", shown)
    return 0 if all(each.stands for each in found) else 1


if __name__ == "__main__":
    sys.exit(main())
