"""Geometric verification: a clip is laid over a training clip, and what is left tells a copy from a likeness.

The window of a candidate is refined by Gauss-Newton steps on the squared difference (Lucas and Kanade 1981,
"An iterative image registration technique"), with height, width and both shifts free. What is left after that
is divided by what resampling and coding leave at that place, which grows with the gradient of the picture::

    residual = sqrt(mean((difference / (NOISE + SLOPE * gradient))^2))

An edge of a copy that is a third of a block off costs little; a thing that is elsewhere, or of another color,
costs much, however small it is in the picture.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .windows import Place, Window, as_small, known_blocks, shown, through

__all__ = ["Aligned", "align"]

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
_BLOCKS: Final = 16
"""Blocks along a side by which clips are laid over each other."""
_NOISE: Final = 10.0
"""Length of a difference of colors that coding leaves on a plain ground, in 8-bit levels."""
_SLOPE: Final = 0.4
"""Share of the difference to the neighbouring block that resampling and coding leave at an edge."""
_STEP: Final = 0.005
"""Shift for numerical derivatives, in shares of the frame."""
_FURTHEST: Final = 0.06
"""Largest change of the window in one step."""
_SIZES: Final = (0.72, 1.4)
"""Range of a window's height and width: pictures within borders, and crops."""
_STRETCH: Final = 1.04
"""Most by which height and width may differ: neither crops nor borders stretch a picture."""
_LEAST_KNOWN: Final = 0.3
"""Share of the blocks that must be known."""


@dataclass(frozen=True)
class Aligned:
    """A clip laid over a training clip.

    Attributes:
        residual: what is left, in units of what resampling and coding leave; 0 for the very clip.
        window: where the training clip's frame lies in the clip.
        frames: of the training clip, the one that each frame is laid over.
    """

    residual: float
    window: Window
    frames: NDArray[np.intp]


def align(pictures_THWC: Floats, training_THWC: Floats, window: Window, steps: int) -> Aligned:
    """Lay a clip over a training clip, beginning with a window.

    Args:
        pictures_THWC: thumbnails of the clip that is looked up, 0 to 255.
        training_THWC: thumbnails of the training clip.
        window: to begin with.
        steps: of the refinement, at most.

    Returns:
        the alignment; its residual is infinite where too little is known of the frame.
    """
    seen = shown(window, pictures_THWC)
    training = as_small(training_THWC, window.place, _BLOCKS)
    frames = _likest(seen, training, window)
    found = _refined(seen, training[frames], window, steps)
    training = as_small(training_THWC, found.place, _BLOCKS)
    again = _likest(seen, training, found)
    if (again != frames).any():
        frames = again
        found = _refined(seen, training[frames], found, steps)
    return Aligned(_residual(seen, training[frames], found), found, frames)


def _likest(seen: Floats, training: Floats, window: Window) -> NDArray[np.intp]:
    """Find the training frame that each frame is laid over: the least difference with times in order.

    Frames may be left out and repeated, as in a copy that is faster or slower or shifted in time, but time
    does not run backwards.
    """
    known = known_blocks(window, _BLOCKS)
    ours = through(window.place, seen, _BLOCKS)[:, known].reshape(len(seen), -1)
    theirs = training[:, known].reshape(len(training), -1)
    cost = (theirs.astype(np.float64) ** 2).sum(axis=1)[None] - 2.0 * (ours @ theirs.T)
    total = np.empty_like(cost)  # least cost of all frames up to one, if that lies over a training frame
    total[0] = cost[0]
    for at in range(1, len(cost)):
        total[at] = cost[at] + np.minimum.accumulate(total[at - 1])
    frames = np.empty(len(cost), np.intp)
    last = cost.shape[1]
    for at in reversed(range(len(cost))):
        frames[at] = total[at, :last].argmin()
        last = int(frames[at]) + 1
    return frames


@dataclass(frozen=True)
class _Fit:
    place: Place
    difference: Floats  # (T, blocks, blocks, 3)
    known: Mask
    cost: float


def _fit(seen: Floats, training: Floats, window: Window, at: NDArray[np.float64]) -> _Fit:
    place = Place(*map(float, at))
    known = known_blocks(window, _BLOCKS, place)
    difference = through(place, seen, _BLOCKS) - training
    enough = known.sum() >= _LEAST_KNOWN * known.size
    return _Fit(place, difference, known, float((difference[:, known] ** 2).mean()) if enough else np.inf)


def _refined(seen: Floats, training: Floats, window: Window, steps: int) -> Window:
    """Refine a window by damped Gauss-Newton steps (Levenberg and Marquardt)."""
    start = window.place
    at = np.array([start.top, start.height, start.left, start.width])
    best = _fit(seen, training, window, at)
    damping = 1e-3
    for _ in range(steps if np.isfinite(best.cost) else 0):
        moved = [through(Place(*map(float, at + _STEP * unit)), seen, _BLOCKS) for unit in np.eye(4)]
        slopes = np.stack(
            [((one - training - best.difference) / _STEP)[:, best.known].ravel() for one in moved]
        ).astype(np.float64)
        normal = slopes @ slopes.T
        push = slopes @ best.difference[:, best.known].ravel()
        better: tuple[_Fit, NDArray[np.float64]] | None = None
        for _ in range(2):
            damped = normal + damping * np.diag(normal.diagonal()) + 1e-6 * max(normal.max(), 1.0) * np.eye(4)
            tried = at + np.clip(-np.linalg.solve(damped, push), -_FURTHEST, _FURTHEST)
            if _is_plausible(*tried[[1, 3]]):
                fit = _fit(seen, training, window, tried)
                if fit.cost < best.cost:
                    better = fit, tried
                    break
            damping *= 10
        if better is None:
            break
        done = best.cost - better[0].cost < 2e-3 * best.cost
        (best, at), damping = better, max(damping / 10, 1e-6)
        if done:
            break
    return replace(window, place=best.place)


def _is_plausible(height: float, width: float) -> bool:
    least, most = sorted((height, width))
    return _SIZES[0] < least and most < _SIZES[1] and most < _STRETCH * least


def _residual(seen: Floats, training: Floats, window: Window) -> float:
    place = window.place
    fit = _fit(seen, training, window, np.array([place.top, place.height, place.left, place.width]))
    if not np.isfinite(fit.cost):
        return np.inf
    scaled = np.linalg.norm(fit.difference, axis=3) / (_NOISE + _SLOPE * _gradient(training))
    left = float(np.sqrt((scaled[:, fit.known] ** 2).mean()))
    return left / float(np.sqrt(_share_seen(training, fit.known)))


def _share_seen(training: Floats, known: Mask) -> float:
    """Return how much of what a training clip shows before its ground lies in the known blocks, 0 to 1."""
    ground = np.median(training.reshape(-1, 3), axis=0)
    shows = ((training - ground) ** 2).sum(axis=3).mean(axis=0) + _NOISE**2 / 10
    return float(shows[known].sum() / shows.sum())


def _gradient(training: Floats) -> Floats:
    """Return the largest difference of each block to a neighbour, (T, blocks, blocks), over all channels."""
    found = np.zeros(training.shape[:3], np.float32)
    down = np.abs(np.diff(training, axis=1)).sum(axis=3)
    along = np.abs(np.diff(training, axis=2)).sum(axis=3)
    for part, one in (
        (np.s_[:, 1:], down),
        (np.s_[:, :-1], down),
        (np.s_[:, :, 1:], along),
        (np.s_[:, :, :-1], along),
    ):
        found[part] = np.maximum(found[part], one)
    return found
