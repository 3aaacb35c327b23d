"""Transformations of a planted copy: what a copied clip commonly goes through before anyone looks for it.

Each takes frames, uint8 RGB (T, H, W, 3), and returns frames of the same height and width. Which part is cut
or shifted depends on the seed, so that copies of many clips are not all changed alike.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...harness.core.codec import encode_mp4, exact_rate
from ...harness.core.errors import unknown_name
from ...harness.core.keys import seeded_rng
from ...harness.core.media import open_clip

__all__ = ["TRANSFORMATIONS", "transform_clip"]

Frames = NDArray[np.uint8]

_CRF = "32"
"""Of the re-encoding: visibly worse than what video sites deliver."""
_KEPT = (0.75, 0.95)
"""Range of the share of height and width that a crop keeps, and that a picture within borders takes."""
_SPEED = 1.5
_CUT = 0.25
"""Share of the clip that a shift in time cuts off, at its beginning or its end."""


def transform_clip(frames_THWC: Frames, name: str, seed: str) -> Frames:
    """Transform a clip; what is drawn at random depends on the name and the seed alone.

    Raises:
        UsageError: no such transformation.
    """
    if name not in TRANSFORMATIONS:
        raise unknown_name("transformation", name, TRANSFORMATIONS)
    return TRANSFORMATIONS[name](frames_THWC, seeded_rng("planted copy", name, seed))


def _reencode(frames_THWC: Frames, rng: np.random.Generator) -> Frames:
    del rng
    height, width = frames_THWC.shape[1:3]
    even = frames_THWC[:, : height - height % 2, : width - width % 2]  # as 4:2:0 needs
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "copy.mp4"
        encode_mp4(path, iter(even), exact_rate(25), "yuv420p", {"crf": _CRF, "preset": "fast"})
        decoded = np.concatenate([window.frames_THWC for window in open_clip(path).windows()])
    return _resized(decoded, height, width)


def _crop(frames_THWC: Frames, rng: np.random.Generator) -> Frames:
    height, width = frames_THWC.shape[1:3]
    kept = rng.uniform(*_KEPT)
    h, w = round(height * kept), round(width * kept)
    top, left = int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1))
    return _resized(frames_THWC[:, top : top + h, left : left + w], height, width)


def _flip(frames_THWC: Frames, rng: np.random.Generator) -> Frames:
    del rng
    return np.ascontiguousarray(frames_THWC[:, :, ::-1])


def _speed(frames_THWC: Frames, rng: np.random.Generator) -> Frames:
    """Play faster or slower; frames are left out or repeated, as players do."""
    count = len(frames_THWC)
    rate = _SPEED if rng.random() < 0.5 else 1 / _SPEED
    times = np.arange(max(round(count / rate), 2)) * rate
    return frames_THWC[np.minimum(times.astype(int), count - 1)]


def _time_shift(frames_THWC: Frames, rng: np.random.Generator) -> Frames:
    cut = max(round(len(frames_THWC) * _CUT), 1)
    return frames_THWC[cut:] if rng.random() < 0.5 else frames_THWC[:-cut]


def _border(frames_THWC: Frames, rng: np.random.Generator) -> Frames:
    """Put the picture, made smaller, on black: bars on all four sides."""
    height, width = frames_THWC.shape[1:3]
    kept = rng.uniform(*_KEPT)
    h, w = round(height * kept), round(width * kept)
    out = np.zeros_like(frames_THWC)
    top, left = (height - h) // 2, (width - w) // 2
    out[:, top : top + h, left : left + w] = _resized(frames_THWC, h, w)
    return out


def _caption(frames_THWC: Frames, rng: np.random.Generator) -> Frames:
    """Lay a line of white text on a dark band over the lowest eighth of the picture."""
    import cv2

    height, width = frames_THWC.shape[1:3]
    band = max(height // 8, 6)
    out = frames_THWC.copy()
    out[:, height - band :] = out[:, height - band :] // 4
    text = "".join(chr(int(code)) for code in rng.integers(97, 123, 18))
    scale = cv2.getFontScaleFromHeight(cv2.FONT_HERSHEY_SIMPLEX, max(round(band * 0.5), 3), 1)
    for frame_HWC in out:
        at = (width // 20, height - max(band // 4, 1))
        cv2.putText(frame_HWC, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, (255, 255, 255), 1)
    return out


def _resized(frames_THWC: Frames, height: int, width: int) -> Frames:
    import cv2

    if frames_THWC.shape[1:3] == (height, width):
        return frames_THWC
    return np.stack(
        [
            np.asarray(cv2.resize(f, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
            for f in frames_THWC
        ]
    )


TRANSFORMATIONS: Final[dict[str, Callable[[Frames, np.random.Generator], Frames]]] = {
    "none": lambda frames_THWC, rng: frames_THWC,
    "re-encode": _reencode,
    "crop": _crop,
    "flip": _flip,
    "speed": _speed,
    "time shift": _time_shift,
    "border": _border,
    "caption": _caption,
}
"""By name; ``none`` is the copy itself."""
