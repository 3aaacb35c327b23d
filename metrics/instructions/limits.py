"""Limits of the skills: how far something must go to move, how near it must stay to be still.

They come from the reference world, in two ways. Where its own words have a definition (what is slow, the
slowest motion that it shows), that is taken. The others are quantiles of lawful clips, measured by
`validation.skill_card.measure_limits` on clips that nothing else is tried on:

- what is asked to happen must reach *half* of the least by which it happens: of the world's slowest motion,
  or of the 1 % quantile of the lawful clips in which it does;
- what is asked to have a shape may miss its outline by *twice* as much as the 1 % quantile of the lawful
  clips;
- what nobody asked for may show a *tenth* of the least thing that is asked for and shown, as its area times
  its contrast: less is a smudge;
- what is asked to stay may go a *tenth* of the least by which it moves where it does. The 99 % quantile of
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
"""Sides a second: up to the first the world calls a motion slow, from the second on fast."""
SMUDGE: Final = 0.1
"""Of the area times contrast of the least thing that is asked for: what shows less is no thing."""
SLOWEST: Final = (0.13, 0.2)
"""The slowest motion of the world: so many sides a second, and so many sides in all, whichever is more."""


@dataclass(frozen=True)
class Limits:
    """Limits in sides (square roots of the frame's area) and seconds.

    Attributes:
        shown_share: of the frames, in which a thing is at least seen that is shown.
        shape_fit: of the best outline to a thing that has a shape (see `Tracks.shape_NTS`).
        relation_apart: offset of two things along the way of their relation, over the sum of their half
            extents.
        speed: sides a second; from here on nearer to fast than to slow.
        bounce_drop, bounce_climb: how far a thing that bounces falls, and rises again.
        throw_arc: how far a thing that is thrown rises above the straight line of its way.
        pan: how far the view goes to its side.
        zoom: logarithm of how much nearer the view comes, or farther away.
        still_view, still_zoom: how far a view goes, and comes, that stays.
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
    """What the limits were measured on.

    Attributes:
        world: version of the reference world at that time.
        tracker: version of the source of tracks ``world`` at that time; a later one is not claimed here.
        clips, seed: so many scenes of each family, by one seed, each in every look.
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
    tracker=4,
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
"""Of the limits and of what they were measured on: part of the evidence of every score."""


def least_travel(seconds: float) -> float:
    """Tell how far something must go in a clip to have moved: half as far as the world's slowest motion goes.

    Example:
        >>> least_travel(1.0)
        0.1
    """
    return 0.5 * _slowest(seconds)


def still_travel(seconds: float) -> float:
    """Tell how far something may go in a clip and still have stayed where it was: a tenth as far.

    Example:
        >>> still_travel(2.0)
        0.026
    """
    return 0.1 * _slowest(seconds)


def _slowest(seconds: float) -> float:
    rate, whole = SLOWEST
    return max(rate * seconds, whole)
