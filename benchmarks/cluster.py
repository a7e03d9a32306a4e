"""`make cluster`: what a Redis Cluster costs, and what is lost when its servers move and die.

Real servers on loopback, real load. Each acknowledged write is noted by the load and looked for
afterwards; a card that was stopped is shown again after everything.
"""

from __future__ import annotations

import dataclasses
import io
import logging
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import structlog
from PIL import Image

from benchmarks.harness import PAIRS, machine, publish
from benchmarks.nodes import NODE_TIMEOUT_MS, Cluster, Node, alone, cluster
from benchmarks.sheet import COLUMNS, Goal, Sheet
from credentials.connection import connect
from credentials.errors import CredentialError, UnavailableError
from credentials.id_number import check_character
from credentials.keyring import Keyring
from credentials.model import Actor, Consent, Holder, Person, Status, Verifier
from credentials.services import Services, build

CALM_SECONDS = 4.0
COUNT = 400
THREADS = 4
KINDS = ("issued", "verified", "frozen", "revoked")
OPERATOR = Actor("operator", "benchmark")
VERIFIER = Verifier("0" * 12, "Benchmark", ("internet_cafe",))
SAFE = ("--min-replicas-to-write", "1", "--min-replicas-max-lag", "2")


@dataclasses.dataclass
class Acknowledged:
    """What the load was told had happened, by kind: credential ids, and how the rest went."""

    issued: dict[str, str] = dataclasses.field(default_factory=dict)
    verified: dict[str, int] = dataclasses.field(default_factory=dict)
    frozen: set[str] = dataclasses.field(default_factory=set)
    revoked: set[str] = dataclasses.field(default_factory=set)
    refused: Counter[str] = dataclasses.field(default_factory=Counter)
    longest: float = 0.0
    last: float = dataclasses.field(default_factory=time.monotonic)
    gap: float = 0.0

    def count(self, kind: str) -> int:
        """How many acknowledged writes of a kind there were."""
        return len(getattr(self, kind))


class Load:
    """Threads that issue, verify, freeze and revoke until stopped, and note what was granted."""

    def __init__(self, services: Services, name: str) -> None:
        self.services = services
        self.name = name
        self.told = Acknowledged()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._run, args=(number,), daemon=True)
            for number in range(THREADS)
        ]

    def __enter__(self) -> Acknowledged:
        """Begin."""
        for thread in self._threads:
            thread.start()
        return self.told

    def __exit__(self, *_: object) -> None:
        """End, when each thread has finished what it began."""
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def _run(self, number: int) -> None:
        dice, count = random.Random(number), 0
        while not self._stop.is_set():
            count += 1
            began = time.monotonic()
            try:
                self._one(f"{self.name}-{number}-{count}", dice)
            except CredentialError as error:
                with self._lock:
                    self.told.refused[error.code] += 1
                time.sleep(0.01)
            with self._lock:
                self.told.longest = max(self.told.longest, time.monotonic() - began)

    def _one(self, openid: str, dice: random.Random) -> None:
        services, told = self.services, self.told
        holder = Holder("wechat", openid)
        card = services.cards.issue(holder, somebody(dice), CONSENTS, evidence={})
        self._note(told.issued, card.credential_id, openid)
        code = services.cards.mint(holder).code
        services.verifications.verify(VERIFIER, "desk", code, "internet_cafe")
        issued = services.codes.read(code).issued
        self._note(told.verified, card.credential_id, issued)
        if dice.random() < 0.3:
            services.cards.freeze(card.credential_id, OPERATOR)
            with self._lock:
                told.frozen.add(card.credential_id)
        elif dice.random() < 0.5:
            services.cards.revoke(card.credential_id, OPERATOR)
            with self._lock:
                told.revoked.add(card.credential_id)

    def _note(self, kept: dict[str, Any], credential_id: str, value: object) -> None:
        with self._lock:
            kept[credential_id] = value
            now = time.monotonic()
            self.told.gap = max(self.told.gap, now - self.told.last)
            self.told.last = now


def somebody(dice: random.Random) -> Person:
    """A person that nobody else is."""
    first = f"{dice.randrange(110_000, 660_000)}{dice.randrange(1950, 2000)}"
    first += f"{dice.randrange(1, 13):02d}{dice.randrange(1, 29):02d}{dice.randrange(1000):03d}"
    return Person(
        name="测试",
        id_number=first + check_character(first),
        residence="440115",
        address="广东省广州市南沙区进港大道1号",
        valid_until=None,
        portrait=PORTRAIT,
    )


def _portrait() -> bytes:
    out = io.BytesIO()
    Image.effect_noise((60, 80), 40).convert("RGB").save(out, "JPEG", quality=60)
    return out.getvalue()


PORTRAIT = _portrait()
CONSENTS = [Consent("data", "1", 0.0), Consent("face", "1", 0.0)]
RING = Keyring({1: bytes(range(32))})


def services_at(url: str) -> Services:
    """The card's services over a Redis or a cluster; no authority is asked."""
    return build(connect(url), RING, address="https://card.example", authority=None)  # type: ignore[arg-type]


def lost(services: Services, told: Acknowledged) -> dict[str, int]:
    """How many acknowledged writes of each kind are not there."""
    missing = dict.fromkeys(KINDS, 0)
    for credential_id, openid in told.issued.items():
        card = services.cards.of(Holder("wechat", openid))
        missing["issued"] += card is None or card.credential_id != credential_id
    for credential_id, issued in told.verified.items():
        found = services.cards._store.glance(credential_id).record
        missing["verified"] += int(found.get("a", b"0")) < issued
    for kind, status in (("frozen", Status.FROZEN), ("revoked", Status.REVOKED)):
        for credential_id in getattr(told, kind):
            card = services.cards.get(credential_id)
            missing[kind] += card is None or card.status is not status
    return missing


def shown_again(services: Services, told: Acknowledged) -> int:
    """How many cards that were revoked are accepted once more."""
    accepted = 0
    for credential_id in told.revoked:
        try:
            code = services.cards.mint(Holder("wechat", told.issued[credential_id])).code
            services.verifications.verify(VERIFIER, "desk", code, "internet_cafe")
        except UnavailableError:
            raise
        except CredentialError:
            continue
        accepted += 1
    return accepted


def calm(_: Cluster) -> str:
    """Nothing happens."""
    time.sleep(CALM_SECONDS)
    return "nothing"


def reshard(made: Cluster) -> str:
    """Slots move from one primary to another, with their keys."""
    time.sleep(1)
    keys = made.move(range(600), made.primary_of(16_000))
    return f"600 slots with {keys} keys moved to another primary"


def kill_primary(made: Cluster) -> str:
    """A primary is killed; its replica takes over."""
    time.sleep(2)
    victim = made.primary_of(8000)
    victim.kill()
    _until_other(made, victim)
    time.sleep(2)
    victim.start()
    made.settle()
    return "a primary killed with SIGKILL; it came back as a replica"


def stall_primary(made: Cluster) -> str:
    """A primary stands still for longer than the others wait, and goes on."""
    time.sleep(2)
    victim = made.primary_of(8000)
    victim.signal(signal.SIGSTOP)
    time.sleep(3 * NODE_TIMEOUT_MS / 1000)
    victim.signal(signal.SIGCONT)
    made.settle()
    return "a primary stopped with SIGSTOP for 6 s, while its replica took over, then continued"


def kill_replica(made: Cluster) -> str:
    """A replica is killed: what stops a card cannot be confirmed meanwhile."""
    time.sleep(1)
    victim = made.replica_of(made.primary_of(8000))
    victim.kill()
    time.sleep(3)
    victim.start()
    made.settle()
    return "a replica killed and started again 3 s later"


def _until_other(made: Cluster, victim: Node) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and made.primary_of(8000).port == victim.port:
        time.sleep(0.05)


EVENTS: tuple[Callable[[Cluster], str], ...] = (
    calm, reshard, kill_primary, stall_primary, kill_replica,
)  # fmt: skip


def rows(made: Cluster, services: Services) -> Iterator[list[str]]:
    """A row of the table for each event, each under load."""
    for event in EVENTS:
        made.settle()
        with Load(services, event.__name__) as told:
            what = event(made)
        made.settle()
        missing = lost(services, told)
        yield [
            what,
            *(f"{missing[kind]} of {told.count(kind)}" for kind in KINDS),
            f"{shown_again(services, told)} of {len(told.revoked)}",
            f"{told.refused['unavailable']}",
            f"{told.gap:.1f} s",
        ]


def costs(sheet: Sheet) -> None:
    """What a verification takes of processors: in the cluster, and with one server.

    Every server is the same program with the same settings, reached over TCP. What they use with
    nothing to do is measured first and left out, as it is nothing to a server that is busy.
    """
    with (
        cluster(*SAFE) as made,
        alone(*SAFE, replica=True) as pair,
        alone(replica=False) as single,
    ):
        primaries = [node for node in made.nodes if node.ask("ROLE")[0] == "master"]
        replicas = [node for node in made.nodes if node not in primaries]
        places: tuple[tuple[str, list[Node], list[Node]], ...] = (
            (made.url, primaries, replicas),
            (f"redis://127.0.0.1:{pair[0].port}", pair[:1], pair[1:]),
            (f"redis://127.0.0.1:{single[0].port}", single, []),
        )
        taken = [[cost(*place) for place in places] for _ in range(PAIRS + 1)][1:]

    def row(what: str, against: str, other: int, *parts: str, goal: Goal | None = None) -> None:
        """Per second of the named parts' processors, in the cluster and with the other."""
        pairs = [
            (1 / sum(each[0][part] for part in parts), 1 / sum(each[other][part] for part in parts))
            for each in taken
        ]
        sheet.keep(what, pairs, against=against, unit="/s", goal=goal)

    row(
        "cluster: verifications for each second of its primaries' processors",
        "one server with a replica",
        1,
        "primaries",
        goal=Goal("≥", 0.8),
    )
    row("the same, to a server that nobody follows", "one server alone", 2, "primaries")
    row("… of primaries and replicas", "one server with a replica", 1, "primaries", "replicas")
    row("… of the asking process", "one server with a replica", 1, "asking", goal=Goal("≥", 0.8))
    row(
        "… of all processors that take part",
        "one server with a replica", 1, "asking", "primaries", "replicas", goal=Goal("≥", 0.8),
    )  # fmt: skip


def cost(url: str, primaries: list[Node], replicas: list[Node]) -> dict[str, float]:
    """Processor seconds of one verification: of the primaries, the replicas, who asks."""
    services, dice = services_at(url), random.Random()
    codes = []
    for number in range(COUNT):
        holder = Holder("wechat", f"cost{dice.getrandbits(60)}-{number}")
        services.cards.issue(holder, somebody(dice), CONSENTS, evidence={})
        codes.append(services.cards.mint(holder).code)
    groups = {"primaries": primaries, "replicas": replicas}
    idle = _spent(groups, lambda: time.sleep(1.0))
    began, own = time.monotonic(), time.process_time()

    def ask() -> None:
        for code in codes:
            services.verifications.verify(VERIFIER, "desk", code, "internet_cafe")

    busy = _spent(groups, ask)
    own, took = time.process_time() - own, time.monotonic() - began
    services.redis.close()
    return {
        **{name: max(busy[name] - idle[name] * took, 1e-9) / COUNT for name in groups},
        "asking": own / COUNT,
    }


def _spent(groups: Mapping[str, list[Node]], act: Callable[[], None]) -> dict[str, float]:
    """Processor seconds of each group of servers while something is done."""
    before = {name: _cpu(nodes) for name, nodes in groups.items()}
    act()
    return {name: _cpu(nodes) - before[name] for name, nodes in groups.items()}


def _cpu(nodes: list[Node]) -> float:
    total = 0.0
    for node in nodes:
        said = node.ask("INFO", "cpu")
        total += float(said["used_cpu_user"]) + float(said["used_cpu_sys"])
    return total


def main() -> None:
    """Measure and publish."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with cluster(*SAFE) as made:
        rows_of_loss = list(rows(made, services_at(made.url)))
    sheet = Sheet("cluster")
    costs(sheet)
    publish("cluster", page(rows_of_loss, sheet))


def page(lost_rows: list[list[str]], sheet: Sheet) -> str:
    """The page of results."""
    return "\n".join([
        "# Redis Cluster",
        "",
        (f"Three primaries, a replica each, append-only, on loopback. {machine()}, "
        f"{len(os.sched_getaffinity(0))} cores for all six servers and the load of {THREADS} "
        f"threads. cluster-node-timeout {NODE_TIMEOUT_MS} ms, {' '.join(SAFE)}."),
        "",
        "## What is lost",
        "",
        "Acknowledged writes that are not there afterwards, of all that were acknowledged.",
        "",
        ("| under load | issued | verified (single use) | frozen | revoked | revoked, yet accepted "
        "| refused as unavailable | longest silence |"),
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        *("| " + " | ".join(row) + " |" for row in lost_rows),
        "",
        BOUNDS,
        "## What it costs",
        "",
        PER_CORE,
        "| " + " | ".join(COLUMNS) + " |",
        "|" + " --- |" * len(COLUMNS),
        *("| " + " | ".join(cells) + " |" for cells in sheet.table()),
        "",
    ])  # fmt: skip


BOUNDS = """\
What bounds the loss:

- **Freezing, revoking, erasing** wait until a replica has the write (`credentials/replicas.py`,
  one write and `WAIT 1 500`, the status read in the same write). Without a replica's word the
  answer is `unavailable`, the card is stopped all the same on the server that is there, and
  asking again confirms it. With one replica for each primary, none that was acknowledged can be
  lost to the death of one server. With more replicas for each primary, Redis elects the one
  that has most, as far as it can know.
- **Verifications and cards just issued** do not wait: an acknowledged one is lost if the primary
  dies before the replica has read its stream, which takes about a millisecond here. A lost
  verification means that its log entry is gone with it, and that the same code could be
  accepted once more; codes live 30 seconds, of which the take-over needs several.
- **`min-replicas-to-write 1`, `min-replicas-max-lag 2`** bound what a primary that was cut off
  from its replica goes on accepting: it refuses after 2 seconds, and the product answers 503.
- **A primary that stood still** and is overtaken learns so before it accepts anything: it was
  away longer than the node timeout, and asks the others first.
"""

PER_CORE = """\
"Per core" means: verifications for each second that processors were at work for them, whoever
owns the processors. The judged rows hold like against like: one server with the same program,
settings, TCP and one replica. What a replica costs its primary is no matter of clustering; it is
the second row's part. In a cluster a verification is four commands one after the other (who asks,
the script, the receipt with everybody's list, the verifier's list), because their keys lie in
different slots; on one server it is one script. What the servers use with
nothing to do is left out.
"""

if __name__ == "__main__":
    main()
