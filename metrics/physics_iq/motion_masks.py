"""Motion masks of a fixed camera's clips, and the agreement of two such masks.

The masks are those of Physics-IQ (Motamed et al. 2025, arXiv:2501.09038, algorithm 2), with the constants of
the published code: grey, 5 x 5 Gaussian blur, a running average with weight 0.3 that takes the new frame in
*before* it is compared with it, a difference of more than 10 levels of 255, opening and closing with 5 x 5
ones. The first frame shows no motion. A camera that moves makes everything move: nothing here corrects it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...harness.core.errors import MediaError

__all__ = ["MASK_VERSION", "Agreement", "MaskComparison", "MotionMasks", "to_grid"]

MASK_VERSION = 1
"""Raised whenever a mask or an agreement would change."""

_KERNEL = 5
_WEIGHT = 0.3
_THRESHOLD = 10

Frame = NDArray[np.uint8]
Mask = NDArray[np.bool_]


class MotionMasks:
    """Compute the motion mask of each frame of one clip, frame by frame."""

    def __init__(self) -> None:
        import cv2

        self._cv2 = cv2
        self._average: NDArray[np.float64] | None = None
        self._ones = np.ones((_KERNEL, _KERNEL), np.uint8)

    def next(self, frame_HWC: Frame) -> Frame:
        """Return the mask of the next frame, uint8 (H, W), 0 or 255."""
        cv2 = self._cv2
        grey = cv2.GaussianBlur(cv2.cvtColor(frame_HWC, cv2.COLOR_RGB2GRAY), (_KERNEL, _KERNEL), 0)
        if self._average is None:
            self._average = grey.astype(np.float64)
            return np.zeros(grey.shape, np.uint8)
        cv2.accumulateWeighted(grey, self._average, _WEIGHT)
        difference = cv2.absdiff(grey, cv2.convertScaleAbs(self._average))
        _, mask = cv2.threshold(difference, _THRESHOLD, 255, cv2.THRESH_BINARY)
        mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, self._ones)
        return np.asarray(cv2.morphologyEx(mask, cv2.MORPH_CLOSE, self._ones), np.uint8)


def to_grid(image: Frame, size: tuple[int, int]) -> Frame:
    """Resize a frame or a mask to (height, width): bilinear, not antialiased, as in the published code."""
    import cv2

    if image.shape[:2] == size:
        return image
    return np.asarray(cv2.resize(image, size[::-1], interpolation=cv2.INTER_LINEAR), np.uint8)


@dataclass(frozen=True)
class Agreement:
    """How two clips of one scene agree.

    Attributes:
        spatial: IoU of where anything ever moved, in [0, 1].
        spatiotemporal: mean over frames of the IoU of the masks, in [0, 1].
        weighted_spatial: sum of the smaller over sum of the larger share of frames that a place moves in.
        mse: mean over frames of the mean squared difference of colors in [0, 1].
    """

    spatial: float
    spatiotemporal: float
    weighted_spatial: float
    mse: float


class MaskComparison:
    """Compare two clips frame by frame, in memory that does not grow with their length.

    Two empty masks agree: their IoU is 1, as in the published code. Within a frame all sums are of whole
    numbers, and frames are added in their order, so that the result is the same to the last bit anywhere.
    """

    def __init__(self) -> None:
        self._frames = 0
        self._iou = 0.0
        self._squares = 0.0
        self._counts: list[NDArray[np.int64]] = []

    def add(self, masks: tuple[Mask, Mask], frames: tuple[Frame, Frame]) -> None:
        """Take the next pair: masks (h, w) and frames (h, w, 3), all of one size."""
        first, second = masks
        if not self._counts:
            self._counts = [np.zeros(first.shape, np.int64) for _ in masks]
        for count, mask in zip(self._counts, masks, strict=True):
            count += mask
        self._iou += _ratio(int((first & second).sum()), int((first | second).sum()))
        difference = frames[0].astype(np.int32) - frames[1]
        self._squares += int(np.square(difference).sum(dtype=np.int64)) / difference.size
        self._frames += 1

    def result(self) -> Agreement:
        """Return the agreement over all frames so far.

        Raises:
            MediaError: there were none.
        """
        if not self._frames:
            raise MediaError("there is no frame to compare")
        first, second = self._counts
        moved, also = first > 0, second > 0
        return Agreement(
            spatial=_ratio(int((moved & also).sum()), int((moved | also).sum())),
            spatiotemporal=self._iou / self._frames,
            weighted_spatial=_ratio(
                int(np.minimum(first, second).sum()), int(np.maximum(first, second).sum())
            ),
            mse=self._squares / self._frames / 255**2,
        )

    @property
    def moving(self) -> tuple[bool, bool]:
        """Return, for each of the two clips, whether anything moved."""
        first, second = (bool(count.any()) for count in self._counts or (np.zeros(1), np.zeros(1)))
        return first, second


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 1.0
