"""Limits of the skills, such as how far an object must move to count as moving.

They come from the reference world. Words with a definition there (slow, the slowest motion) use it. The
others are quantiles of lawful clips, measured by `validation.skill_card.measure_limits` on clips that are
used for nothing else:

- a requested motion must reach *half* of the least extent: of the world's slowest motion, or of the 1 %
quantile
  of the lawful clips with that motion;
- the misfit of a requested shape may be *twice* the 1 % quantile of the lawful clips;
- an object that was not requested counts from a *tenth* of the least requested and shown object on, in area
times
  contrast; less is a smudge;
- an object that should stay may move a *tenth* of the least extent of a motion. The 99 % quantile of
  the lawful clips in which it stays, in any look, is below that (``stays``, see `Source`).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final

from ...harness.core.keys import digest

__all__ = [
    "DIGEST",
    "FAST",
    "LIMITS",
    "SLOW",
    "SLOWEST",
    "SMUDGE",
    "SOURCE",
    "Limits",
    "Source",
    "least_travel",
    "still_travel",
]

SLOW: Final = 0.2
FAST: Final = 0.3
"""Sides per second: the world calls a motion slow up to `SLOW`, and fast from `FAST` on."""
SMUDGE: Final = 0.1
"""Of the area times contrast of the least requested object: less does not count as an object."""
SLOWEST: Final = (0.13, 0.2)
"""The slowest motion of the world: sides per second, and sides in all; the larger distance counts."""


@dataclass(frozen=True)
class Limits:
    """Limits in sides (square roots of the frame's area) and seconds.

    Attributes:
        shown_share: least share of frames in which an object is seen, to count as shown.
        shape_fit: least fit of the best outline to an object with a shape (see `Tracks.shape_NTS`).
        relation_apart: least offset of two objects along their relation, over the sum of their half extents.
        speed: sides per second; from here on nearer to fast than to slow.
        bounce_drop, bounce_climb: how far a bouncing object must fall, and rise again.
        throw_arc: how far a thrown object must rise above the straight line of its trajectory.
        pan: how far the view must shift to its side.
        zoom: least absolute logarithm of the zoom.
        still_view, still_zoom: largest shift and zoom of a still view.
    """

    shown_share: float
    shape_fit: float
    relation_apart: float
    speed: float
    bounce_drop: float
    bounce_climb: float
    throw_arc: float
    pan: float
    zoom: float
    still_view: float
    still_zoom: float


@dataclass(frozen=True)
class Source:
    """The clips that the limits were measured on.

    Attributes:
        world: version of the reference world at that time.
        tracker: version of the tracker ``world``.
        clips, seed: number of scenes of each family and their seed; each is used in every look.
        looks: of `validation.looks.LOOKS`.
        stays: 99 % quantiles of what stays: the extent of a thing's way, how far the view goes, and its zoom.
    """

    world: int
    tracker: int
    clips: int
    seed: int
    looks: tuple[str, ...]
    stays: tuple[float, float, float]


SOURCE: Final = Source(
    world=2,
    tracker=5,
    clips=60,
    seed=0,
    looks=("plain", "ground", "noise", "crf28", "resized"),
    stays=(0.00104, 0.00433, 0.0107),
)
LIMITS: Final = Limits(
    shown_share=0.375,
    shape_fit=0.713,
    relation_apart=0.91,
    speed=(SLOW + FAST) / 2,
    bounce_drop=0.103,
    bounce_climb=0.114,
    throw_arc=0.0443,
    pan=0.132,
    zoom=0.146,
    still_view=0.0264,
    still_zoom=0.0292,
)
DIGEST: Final = digest("skill limits", {"limits": asdict(LIMITS), "smudge": SMUDGE, "source": asdict(SOURCE)})
"""Digest of the limits and their source: part of the evidence of every score."""


def least_travel(seconds: float) -> float:
    """Return how far an object must move in a clip to count as moving: half of the world's slowest motion.

    Example:
        >>> least_travel(1.0)
        0.1
    """
    return 0.5 * _slowest(seconds)


def still_travel(seconds: float) -> float:
    """Return how far an object may move in a clip and still count as still: a tenth of the slowest motion.

    Example:
        >>> still_travel(2.0)
        0.026
    """
    return 0.1 * _slowest(seconds)


def _slowest(seconds: float) -> float:
    rate, whole = SLOWEST
    return max(rate * seconds, whole)
