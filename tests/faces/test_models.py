"""The models under several threads, as a worker has them."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from faces import selfie
from web.demo import CITIZENS

THREADS = 4
TIMES = 3


def test_threads_do_not_get_each_others_faces() -> None:
    photos = [citizen.portrait() for citizen in CITIZENS]
    alone = [selfie.measure(photo).template for photo in photos]
    found: list[tuple[int, NDArray[np.float64]]] = []

    def measure(place: int) -> None:
        found.extend((place, selfie.measure(photos[place]).template) for _ in range(TIMES))

    threads = [
        threading.Thread(target=measure, args=(number % len(photos),)) for number in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == THREADS * TIMES
    for place, template in found:
        assert np.allclose(template, alone[place])
