"""Frames gathered into blocks of a fixed size, counted from a clip's first frame."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["FrameBlocks"]


class FrameBlocks:
    """Hand over frames, uint8 RGB (T, H, W, 3), ``size`` at a time; the last block may have fewer.

    The blocks do not depend on the windows in which a decoder gives the frames, so that what is computed of
    a block does not either.
    """

    def __init__(self, size: int, take: Callable[[NDArray[np.uint8]], None]) -> None:
        self._size, self._take = size, take
        self._block: NDArray[np.uint8] | None = None
        self._waiting = 0

    def add(self, frame_HWC: NDArray[np.uint8]) -> None:
        """Add a frame; it is copied."""
        if self._block is None:
            self._block = np.empty((self._size, *frame_HWC.shape), frame_HWC.dtype)
        self._block[self._waiting] = frame_HWC
        self._waiting += 1
        if self._waiting == self._size:
            self.finish()

    def finish(self) -> None:
        """Hand over the frames that wait, if any do."""
        if self._block is not None:
            block, self._block = self._block[: self._waiting], None
            self._waiting = 0
            self._take(block)
