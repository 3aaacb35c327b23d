"""Transformations of a planted copy: what a copied clip commonly goes through before anyone looks for it.

Each takes frames, uint8 RGB (T, H, W, 3), and returns frames of the same height and width. Which part is cut
or shifted depends on the seed, so that copies of many clips are not all changed alike.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...harness.core.codec import encode_mp4, exact_rate
from ...harness.core.errors import unknown_name
from ...harness.core.keys import seeded_rng
from ...harness.core.media import all_frames

__all__ = ["TRANSFORMATIONS", "Transformation", "transform_clip"]

Frames = NDArray[np.uint8]

_CRF = 32.0
"""Of the re-encoding: visibly worse than what video sites deliver."""
_KEPT = (0.75, 0.95)
"""Range of the share of height and width that a crop keeps, and that a picture within borders takes."""
_SPEED = 1.5
_CUT = 0.25
"""Share of the clip that a shift in time cuts off, at its beginning or its end."""
_BAND = 0.125
"""Share of the height that a caption covers."""


@dataclass(frozen=True)
class Transformation:
    """A way in which a copied clip may have been changed.

    Attributes:
        apply: frames, random numbers and a severity to frames; without a severity, a usual one.
        severities: the mildest first; none where there is only one way.
        unit: what the severity is.
    """

    apply: Callable[[Frames, np.random.Generator, float | None], Frames]
    severities: tuple[float, ...] = ()
    unit: str = ""


def transform_clip(frames_THWC: Frames, name: str, seed: str, severity: float | None = None) -> Frames:
    """Transform a clip; what is drawn at random depends on the name and the seed alone.

    Args:
        frames_THWC: uint8 RGB.
        name: of `TRANSFORMATIONS`.
        seed: of what is drawn: which part is kept, faster or slower, the text of a caption.
        severity: in the transformation's own unit; by default a usual one, for crops and borders drawn.

    Raises:
        UsageError: no such transformation.
    """
    if name not in TRANSFORMATIONS:
        raise unknown_name("transformation", name, TRANSFORMATIONS)
    return TRANSFORMATIONS[name].apply(frames_THWC, seeded_rng("planted copy", name, seed), severity)


def _reencode(frames_THWC: Frames, rng: np.random.Generator, severity: float | None) -> Frames:
    del rng
    height, width = frames_THWC.shape[1:3]
    even = frames_THWC[:, : height - height % 2, : width - width % 2]  # as 4:2:0 needs
    crf = _CRF if severity is None else severity
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "copy.mp4"
        encode_mp4(path, iter(even), exact_rate(25), "yuv420p", {"crf": f"{crf:g}", "preset": "fast"})
        decoded = all_frames(path)
    return _resized(decoded, height, width)


def _crop(frames_THWC: Frames, rng: np.random.Generator, severity: float | None) -> Frames:
    height, width = frames_THWC.shape[1:3]
    kept = rng.uniform(*_KEPT) if severity is None else severity
    h, w = round(height * kept), round(width * kept)
    top, left = int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1))
    return _resized(frames_THWC[:, top : top + h, left : left + w], height, width)


def _flip(frames_THWC: Frames, rng: np.random.Generator, severity: float | None) -> Frames:
    del rng, severity
    return np.ascontiguousarray(frames_THWC[:, :, ::-1])


def _speed(frames_THWC: Frames, rng: np.random.Generator, severity: float | None) -> Frames:
    """Play faster or slower; frames are left out or repeated, as players do."""
    count = len(frames_THWC)
    factor = _SPEED if severity is None else severity
    rate = factor if rng.random() < 0.5 else 1 / factor
    times = np.arange(max(round(count / rate), 2)) * rate
    return frames_THWC[np.minimum(times.astype(int), count - 1)]


def _time_shift(frames_THWC: Frames, rng: np.random.Generator, severity: float | None) -> Frames:
    share = _CUT if severity is None else severity
    cut = max(round(len(frames_THWC) * share), 1)
    return frames_THWC[cut:] if rng.random() < 0.5 else frames_THWC[:-cut]


def _border(frames_THWC: Frames, rng: np.random.Generator, severity: float | None) -> Frames:
    """Put the picture, made smaller, on black: bars on all four sides."""
    height, width = frames_THWC.shape[1:3]
    kept = rng.uniform(*_KEPT) if severity is None else severity
    h, w = round(height * kept), round(width * kept)
    out = np.zeros_like(frames_THWC)
    top, left = (height - h) // 2, (width - w) // 2
    out[:, top : top + h, left : left + w] = _resized(frames_THWC, h, w)
    return out


def _caption(frames_THWC: Frames, rng: np.random.Generator, severity: float | None) -> Frames:
    """Lay a line of white text on a dark band over the lowest part of the picture."""
    import cv2

    height, width = frames_THWC.shape[1:3]
    band = max(int(height * (_BAND if severity is None else severity)), 6)
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


TRANSFORMATIONS: Final[dict[str, Transformation]] = {
    "none": Transformation(lambda frames_THWC, rng, severity: frames_THWC),
    "re-encode": Transformation(_reencode, (23.0, 28.0, 32.0), "crf"),
    "crop": Transformation(_crop, (0.95, 0.85, 0.75), "share of height and width kept"),
    "flip": Transformation(_flip),
    "speed": Transformation(_speed, (1.25, 1.5, 2.0), "times faster or slower"),
    "time shift": Transformation(_time_shift, (0.1, 0.25, 0.5), "share cut off"),
    "border": Transformation(_border, (0.95, 0.85, 0.75), "share of height and width taken"),
    "caption": Transformation(_caption, (0.125, 0.2), "share of the height covered"),
}
"""By name; ``none`` is the copy itself."""
