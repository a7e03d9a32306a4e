"""Which server carries this product best: its own mix of requests under each that is installed.

    python -m benchmarks.servers [NAME …]

granian comes with the product; `make peers` brings the others. One worker process each, over the
same Redis, in turn with granian (one blocking thread) within one run; the figure is the ratio of
their rates, once with 4 and once with 32 connections kept open. The mix is scans, repeated scans,
forged codes and chat turns, as in the soak. Whether a second thread still helps where every core
has a process is the last pair: two threads each against one each.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence

from benchmarks import stage
from benchmarks.harness import (
    PAIRS,
    RESULTS,
    START_SECONDS,
    Ratio,
    drive,
    get,
    machine,
    peer,
    server,
    started,
    with_peers,
)
from benchmarks.nodes import until
from benchmarks.soak import Mix

FACTORY = "app:create_app_from_environment"
WAITRESS = (
    "import sys, waitress, app; waitress.serve(app.create_app_from_environment(), "
    "host='127.0.0.1', port=int(sys.argv[1]), threads={threads})"
)
GUNICORN = (
    "-m", "gunicorn", "-w", "1", "-b", "127.0.0.1:{port}", "--log-level", "error",
    "--timeout", "120", f"{FACTORY}()",
)  # fmt: skip
UWSGI = (
    "-c", "import sys, pyuwsgi; pyuwsgi.run(sys.argv[1:])",
    # The one of its sockets that keeps a connection open for the next request.
    "--http11-socket", "127.0.0.1:{port}", "--so-keepalive", "--master", "--processes", "1",
    "--need-app", "--die-on-term", "--disable-logging", "--lazy-apps", "--enable-threads",
    "--module", f"{FACTORY}()",
)  # fmt: skip
SERVERS: Mapping[str, tuple[str, Sequence[str]]] = {
    "granian, 2 threads": ("granian", ()),
    "gunicorn, gthread, 1 thread": ("gunicorn", (*GUNICORN, "-k", "gthread", "--threads", "1")),
    "gunicorn, gthread, 4 threads": ("gunicorn", (*GUNICORN, "-k", "gthread", "--threads", "4")),
    "gunicorn, gevent": ("gevent", (*GUNICORN, "-k", "gevent")),
    "uwsgi, 1 thread": ("pyuwsgi", (*UWSGI, "--threads", "1")),
    "uwsgi, 4 threads": ("pyuwsgi", (*UWSGI, "--threads", "4")),
    "waitress, 1 thread": ("waitress", ("-c", WAITRESS.format(threads=1), "{port}")),
    "waitress, 4 threads": ("waitress", ("-c", WAITRESS.format(threads=4), "{port}")),
}
"""By name: the module that it needs, and how it is started; granian is started by the harness."""
CONNECTIONS = (4, 32)
CHUNKS = 4
COLUMNS = ("server", "connections", "its rate", "granian's", "ratio", "lowest to highest")


def main(wanted: Sequence[str]) -> None:
    """Measure those whose name begins with a wanted word, all if none; publish."""
    chosen = [
        name for name in SERVERS if not wanted or any(name.startswith(word) for word in wanted)
    ]
    rows = []
    with stage.stage() as scene:
        mix = Mix(scene)
        with server(FACTORY, scene.environment) as granian:
            for name in chosen:
                rows += _measure(name, scene, mix, granian)
        if not wanted:
            rows += _a_process_a_core(scene, mix)
    lines = ["# Servers under the product's mix", "", __doc__.partition("\n\n")[2].strip(), ""]
    lines += [f"{machine()}; medians of {PAIRS} pairs.", ""]
    lines += ["| " + " | ".join(COLUMNS) + " |", "|" + " --- |" * len(COLUMNS)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    page = "\n".join(lines) + "\n"
    print(page)
    if not wanted:
        (RESULTS / "servers.md").write_text(page, encoding="utf-8")


def _measure(name: str, scene: stage.Stage, mix: Mix, granian: int) -> list[list[str]]:
    module, arguments = SERVERS[name]
    if not peer(module):
        return [[name, "", "not installed: `make peers`", "", "", ""]]
    other = (
        started(arguments, with_peers(scene.environment))
        if arguments
        else server(FACTORY, scene.environment, threads=2)
    )  # fmt: skip
    with other as port:
        return _against(name, mix, port, granian)


def _a_process_a_core(scene: stage.Stage, mix: Mix) -> list[list[str]]:
    """The product as it is started, and the same with two threads in each process."""
    cores = os.cpu_count() or 1
    name = f"granian, {cores} processes with 2 threads, to {cores} with one"
    with (
        server(FACTORY, scene.environment, workers=cores) as one,
        server(FACTORY, scene.environment, workers=cores, threads=2) as two,
    ):
        _await_answer(one)
        return _against(name, mix, two, one)


def _against(name: str, mix: Mix, port: int, granian: int) -> list[list[str]]:
    _await_answer(port)
    rows = []
    for connections in CONNECTIONS:
        pairs = [
            (_rate(port, mix, connections), _rate(granian, mix, connections))
            for _ in range(PAIRS + 1)
        ]
        found = Ratio(tuple(pairs[1:]))
        rows.append([name, str(connections), *found.row("/s")])
        print(f"{name}, {connections} connections: {found.median:.2f}", file=sys.stderr)
    return rows


def _await_answer(port: int) -> None:
    """Some bind their port long before they can answer."""
    until(lambda: _answers(port), "it does not answer", START_SECONDS)


def _answers(port: int) -> bool:
    try:
        return drive(port, [get("/healthz")], 1).statuses == {200: 1}
    except RuntimeError:
        return False


def _rate(port: int, mix: Mix, connections: int) -> float:
    requests = [each for _ in range(CHUNKS) for each in mix.chunk()]
    return drive(port, requests, connections).rate


if __name__ == "__main__":
    main(sys.argv[1:])
