"""Trajectories of objects in sides and seconds: contacts with other objects, and fits of motion models."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .role_assignment import RoleAssignment

__all__ = ["Fit", "Hinge", "Path", "fit_falls", "fit_hinge", "fit_line", "path_of", "until_edge"]

_F = NDArray[np.float64]
_TOUCH: Final = 1 / 64  # sides; at least a pixel
_CLOSING: Final = 0.15 / 64
_FALLING, _RISING = 0.15, 0.07
"""Sides a second: what comes down as fast and then goes up as fast has bounced."""
_FLOOR_PX: Final = 0.03
"""Least uncertainty of a place, in pixels, however well a fit matches few points."""


@dataclass(frozen=True)
class Path:
    """The trajectory of one object, over the K frames in which its place is known.

    Attributes:
        frames_K: frame numbers.
        times_K: seconds.
        place_K2: centroid (x, y) in sides, as a still camera would see it.
        box_K4: edges in sides, moved with the centroid.
        touched_K: whether something may have touched it between this frame and the next of the K.
        met_K: likewise, and what touched it was another object, not the frame's edge or a floor.
        noise: least error of any fit, in sides.
    """

    frames_K: NDArray[np.int64]
    times_K: _F
    place_K2: _F
    box_K4: _F
    touched_K: NDArray[np.bool_]
    met_K: NDArray[np.bool_]
    noise: float

    def part(self, start: int, stop: int) -> Path:
        """Return the part from index ``start`` to ``stop``, the last excluded."""
        return self.at(np.arange(len(self.frames_K))[start:stop])

    def at(self, chosen: NDArray[np.int64]) -> Path:
        """Return the path over some of its frames, by index; with what touched it between them."""
        nexts = np.append(chosen[1:], chosen[-1:] + 1)
        touched, met = (
            np.array([marks_K[a:b].any() for a, b in zip(chosen, nexts, strict=True)], bool)
            for marks_K in (self.touched_K, self.met_K)
        )
        return Path(
            self.frames_K[chosen],
            self.times_K[chosen],
            self.place_K2[chosen],
            self.box_K4[chosen],
            touched,
            met,
            self.noise,
        )

    @property
    def extent(self) -> float:
        """The longest distance between two places of the trajectory, in sides."""
        if len(self.place_K2) < 2:
            return 0.0
        apart = self.place_K2[:, None] - self.place_K2[None]
        return float(np.hypot(apart[..., 0], apart[..., 1]).max())

    def untouched(self, least: int, margin: int = 0) -> list[Path]:
        """Split the trajectory at contacts; parts of fewer than ``least`` frames are left out.

        Args:
            least: frames that a part needs.
            margin: frames that are left out on each side of a contact with another object, as outlines that
                meet are hard to tell apart. The motion beside the frame's edge needs none.
        """
        count = len(self.frames_K)
        cuts = [int(k) for k in np.flatnonzero(self.touched_K[:-1])]
        starts = [0, *(k + 1 + margin * bool(self.met_K[k]) for k in cuts)]
        stops = [*(k + 1 - margin * bool(self.met_K[k]) for k in cuts), count]
        return [self.part(a, b) for a, b in zip(starts, stops, strict=True) if b - a >= max(1, least)]


def path_of(cast: RoleAssignment, track: int) -> Path:
    """Build the trajectory of a track."""
    tracks = cast.tracks
    frames = np.flatnonzero(cast.placed_NT[track])
    side = tracks.side
    still = tracks.still_NT2[track, frames]
    moved = still - tracks.center_NT2[track, frames]
    box = tracks.whole_NT4[track, frames] + np.tile(moved, 2)
    bounds, others = _gaps(cast, track, frames)
    met = _closed(others, side, len(frames))
    touched = met | _closed(bounds, side, len(frames))
    if not tracks.sees_still and len(frames) > 1:
        touched[:-1] |= _bounced(tracks.times_T[frames], still[:, 1] / side)
    return Path(frames, tracks.times_T[frames], still / side, box / side, touched, met, _FLOOR_PX / side)


def until_edge(cast: RoleAssignment, path: Path) -> Path:
    """Cut a trajectory where the object would reach the frame's edge before the next frame."""
    tracks = cast.tracks
    side = tracks.side
    ends = np.array([tracks.width, tracks.height]) / side
    gaps_K4 = np.concatenate([path.box_K4[:, :2], ends - path.box_K4[:, 2:]], axis=1) * side
    reached = [_reached(gap_K, side) for gap_K in gaps_K4.T]
    late = np.flatnonzero(np.any(reached, axis=0)) if len(path.frames_K) else np.empty(0, int)
    return path.part(0, int(late[0]) + 1) if len(late) else path


def _gaps(cast: RoleAssignment, track: int, frames: NDArray[np.int64]) -> tuple[list[_F], list[_F]]:
    """Measure the distances (K,) of an object, in pixels, from the frame's edges, and from other objects."""
    tracks = cast.tracks
    box = tracks.whole_NT4[track, frames]
    ends = tracks.width - 0.5, tracks.height - 0.5
    bounds = [box[:, 0] + 0.5, ends[0] - box[:, 2], box[:, 1] + 0.5, ends[1] - box[:, 3]]
    others = [n for n in range(tracks.things) if n != track]
    return bounds, [_box_gap(box, tracks.whole_NT4[n, frames]) for n in others]


def _closed(gaps: list[_F], side: float, k: int) -> NDArray[np.bool_]:
    """Mark where one of some gaps would close before the next frame of K, or has just been closed.

    What is near but does not approach is not in contact.
    """
    touched = np.zeros(k, bool)
    if k < 2:
        return touched
    for gap in gaps:
        ahead, back = _reached(gap, side), _reached(gap[::-1], side)[::-1]
        # A bounce approaches and leaves; what approaches and stays touches in the other frame.
        comes, goes = ahead[:-1], back[1:]
        at = gap < max(1.0, _TOUCH * side)
        both = (comes & (goes | at[1:])) | (goes & at[:-1])
        both[0] |= goes[0]  # before the first frame and after the last, the motion is not known
        both[-1] |= comes[-1]
        touched[:-1] |= both
        touched[-1] |= ahead[-1]
    return touched


def _bounced(times_K: _F, height_K: _F) -> NDArray[np.bool_]:
    """Mark where what came down goes up again, (K - 1,): it met a floor, which the tracker does not see.

    Args:
        times_K: seconds.
        height_K: places in sides, downwards.
    """
    speed = np.diff(height_K) / np.diff(times_K)
    down, up = speed > _FALLING, speed < -_RISING
    found = np.zeros(len(speed), bool)
    turns = down[:-1] & up[1:]  # at the frame between two steps: in the one step or the other
    found[:-1] |= turns
    found[1:] |= turns
    found[1:-1] |= down[:-2] & up[2:]  # in the step between
    return found


def _reached(gap_K: _F, side: float) -> NDArray[np.bool_]:
    """Mark where a shrinking gap would be closed a step later, to within `_TOUCH`."""
    closing = np.concatenate([[0.0], gap_K[:-1] - gap_K[1:]])
    return (closing > _CLOSING * side) & (gap_K - 1.25 * closing < max(1.0, _TOUCH * side))


def _box_gap(one_T4: _F, two_T4: _F) -> _F:
    gap = np.maximum(one_T4[:, :2], two_T4[:, :2]) - np.minimum(one_T4[:, 2:], two_T4[:, 2:])
    return gap.max(axis=1)


@dataclass(frozen=True)
class Fit:
    """A least-squares fit.

    Attributes:
        coefficients_PD: of each of D coordinates.
        covariance_PP: of the coefficients of one coordinate.
        rms: root mean square residual per coordinate and degree of freedom.
    """

    coefficients_PD: _F
    covariance_PP: _F
    rms: float

    def error(self, weights_P: _F) -> float:
        """Compute the standard error of a weighted sum of the coefficients of one coordinate."""
        return float(np.sqrt(max(0.0, weights_P @ self.covariance_PP @ weights_P)))


def _solve(basis_KP: _F, values_KD: _F, noise: float) -> Fit:
    """Fit values by a basis; the residual counts as at least ``noise``."""
    inverse: _F = np.asarray(np.linalg.pinv(basis_KP.T @ basis_KP), np.float64)
    coefficients = inverse @ (basis_KP.T @ values_KD)
    left = values_KD - basis_KP @ coefficients
    free = max(1, (len(values_KD) - basis_KP.shape[1]) * values_KD.shape[1])
    rms = float(np.sqrt(np.square(left).sum() / free))
    return Fit(coefficients, inverse * max(rms, noise) ** 2, rms)


def fit_line(times_K: _F, place_K2: _F, noise: float) -> Fit:
    """Fit a uniform motion: coefficients are the place at time 0 and the velocity."""
    return _solve(np.stack([np.ones_like(times_K), times_K], axis=1), place_K2, noise)


@dataclass(frozen=True)
class Hinge:
    """A uniform motion that changes once: the time, the velocities before and after, and the residual.

    ``error`` is the standard error of the change, per coordinate.
    """

    time: float
    before: _F
    after: _F
    error: float
    rms: float

    @property
    def change(self) -> float:
        """Magnitude of the change of velocity, in sides per second."""
        return float(np.hypot(*(self.after - self.before)))


def fit_hinge(path: Path, least: int = 3) -> Hinge | None:
    """Fit one change of velocity; None if fewer than ``least`` frames would lie on a side of it.

    The model is continuous: ``a + b t + c max(0, t - s)``, with s at a frame or between two (Hinkley 1969).
    """
    k = len(path.times_K)
    if k < 2 * least:
        return None
    start = float(path.times_K[0])
    t, place = path.times_K - start, path.place_K2
    whole = t[least - 1 : k - least + 1]
    steps = np.diff(whole)
    when_S = np.concatenate([whole, *(whole[:-1] + share * steps for share in (0.25, 0.5, 0.75))])
    basis_SK3 = np.empty((len(when_S), k, 3))
    basis_SK3[:, :, 0] = 1.0
    basis_SK3[:, :, 1] = t
    basis_SK3[:, :, 2] = np.maximum(0.0, t - when_S[:, None])
    turned = basis_SK3.transpose(0, 2, 1)
    inverse_S33 = np.linalg.inv(turned @ basis_SK3)
    fits_S32 = inverse_S33 @ (turned @ place)
    left_S = np.square(place - basis_SK3 @ fits_S32).sum(axis=(1, 2))
    s = int(left_S.argmin())
    rms = float(np.sqrt(left_S[s] / max(1, 2 * k - 7)))
    before = fits_S32[s, 1]
    return Hinge(
        time=start + float(when_S[s]),
        before=before,
        after=before + fits_S32[s, 2],
        error=float(np.sqrt(inverse_S33[s, 2, 2])) * max(rms, path.noise),
        rms=rms,
    )


_EXPLAINS: Final = 0.6
"""A contact changes the motion where a cut at it leaves at most so much of the residual."""
_LOW: Final = 0.25
"""Of the whole height of a fall: what stays within so much of it after a contact has fallen."""


@dataclass(frozen=True)
class Falls:
    """A fall in one or more parts, all with the same gravity.

    Attributes:
        g, error: downward acceleration in sides per second squared, and its standard error.
        rms: residual of the parabolas, in sides.
        longest: duration of the longest part, in seconds.
        bounces: for each contact between two parts: time, downward speed before and after, standard error.
    """

    g: float
    error: float
    rms: float
    longest: float
    bounces: tuple[tuple[float, float, float, float], ...]


def fit_falls(path: Path) -> Falls | None:
    """Fit parabolas with one gravity to the height, split at contacts; None for too few frames.

    ``y = a_k + b_k t + g t^2 / 2`` in part k. A contact that does not change the motion is not a split. Where
    the end of the path does not fit, and is low hops or rest after a contact, it is left out.
    """
    t, y = path.times_K, path.place_K2[:, 1:2]
    if len(t) < 5:
        return None
    candidates = [int(k) + 1 for k in np.flatnonzero(path.touched_K[:-1])]
    cuts, fit = _cut_at_contacts(t, y, candidates, path.noise)
    end = _last_hop(y, candidates)
    if fit.rms > 2 * path.noise and end is not None and end >= 5:
        in_air = [c for c in candidates if c < end]
        shorter = _cut_at_contacts(t[:end], y[:end], in_air, path.noise)
        if shorter[1].rms <= _EXPLAINS * fit.rms:
            t, (cuts, fit) = t[:end], shorter
    edges = [0, *cuts, len(t)]
    parts = list(itertools.pairwise(edges))
    if max(b - a for a, b in parts) < 4:
        return None
    return Falls(
        g=float(fit.coefficients_PD[-1, 0]),
        error=float(np.sqrt(fit.covariance_PP[-1, -1])),
        rms=fit.rms,
        longest=max(float(t[b - 1] - t[a]) for a, b in parts),
        bounces=tuple(_bounce(t, fit, k, edges) for k in range(1, len(parts))),
    )


def _cut_at_contacts(t: _F, y: _F, candidates: list[int], noise: float) -> tuple[list[int], Fit]:
    cuts: list[int] = []
    fit = _falls(t, y, cuts, noise)
    while fit.rms > 2 * noise:
        found = _better_cuts(t, y, cuts, candidates, fit.rms, noise)
        if found is None:
            break
        cuts, fit = found
    return cuts, fit


def _last_hop(y_K: _F, candidates: list[int]) -> int | None:
    """Find from where on a thing hops too low for its hops to be told apart, or lies; None for nowhere.

    It does so near the height at which it has touched something before.
    """
    if not candidates:
        return None
    first = candidates[0]
    floor, reach = float(y_K[first - 1 : first + 1].max()), float(np.ptp(y_K))
    high = np.flatnonzero(np.abs(y_K[:, 0] - floor) > _LOW * reach)
    end = int(high[-1]) + 1 if len(high) else 0
    return end if first <= end < len(y_K) else None


def _better_cuts(
    t: _F, y: _F, cuts: list[int], candidates: list[int], rms: float, noise: float
) -> tuple[list[int], Fit] | None:
    """Cut a fall once more, or several times where once explains little, as of several bounces one does."""
    left = [c for c in candidates if c not in cuts]
    for more in (1, 2, 3):
        tried = [sorted([*cuts, *chosen]) for chosen in itertools.combinations(left, more)]
        tried = [chosen for chosen in tried if len(t) >= 2 * (len(chosen) + 1) + 1]
        fits = [(chosen, _falls(t, y, chosen, noise)) for chosen in tried]
        best = min(fits, key=lambda pair: pair[1].rms, default=None)
        if best is not None and best[1].rms <= _EXPLAINS**more * rms:
            return best
    return None


def _falls(t: _F, y: _F, cuts: list[int], noise: float) -> Fit:
    edges = [0, *cuts, len(t)]
    basis = np.zeros((len(t), 2 * (len(edges) - 1) + 1))
    for k, (a, b) in enumerate(itertools.pairwise(edges)):
        basis[a:b, 2 * k] = 1.0
        basis[a:b, 2 * k + 1] = t[a:b]
    basis[:, -1] = 0.5 * t * t
    return _solve(basis, y, noise)


def _bounce(t: _F, fit: Fit, part: int, edges: list[int]) -> tuple[float, float, float, float]:
    """Find when part ``part`` - 1 changes into the next, and the downward speeds before and after."""
    c = fit.coefficients_PD[:, 0]
    (a0, b0), (a1, b1), g = c[2 * part - 2 : 2 * part], c[2 * part : 2 * part + 2], c[-1]
    low, high = float(t[edges[part] - 1]), float(t[edges[part]])
    meet = (a0 - a1) / (b1 - b0) if abs(b1 - b0) > 1e-9 else 0.5 * (low + high)
    time = float(np.clip(meet, low, high))
    weights = np.zeros((2, len(c)))
    weights[0, 2 * part - 1] = weights[1, 2 * part + 1] = 1.0
    weights[:, -1] = time
    return time, float(b0 + g * time), float(b1 + g * time), max(fit.error(w) for w in weights)
