"""`make bench`: every benchmark, its table printed and kept in `benchmarks/results/`."""

from __future__ import annotations

from benchmarks import bytes as sizes
from benchmarks import faces, requests, sealing

if __name__ == "__main__":
    requests.main()
    sealing.main()
    sizes.main()
    faces.main()
