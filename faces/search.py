"""Find who already has this face: exact nearest templates, in memory.

One row per template, float32, so 400,000 cards take 206 MB (229 with room to grow) and a search
50 ms: a matrix product over all of them, without an index that could miss one. Rows removed are
filled by the last row. Beyond a few million a process takes one share each (by the first byte of
the id, say) and the nearest of all shares is the answer.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

from faces import encode
from faces.compare import GREY_HALF_WIDTH, THRESHOLD
from faces.encode import Template

# A near twin goes to a manual review, so the whole grey band counts as near.
NEAR: Final = THRESHOLD + GREY_HALF_WIDTH
FIRST_ROWS: Final = 1024


@dataclasses.dataclass(frozen=True, slots=True)
class Neighbour:
    """A template that is near: whose, and how far."""

    key: str
    distance: float


class Index:
    """Templates by key. Not for several threads at once: a worker process holds its own."""

    def __init__(self, templates: Iterable[tuple[str, Template]] = ()) -> None:
        self._rows: npt.NDArray[np.float32] = np.zeros((FIRST_ROWS, encode.SIZE), np.float32)
        self._squares: npt.NDArray[np.float32] = np.zeros(FIRST_ROWS, np.float32)
        self._keys: list[str] = []
        self._places: dict[str, int] = {}
        for key, template in templates:
            self.add(key, template)

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, key: object) -> bool:
        return key in self._places

    @property
    def nbytes(self) -> int:
        """Bytes that the templates take (keys not counted)."""
        return self._rows.nbytes + self._squares.nbytes

    def add(self, key: str, template: Template) -> None:
        """Add a template, or put it in the place of the one that the key has.

        Raises:
            ValueError: for a template that is not 128 finite numbers.
        """
        if template.shape != (encode.SIZE,) or not np.isfinite(template).all():
            raise ValueError("a template is 128 finite numbers")
        place = self._places.get(key)
        if place is None:
            place = len(self._keys)
            if place == len(self._rows):
                self._resize(place + max(FIRST_ROWS, place // 4))
            self._keys.append(key)
            self._places[key] = place
        self._rows[place] = template
        self._squares[place] = np.square(self._rows[place]).sum()

    def remove(self, key: str) -> bool:
        """Remove a template; whether there was one."""
        place = self._places.pop(key, None)
        if place is None:
            return False
        last = len(self._keys) - 1
        if place != last:
            self._rows[place] = self._rows[last]
            self._squares[place] = self._squares[last]
            self._keys[place] = self._keys[last]
            self._places[self._keys[place]] = place
        self._keys.pop()
        # What was removed must be gone from memory too, not only from reach.
        self._rows[last] = 0
        self._squares[last] = 0
        return True

    def search(
        self, template: Template, *, within: float = NEAR, most: int = 5, but: str = ""
    ) -> list[Neighbour]:
        """The nearest templates, the nearest first.

        Args:
            template: whose neighbours.
            within: the greatest distance.
            most: how many at most.
            but: a key that does not count: the person's own.
        """
        count = len(self._keys)
        if count == 0:
            return []
        wanted = np.asarray(template, dtype=np.float32)
        # |a - b|^2 = |a|^2 + |b|^2 - 2ab: one pass over the rows and no copy of them.
        squares = self._squares[:count] - 2 * (self._rows[:count] @ wanted) + wanted @ wanted
        own = self._places.get(but)
        if own is not None:
            squares[own] = np.inf
        candidates = np.flatnonzero(squares <= (within + 1e-3) ** 2)
        if len(candidates) > most:
            candidates = candidates[np.argpartition(squares[candidates], most)[:most]]
        # Once more, exactly: the sum above loses digits where two templates are close.
        exact = np.linalg.norm(self._rows[candidates].astype(np.float64) - template, axis=1)
        found = [
            Neighbour(self._keys[int(place)], float(distance))
            for place, distance in zip(candidates, exact, strict=True)
            if distance <= within
        ]
        return sorted(found, key=lambda each: each.distance)

    def _resize(self, rows: int) -> None:
        """Make room, moving what is there."""
        grown: npt.NDArray[np.float32] = np.zeros((rows, encode.SIZE), np.float32)
        grown[: len(self._rows)] = self._rows
        squares: npt.NDArray[np.float32] = np.zeros(rows, np.float32)
        squares[: len(self._squares)] = self._squares
        self._rows, self._squares = grown, squares
