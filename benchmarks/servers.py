"""Which server carries this product best: its own mix of requests under each that is installed.

    python -m benchmarks.servers

granian comes with the product; for the others: `pip install gunicorn waitress` into a folder of its
own, named in PYTHONPATH. gunicorn's plain worker closes each connection after an answer, which
this harness does not do; its gthread worker is measured. The mix is scans, repeated scans, forged
codes and chat turns. The figure is the ratio to granian's, in pairs within one run.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator

from benchmarks import stage
from benchmarks.harness import Ratio, await_port, drive, free_port, publish, server, table
from benchmarks.soak import Mix

FACTORY = "app:create_app_from_environment()"
WAITRESS = (
    "import sys, waitress, app; waitress.serve(app.create_app_from_environment(), "
    "host='127.0.0.1', port=int(sys.argv[1]), threads=1)"
)
OTHERS = {
    "gunicorn, gthread": [
        "-m", "gunicorn", "-k", "gthread", "--threads", "4", "-w", "1", "-b", "127.0.0.1:{port}",
        FACTORY,
    ],
    "waitress": ["-c", WAITRESS, "{port}"],
}  # fmt: skip
CHUNKS = 4


def main() -> None:
    """Measure and publish."""
    rows = []
    with stage.stage() as scene:
        mix = Mix(scene)
        for name, arguments in OTHERS.items():
            if importlib.util.find_spec(name.partition(",")[0]) is None:
                rows.append([name, "not installed", "", "", ""])
                continue
            with (
                _started(arguments, scene.environment) as other,
                server("app:create_app_from_environment", scene.environment) as granian,
            ):
                rates = Ratio(
                    tuple((_rate(other, mix), _rate(granian, mix)) for _ in range(7 + 1))[1:]
                )
            rows.append([name, *rates.row("/s")])
    note = __doc__.partition("\n\n")[2].split("    python")[0] + (
        "One process each over the same Redis, four connections kept open, in turn with granian "
        "(one thread) within one run."
    )
    publish(
        "servers",
        table(
            "Servers under the product's mix", note.strip(),
            ("server", "its rate", "granian's", "ratio, median of 7 pairs", "lowest to highest"),
            rows,
        ),
    )  # fmt: skip


def _rate(port: int, mix: Mix) -> float:
    requests = [each for _ in range(CHUNKS) for each in mix.chunk()]
    return drive(port, requests).rate


@contextlib.contextmanager
def _started(arguments: list[str], environment: dict[str, str]) -> Iterator[int]:
    port = free_port()
    command = [sys.executable, *(each.format(port=port) for each in arguments)]
    process = subprocess.Popen(
        command, env={**os.environ, **environment}, stderr=subprocess.DEVNULL
    )
    try:
        await_port(port)
        yield port
    finally:
        process.terminate()
        process.wait(20)


if __name__ == "__main__":
    main()
