"""`make bench`: every benchmark, its table printed and kept in `benchmarks/results/`."""

from __future__ import annotations

from benchmarks import faces, requests

if __name__ == "__main__":
    requests.main()
    faces.main()
