"""How the benchmarks measure: servers started alike, requests made beforehand, ratios in pairs.

The machines are noisy, so a figure is never an absolute time alone: a thing and its limit run in
turn (A B A B …) within one run, and what counts is the median of the pairs' ratios.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import os
import platform
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from commands.player.product import free_port

RESULTS = Path(__file__).parent / "results"
PAIRS = 7
START_SECONDS = 300  # a face model and a busy machine; it is an end, not a wait
PEERS = Path(sys.prefix) / "peers"
"""Where `make peers` puts what the product is compared with, apart from what it runs on."""
NONE: Mapping[str, str] = {}


class Served(int):
    """The port of a server, and the process that serves it."""

    pid: int

    def __new__(cls, port: int, pid: int) -> Served:
        """A port that knows its process."""
        made = super().__new__(cls, port)
        made.pid = pid
        return made


@dataclasses.dataclass(frozen=True, slots=True)
class Load:
    """What one load saw: answers a second, their latencies in seconds, and answers by status."""

    rate: float
    latencies: tuple[float, ...]
    statuses: Mapping[int, int]

    def percentile(self, share: float) -> float:
        """The latency that `share` (0 to 1) of the answers stayed under, in seconds."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@dataclasses.dataclass(frozen=True, slots=True)
class Ratio:
    """Pairs of figures of a thing and its limit, and their ratios."""

    pairs: tuple[tuple[float, float], ...]

    @property
    def ratios(self) -> list[float]:
        """Each pair's own ratio, thing to limit."""
        return [thing / limit for thing, limit in self.pairs]

    @property
    def median(self) -> float:
        """The median of the pairs' ratios."""
        return statistics.median(self.ratios)

    def row(self, unit: str) -> list[str]:
        """Table cells: the thing's median, the limit's, the ratio's median, lowest, highest."""
        thing = statistics.median(pair[0] for pair in self.pairs)
        limit = statistics.median(pair[1] for pair in self.pairs)
        low, high = min(self.ratios), max(self.ratios)
        return [
            f"{thing:,.4g} {unit}",
            f"{limit:,.4g} {unit}",
            f"**{self.median:.2f}**",
            f"{low:.2f} to {high:.2f}",
        ]


def paired(thing: Callable[[], float], limit: Callable[[], float], pairs: int = PAIRS) -> Ratio:
    """Measure the two in turn, once each beforehand to warm up."""
    thing()
    limit()
    return Ratio(tuple((thing(), limit()) for _ in range(pairs)))


def seconds_each(function: Callable[[], object], times: int) -> float:
    """The mean seconds of one call among `times` calls."""
    began = time.perf_counter()
    for _ in range(times):
        function()
    return (time.perf_counter() - began) / times


def await_port(port: int) -> None:
    """Return when something listens on a port of 127.0.0.1.

    Raises:
        RuntimeError: when nothing does in time.
    """
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with contextlib.closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"nothing listens on port {port}")


@contextlib.contextmanager
def server(
    target: str, environment: Mapping[str, str], *, workers: int = 1, threads: int = 1
) -> Iterator[Served]:
    """A WSGI factory `module:function` under granian; yields its port."""
    command = ["-m", "granian", "--interface", "wsgi", "--factory", "--host", "127.0.0.1"]
    command += ["--port", "{port}", "--workers", str(workers)]
    command += ["--blocking-threads", str(threads), "--log-level", "error", target]
    with started(command, environment) as port:
        yield port


@contextlib.contextmanager
def started(arguments: Sequence[str], environment: Mapping[str, str]) -> Iterator[Served]:
    """A Python program that listens on `{port}` among its arguments; yields that port."""
    port = free_port()
    command = [sys.executable, *(each.replace("{port}", str(port)) for each in arguments)]
    process = subprocess.Popen(command, env={**os.environ, **environment})
    try:
        await_port(port)
        yield Served(port, process.pid)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


def peer(module: str) -> bool:
    """Whether a peer is installed: among the product's packages, or in the peers' own folder."""
    if str(PEERS) not in sys.path:
        sys.path.append(str(PEERS))
    return importlib.util.find_spec(module) is not None


def with_peers(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process that may import the peers."""
    return {**environment, "PYTHONPATH": str(PEERS)}


def post(path: str, body: bytes, content_type: str, headers: Mapping[str, str] = NONE) -> bytes:
    """The bytes of a POST request on a connection that is kept."""
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Type: {content_type}"]
    lines += [
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def get(path: str, headers: Mapping[str, str] = NONE) -> bytes:
    """The bytes of a GET request on a connection that is kept."""
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1"]
    return "\r\n".join(
        [*lines, *(f"{name}: {value}" for name, value in headers.items())]
    ).encode() + (b"\r\n\r\n")


def drive(port: int, requests: Sequence[bytes], connections: int = 4) -> Load:
    """Send every request once, over some connections at a time, and wait for each answer."""
    shares = [requests[start::connections] for start in range(connections)]
    seen: list[list[tuple[float, int]]] = [[] for _ in shares]
    threads = [
        threading.Thread(target=_drive_one, args=(port, share, out))
        for share, out in zip(shares, seen, strict=True)
    ]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - began
    answers = [answer for out in seen for answer in out]
    if len(answers) != len(requests):
        raise RuntimeError(f"{len(requests) - len(answers)} of {len(requests)} requests unanswered")
    statuses: dict[int, int] = {}
    for _, status in answers:
        statuses[status] = statuses.get(status, 0) + 1
    return Load(len(answers) / took, tuple(latency for latency, _ in answers), statuses)


def _drive_one(port: int, requests: Sequence[bytes], out: list[tuple[float, int]]) -> None:
    with contextlib.closing(socket.create_connection(("127.0.0.1", int(port)), timeout=30)) as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for request in requests:
            began = time.perf_counter()
            line.sendall(request)
            status = _answer(line)
            out.append((time.perf_counter() - began, status))


def _answer(line: socket.socket) -> int:
    """Read one whole answer; return its status."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _some(line)
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for field in head.lower().split(b"\r\n"):
        if field.startswith(b"content-length:"):
            length = int(field[15:])
    while len(body) < length:
        body += _some(line)
    return int(head[9:12])


def _some(line: socket.socket) -> bytes:
    data = line.recv(65536)
    if not data:
        raise ConnectionError("the server closed the connection")
    return data


def machine() -> str:
    """One line about where the figures were taken."""
    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}, {time.strftime('%Y-%m-%d')}"
    )


def table(title: str, note: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown page with one table."""
    lines = [f"# {title}", "", note, "", f"{machine()}.", ""]
    lines += ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def publish(name: str, page: str) -> None:
    """Print a page and keep it in `benchmarks/results/`."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{name}.md").write_text(page, encoding="utf-8")
    print(page)
