"""What moves in a clip: the outlines of each frame that stand out from what is behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..encoders.base import NotApplicable
from ..tracking.foreground import differing, estimate_background, remove_ghosts, slope, steepness
from ..tracking.registration import Step
from ..tracking.stabilization import View, stabilize

__all__ = ["Blob", "Movers", "find_movers", "outlined"]

_Frames = NDArray[np.uint8]
_B = NDArray[np.bool_]
_F32 = NDArray[np.float32]
_SHADE: Final = 0.65  # of the background's brightness: how much a shadow takes away at most
_SMALLEST: Final = 0.0015  # of the frame's area
_MISPLACED: Final = (0.15, 0.6)  # pixels to which the background is known, before a camera still or moving
_MANY: Final = 4  # outlines a frame, before a camera that moves: more are things at other depths
_CROWDED: Final = 12  # outlines a frame: in more, which is which cannot be told
_TOO_MUCH: Final = 0.5  # of the frame


@dataclass(frozen=True)
class Blob:
    """One outline of one frame.

    Attributes:
        frame: its number.
        mask_HW: its pixels.
        box: left, top, right, bottom, the last two excluded.
        place: its centroid (x, y).
        color: median RGB, without the pixels at its edge.
        area: in pixels.
        solidity: share of its convex hull that it fills.
    """

    frame: int
    mask_HW: _B
    box: tuple[int, int, int, int]
    place: NDArray[np.float64]
    color: NDArray[np.float64]
    area: float
    solidity: float

    @property
    def size(self) -> float:
        """The diameter of a disc of its area."""
        return float(2 * np.sqrt(self.area / np.pi))

    def edge(self, height: int, width: int) -> float:
        """Tell how far its box is from the nearest edge of the frame, in pixels."""
        left, top, right, bottom = self.box
        return float(min(left, top, width - right, height - bottom))


@dataclass(frozen=True)
class Movers:
    """What stands out in T frames of one shot.

    Attributes:
        frames_THWC: uint8 RGB, with the changes of the light taken out.
        behind: what is behind it all, float32 (H, W, 3) in 8-bit levels, for each frame.
        blobs: of each frame.
        spread: of a channel around what is behind, in 8-bit levels.
        moves: whether the camera moves.
        reversed: whether they are played backwards.
    """

    frames_THWC: _Frames
    behind: list[_F32]
    blobs: list[list[Blob]] = field(default_factory=list[list[Blob]])
    spread: float = 1.0
    moves: bool = False
    reversed: bool = False

    def number(self, blob: Blob) -> int:
        """Tell where the frame of an outline is in `frames_THWC`."""
        return len(self.frames_THWC) - 1 - blob.frame if self.reversed else blob.frame

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.frames_THWC.shape[1], self.frames_THWC.shape[2]

    def backwards(self) -> Movers:
        """Give the same, played backwards; frames keep their numbers."""
        return replace(
            self,
            frames_THWC=self.frames_THWC[::-1],
            behind=self.behind[::-1],
            blobs=self.blobs[::-1],
            reversed=not self.reversed,
        )


def find_movers(frames_THWC: _Frames, steps: Sequence[Step] | None = None) -> Movers:
    """Find what stands out from what is behind it, in each frame of a shot; ``steps`` as of `stabilize`.

    Raises:
        NotApplicable: there is a cut, most of the frame changes, or there is too much to tell apart.
    """
    view = stabilize(frames_THWC, steps)
    canvas, spread = estimate_background(view.steady_THWC)
    misplaced = _MISPLACED[int(view.moves)]
    masks = differing(
        view.steady_THWC, canvas, spread, tolerance_HW=misplaced * steepness(canvas), shade=_SHADE
    )
    remove_ghosts(view.steady_THWC, canvas, masks)
    behind: list[_F32] = []
    outlines: list[list[_B]] = []
    flooded = 0
    still = None if view.moves else misplaced * steepness(canvas)
    for t, frame in enumerate(view.even_THWC):
        seen = view.seen_from(canvas, t)
        slack = misplaced * steepness(seen) if still is None else still
        (found,) = differing(frame[None], seen, spread, tolerance_HW=slack, shade=_SHADE)
        found = [mask & view.known(t) for mask in found]
        flooded += bool(found) and float(np.mean(np.any(found, axis=0))) > _TOO_MUCH
        least = max(12.0, _SMALLEST * frame.shape[0] * frame.shape[1])
        found = [mask for mask in found if mask.sum() >= least]
        outlines.append(outlined(frame, seen, found))
        behind.append(seen)
    _refuse(view, outlines, flooded)
    blobs = [[_blob(view.even_THWC[t], t, mask) for mask in masks] for t, masks in enumerate(outlines)]
    return Movers(view.even_THWC, behind, blobs, spread, view.moves)


def _refuse(view: View, outlines: list[list[_B]], flooded: int) -> None:
    if flooded > 0.5 * len(outlines):
        raise NotApplicable("more than half of the picture changes, so that no background can be told")
    often = float(np.median([len(here) for here in outlines]))
    if view.moves and often > _MANY:
        raise NotApplicable("the camera moves past things at several depths")
    if often > _CROWDED:
        raise NotApplicable(f"more than {_CROWDED} things move at once, or the picture is restless all over")


def _blob(frame: _Frames, t: int, mask: _B) -> Blob:
    import cv2

    rows, columns = np.nonzero(mask)
    top, bottom, left, right = rows.min(), rows.max() + 1, columns.min(), columns.max() + 1
    own = mask[top:bottom, left:right].astype(np.uint8)
    core = np.asarray(cv2.erode(own, np.ones((3, 3), np.uint8), borderValue=0)).astype(bool)
    core = core if core.sum() > 4 else own.astype(bool)
    solid = np.asarray(cv2.morphologyEx(np.pad(own, 2), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)), np.uint8)
    solid = solid if solid.any() else np.pad(own, 2)  # without threads, as of shadows
    contours, _ = cv2.findContours(solid, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    hull = np.zeros(solid.shape, np.uint8)
    cv2.fillConvexPoly(hull, cv2.convexHull(np.concatenate(contours)), 1)
    return Blob(
        t,
        mask,
        (int(left), int(top), int(right), int(bottom)),
        np.array([columns.mean(), rows.mean()]),
        np.median(frame[top:bottom, left:right][core], axis=0).astype(np.float64),
        float(len(rows)),
        float(solid.sum()) / max(float(hull.sum()), 1.0),
    )


def outlined(frame: _Frames, behind: _F32, masks: list[_B]) -> list[_B]:
    """Leave out what has an edge in the background and none in the frame: the place of what has left."""
    import cv2

    if not masks:
        return []
    near = np.ones((3, 3), np.uint8)
    own, other = slope(frame.astype(np.float32)), slope(behind)
    kept: list[_B] = []
    for mask in masks:
        solid = mask.astype(np.uint8)
        rim = np.asarray(cv2.dilate(solid, near)).astype(bool) & ~np.asarray(cv2.erode(solid, near)).astype(
            bool
        )
        if rim.any() and float(own[rim].mean()) > float(other[rim].mean()):
            kept.append(mask)
    return kept
