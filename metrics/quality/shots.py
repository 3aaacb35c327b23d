"""Measures of how a clip is put together: hard cuts, and loops."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from ..base import NotApplicable, Sample, Scored, measure
from ..encoders.base import Feature
from ..encoders.shots import SHOTS, SMALL_FRAMES, UNLIKE
from .blank import BLANK, refuse_blank

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["cuts", "cuts_of", "find_cuts", "find_loop", "loop", "seconds_a_row", "shots_of"]

_STANDS_OUT: Final = 3.0
"""How many times the median change of the pairs around it a cut has at least."""
_AROUND: Final = 5
"""Pairs on either side that a cut is held against."""
_FEWEST: Final = 8
"""Thumbnails of a clip that may loop: a second at the rate of sampling."""
_SHORTEST: Final = 4
"""Thumbnails of the shortest part that may be played again: half a second."""
_STILL: Final = 1.0
"""Levels of 255 that the thumbnails of a moving clip are apart at least, at the farthest."""


@measure(
    "motion.cuts",
    version=1,
    needs=(SHOTS, BLANK),
    better="neither",
    bounds=(0.0, None),
    unit="cuts",
    sees={"swap": "rises"},
)
def cuts(sample: Sample) -> Scored:
    """Number of hard cuts: neighbouring frames that are unlike, in a stretch of a clip that is not.

    A fade or dissolve is none, nor is any change in a clip whose frames are all unlike each other, such as
    noise. A cut between two shots of the same composition may be missed.

    Raises:
        NotApplicable: the clip has fewer than four frames, or is blank.
    """
    refuse_blank(sample)
    change_T = sample.features[SHOTS][:, 0]
    if len(change_T) < 3:
        raise NotApplicable("fewer than four frames")
    found = find_cuts(change_T)
    return Scored(float(len(found)), {"frames": found, "largest_change": float(change_T.max())})


def find_cuts(change_T: NDArray[np.floating]) -> list[int]:
    """List the first frame of each shot but the first.

    Args:
        change_T: the column of the feature ``shots``, (T - 1,).

    Example:
        >>> import numpy as np
        >>> find_cuts(np.array([0.01, 0.02, 0.9, 0.01, 0.02]))
        [3]
    """
    found: list[int] = []
    for pair in np.flatnonzero(change_T >= UNLIKE):
        around = np.concatenate([change_T[max(0, pair - _AROUND) : pair], change_T[pair + 1 :][:_AROUND]])
        if len(around) >= 2 and change_T[pair] >= _STANDS_OUT * np.median(around):
            found.append(int(pair) + 1)
    return found


def cuts_of(sample: Sample) -> list[int]:
    """List the cuts of a sample by the first frame after each; none where the feature is not there."""
    change_T = sample.features.get(SHOTS)
    return [] if change_T is None or len(change_T) < 3 else find_cuts(change_T[:, 0])


def shots_of(frames: int, found: list[int]) -> list[tuple[int, int]]:
    """Return the shots of a clip between its cuts: first frame, and the one after the last."""
    edges = [0, *found, frames]
    return list(itertools.pairwise(edges))


@measure(
    "motion.loop",
    version=1,
    needs=(SMALL_FRAMES, BLANK),
    better="neither",
    bounds=(0.0, 1.0),
    kind="rate",
    sees={"loop": "rises"},
)
def loop(sample: Sample) -> Scored:
    """Whether a clip loops: its end leads back to its start, or a part of it is played again.

    Read off thumbnails, 8 a second. A thing that swings to and fro and stops where it began does so too.

    Raises:
        NotApplicable: the clip has less than about a second, nothing moves, or it is blank.
    """
    refuse_blank(sample)
    small_TD = sample.features[SMALL_FRAMES].astype(np.float64)
    if len(small_TD) < _FEWEST:
        raise NotApplicable(f"fewer than {_FEWEST} frames at 8 frames a second")
    found = find_loop(small_TD)
    if found is None:
        raise NotApplicable("nothing moves")
    seconds = seconds_a_row(sample, small_TD)
    evidence = {"seam": found.seam, "step": found.step, "farthest": found.farthest}
    if found.period is not None:
        return Scored(1.0, {"kind": "played again", "period_seconds": found.period * seconds, **evidence})
    return Scored(1.0, {"kind": "closed", **evidence}) if found.closed else Scored(0.0, evidence)


def seconds_a_row(sample: Sample, rows: Feature) -> float:
    """Return the time between two rows of a feature of evenly sampled frames; 0 where it is not known."""
    duration = None if sample.clip is None else sample.clip.duration
    return 0.0 if duration is None else duration / len(rows)


@dataclass(frozen=True)
class Loop:
    """How the thumbnails of a clip lie to each other, in levels of 255 (root mean square).

    Attributes:
        seam: from the last to the first.
        step: from one to the next, on average.
        farthest: from the first to the one farthest from it.
        closed: whether the end leads back to the start.
        period: of the part that is played again, in thumbnails; None if there is none.
    """

    seam: float
    step: float
    farthest: float
    closed: bool
    period: int | None


def find_loop(small_TD: Feature) -> Loop | None:
    """Find how a clip loops from its thumbnails (T, D); None if nothing moves.

    It is closed if the seam is at most 1.5 steps and the farthest frame four times as far. A part of P
    thumbnails is played again if frames P apart are, on average, less than half as far from each other as
    neighbours are; P is at most half of the clip.
    """
    count = len(small_TD)
    from_first = np.sqrt(np.square(small_TD - small_TD[0]).mean(axis=1))
    farthest, seam = float(from_first.max()), float(from_first[-1])
    if farthest < _STILL:
        return None
    step = float(np.sqrt(np.square(np.diff(small_TD, axis=0)).mean(axis=1)).mean())
    apart = _distances(small_TD)
    periods = np.arange(_SHORTEST, count // 2 + 1)
    again = periods[apart[periods] < apart[1] / 4]  # squares: half the distance
    closed = seam <= 1.5 * step and farthest >= 4 * max(seam, step)
    return Loop(seam, step, farthest, closed, int(again[0]) if len(again) else None)


def _distances(small_TD: Feature) -> NDArray[np.float64]:
    """Return the mean square distance of thumbnails g apart, for every g: (T,), by the FFT."""
    from scipy.signal import fftconvolve

    count = len(small_TD)
    centered = small_TD - small_TD.mean(axis=0)
    total = np.zeros(count)
    for column in centered.T:
        total += fftconvolve(column, column[::-1])[count - 1 :]
    energy = np.concatenate([[0.0], np.cumsum(np.square(centered).sum(axis=1))])
    gaps = np.arange(count)
    both = energy[count - gaps] + energy[count] - energy[gaps]
    return np.maximum(0.0, (both - 2 * total) / ((count - gaps) * small_TD.shape[1]))
