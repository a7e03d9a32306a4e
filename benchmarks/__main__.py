"""`make bench`: every benchmark, or the groups that are named.

    python -m benchmarks [GROUP …]

Tables and the plot go to `benchmarks/results/`; docs/benchmarks.md explains each row.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from benchmarks import bytes as sizes
from benchmarks import (
    cluster,
    desk,
    faces,
    flow,
    growth,
    requests,
    rounds,
    sealing,
    sheet,
    sizing,
    units,
)
from benchmarks.harness import RESULTS, peer
from benchmarks.sheet import Sheet

GROUPS: Mapping[str, tuple[str, Callable[[Sheet], None]]] = {
    "requests": ("verification, code refresh, chat turn, duplicate, over HTTP", requests.main),
    "rounds": ("approval round, job enqueue, QR picture", rounds.main),
    "sealing": ("seal and unseal", sealing.main),
    "faces": ("a 12-megapixel selfie, a video, an ID card, memory, search", faces.main),
    "flow": ("the console's flow page, and what its figures cost a turn", flow.main),
    "desk": ("from a code before the camera to the answer on the desk's screen", desk.main),
    "cluster": ("a verification through a 3 + 3 cluster, by processor", cluster.costs),
    "growth": ("a verification among a million cards (some minutes to write them)", growth.main),
    "units": ("processor time of one request of each kind, for the sizing", units.main),
    "bytes": ("bytes per credential at 100,000 cards", sizes.main),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the wanted groups, show every row as it is done, and keep all."""
    told = "\n".join(f"  {name:<10} {what}" for name, (what, _) in GROUPS.items())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__.partition("\n\n")[0],
        epilog=f"groups:\n{told}\n\nresults: {RESULTS}\nrows explained: docs/benchmarks.md",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("groups", nargs="*", metavar="GROUP", help="which; all if none is named")
    wanted = parser.parse_args(arguments).groups or list(GROUPS)
    unknown = [name for name in wanted if name not in GROUPS]
    if unknown:
        parser.error(f"no such group: {', '.join(unknown)}; there are {', '.join(GROUPS)}")
    if not peer("segno"):
        print("peers are not installed: `make peers` brings them", file=sys.stderr)
    began = time.monotonic()
    for place, name in enumerate(wanted, 1):
        print(f"[{place} of {len(wanted)}] {name}: {GROUPS[name][0]}", file=sys.stderr, flush=True)
        made = Sheet(name)
        GROUPS[name][1](made)
        # Kept after each group: a run that is broken off loses only what it was at.
        sheet.write(sheet.merged(sheet.read(), made.rows, list(GROUPS)))
    print(sheet.page(sheet.read()))
    if sizing.write():
        print("docs/sizing.md was written anew from these unit costs", file=sys.stderr)
    print(f"{time.monotonic() - began:.0f} s; tables and plots are in {RESULTS}", file=sys.stderr)


if __name__ == "__main__":
    main()
