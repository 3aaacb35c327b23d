"""What happens to a clip on its way to a viewer: compression, scaling, blur, noise, another rate, a GIF.

Each delivery is a deterministic function of a segment as it was stored, applied before the detector prepares
it. Names and strengths are those in which detectors of generated video are usually tried.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...harness.core.codec import encode_mp4, exact_rate
from ...harness.core.errors import unknown_name
from ...harness.core.keys import seeded_rng
from ...harness.core.media import all_frames
from .preparation import Segment

__all__ = ["DELIVERIES", "DELIVERY_VERSION", "TRANSCODES", "deliver"]

DELIVERY_VERSION: Final = 1
"""Raised when any delivery gives other frames."""


def deliver(name: str, segment: Segment) -> Segment:
    """Apply a delivery by name to a segment.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in DELIVERIES:
        raise unknown_name("delivery", name, DELIVERIES)
    return DELIVERIES[name](segment)


def _h264(segment: Segment, factor: int) -> Segment:
    frames = _even(segment.frames_THWC)
    with tempfile.TemporaryDirectory(prefix="screentest-") as folder:
        path = Path(folder) / "clip.mp4"
        encode_mp4(path, iter(frames), exact_rate(segment.fps), "yuv420p", {"crf": str(factor)})
        return Segment(_read(path), segment.fps)


def _resized(segment: Segment, scale: float) -> Segment:
    import cv2

    height, width = segment.frames_THWC.shape[1:3]
    size = (max(2, round(width * scale)), max(2, round(height * scale)))
    frames = [cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in segment.frames_THWC]
    return Segment(np.stack(frames).astype(np.uint8), segment.fps)


def _blurred(segment: Segment, sigma: float) -> Segment:
    import cv2

    frames = [cv2.GaussianBlur(frame, (0, 0), sigma) for frame in segment.frames_THWC]
    return Segment(np.stack(frames).astype(np.uint8), segment.fps)


def _noisy(segment: Segment, spread: float) -> Segment:
    rng = seeded_rng("delivery", "noise", spread)
    frames = [
        np.clip(np.rint(frame + rng.normal(0.0, spread, frame.shape)), 0, 255).astype(np.uint8)
        for frame in segment.frames_THWC
    ]
    return Segment(np.stack(frames), segment.fps)


def _at_other_rate(segment: Segment, factor: float) -> Segment:
    """Keep as many frames a second as ``factor`` says; a player repeats them."""
    count = len(segment.frames_THWC)
    kept = np.floor(np.floor(np.arange(count) * factor) / factor + 1e-9).astype(int)
    return Segment(segment.frames_THWC[np.minimum(kept, count - 1)], segment.fps)


def _gif(segment: Segment) -> Segment:
    """Go through an animated GIF: 256 colours a frame, dithered."""
    from PIL import Image

    frames = [
        Image.fromarray(frame).convert("P", palette=Image.Palette.ADAPTIVE) for frame in segment.frames_THWC
    ]
    return Segment(np.stack([np.asarray(frame.convert("RGB")) for frame in frames]), segment.fps)


DELIVERIES: Final[Mapping[str, Callable[[Segment], Segment]]] = {
    **{f"crf{factor}": partial(_h264, factor=factor) for factor in (18, 23, 28, 34, 40)},
    "resize0.75": partial(_resized, scale=0.75),
    "resize0.5": partial(_resized, scale=0.5),
    "blur1": partial(_blurred, sigma=1.0),
    "noise4": partial(_noisy, spread=4.0),
    "half-rate": partial(_at_other_rate, factor=0.5),
    "gif": _gif,
}
"""H.264 at five rate factors, two sizes, a blur of 1 pixel, noise of 4 levels, half the frames, a GIF."""
TRANSCODES: Final = ("crf28", "crf40", "resize0.5", "gif")
"""The deliveries that the measures of a run apply."""


def _even(frames_THWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Repeat the last row and column of frames of odd size, which 4:2:0 cannot hold."""
    height, width = frames_THWC.shape[1:3]
    return np.pad(frames_THWC, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def _read(path: Path) -> NDArray[np.uint8]:
    return all_frames(path)
