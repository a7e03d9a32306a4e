"""Compare two templates: the same person, another one, or too close to call."""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np

from faces.encode import Template

# On 300 pairs of photos of celebrities this encoder has at 0.5 FMR 0/262 and FNMR 1/38. Around
# it is a grey band where a person, not a number, decides. See docs/faces.md.
THRESHOLD: Final = 0.5
GREY_HALF_WIDTH: Final = 0.05


@dataclasses.dataclass(frozen=True, slots=True)
class Comparison:
    """What two templates say of each other.

    Attributes:
        match: whether the distance is at most the threshold.
        distance: Euclidean, from 0 (the same picture) to about 1.2.
        threshold: what it was held against.
        doubtful: whether the distance lies in the grey band around the threshold, so that a
            manual review decides, match or not.
    """

    match: bool
    distance: float
    threshold: float
    doubtful: bool


def distance(a: Template, b: Template) -> float:
    """The Euclidean distance of two templates."""
    return float(np.linalg.norm(a - b))


def compare(a: Template, b: Template, *, threshold: float = THRESHOLD) -> Comparison:
    """Compare two templates.

    Raises:
        ValueError: for a template that is not 128 finite numbers: never a match by accident.
    """
    for template in (a, b):
        if template.shape != (128,) or not np.isfinite(template).all():
            raise ValueError("a template is 128 finite numbers")
    apart = distance(a, b)
    return Comparison(
        match=apart <= threshold,
        distance=apart,
        threshold=threshold,
        doubtful=abs(apart - threshold) <= GREY_HALF_WIDTH,
    )
