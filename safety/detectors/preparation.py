"""Prepare clips for a detector of generated video: all of one rate, length, size and codec.

Real and generated clips of public sets differ in frame rate, length, size and compression. A detector that is
fit on them as they are learns these, not the pictures. So every clip goes through a `Preparation` first:
frames are taken at a fixed rate, cropped to the middle square, scaled, and encoded again as H.264, in the
number of bits that the preparation asks for. What the file was like before is kept as `FileFacts`, which only
the detector ``metadata`` reads.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ...harness.core.codec import encode_mp4
from ...harness.core.config import Config
from ...harness.core.errors import MediaError
from ...harness.core.keys import digest
from ...harness.core.media import open_clip

if TYPE_CHECKING:
    from ...harness.core.clip_info import ClipInfo, Window
    from ...harness.core.keys import Json
    from ...metrics.encoders.base import FrameEncoder

__all__ = [
    "FileFacts",
    "Preparation",
    "PreparedClip",
    "Segment",
    "SegmentReader",
    "UnfitClip",
    "prepare",
    "read_segments",
    "unprepared",
]

_VERSION: Final = 1
_FINEST, _COARSEST = 1.0, 51.0
"""Rate factors of H.264: the least and the largest that are tried."""
_TRIES: Final = 8
_NEAR: Final = 0.98
"""The search ends at this share of the wanted bits, or after so many encodings."""
_SLOWEST: Final = 0.9
"""Least rate of a clip as a share of the rate at which its frames are taken."""


class UnfitClip(MediaError):
    """Say why a clip that can be read cannot be prepared: it is too short, or of a lower rate."""


class Preparation(Config):
    """How a clip is made comparable with every other one. Part of a detector's identity."""

    fps: float = Field(default=8.0, gt=0, le=120, description="frames a second that are taken")
    frames: int = Field(
        default=16, ge=4, le=256, description="frames of a segment; shorter clips are left out"
    )
    size: int = Field(default=224, ge=32, le=1024, multiple_of=2, description="height and width, in pixels")
    bits_per_pixel: float = Field(
        default=0.2,
        gt=0,
        le=8,
        description="of the second encoding, the same for all clips as far as H.264 can",
    )

    @property
    def seconds(self) -> float:
        """Length of a segment."""
        return self.frames / self.fps

    @property
    def digest(self) -> str:
        """64 hex digits: with the clip and the extractor, the key of a detector's feature."""
        return digest("detector preparation", {"version": _VERSION, **self.model_dump()})


@dataclass(frozen=True)
class FileFacts:
    """What a file says of itself without a look at its pictures.

    Attributes:
        bits_per_pixel: of the whole file, sound and container included.
    """

    fps: float
    frames: int
    height: int
    width: int
    codec: str
    bits_per_pixel: float

    @classmethod
    def of(cls, info: ClipInfo, size: int) -> FileFacts:
        """Read the facts of a decoded clip, whose file has ``size`` bytes."""
        frames = info.frames or 1
        return cls(
            info.fps,
            frames,
            info.height,
            info.width,
            info.codec,
            8.0 * size / (frames * info.height * info.width),
        )

    def as_json(self) -> dict[str, Json]:
        """List the facts as plain JSON values."""
        return {
            "fps": self.fps, "frames": self.frames, "height": self.height, "width": self.width,
            "codec": self.codec, "bits_per_pixel": self.bits_per_pixel,
        }  # fmt: skip


@dataclass(frozen=True)
class Segment:
    """A part of a clip as it was stored: its frames, uint8 RGB (T, H, W, 3), at an even rate."""

    frames_THWC: NDArray[np.uint8]
    fps: float


@dataclass(frozen=True)
class PreparedClip:
    """A segment of a clip after its preparation.

    Attributes:
        frames_THWC: uint8 RGB, (frames, size, size, 3).
        before, after: facts of the original file, and of the prepared one; None where there is no file.
    """

    frames_THWC: NDArray[np.uint8]
    fps: float
    before: FileFacts | None
    after: FileFacts
    _rows: dict[str, NDArray[np.float64]] = field(default_factory=dict[str, NDArray[np.float64]], repr=False)

    def rows(self, encoder: FrameEncoder) -> NDArray[np.float64]:
        """Encode the frames, (T, D); several detectors that read one encoder share it."""
        if encoder.digest not in self._rows:
            at_once = encoder.frames_at_once
            parts = [
                encoder.encode_frames(self.frames_THWC[start : start + at_once])
                for start in range(0, len(self.frames_THWC), at_once)
            ]
            self._rows[encoder.digest] = np.concatenate(parts).astype(np.float64)
        return self._rows[encoder.digest]


class SegmentReader:
    """Collect the first segments of a clip, window by window; a sink of `harness.core.media.decode`.

    Segments follow each other without overlap. Each has all frames of its time, so that a delivery can be
    applied to it before it is prepared.

    Args:
        preparation: says how long a segment is.
        segments: how many are wanted at most.
    """

    def __init__(self, preparation: Preparation, segments: int = 1) -> None:
        self._seconds, self._rate, self._wanted = preparation.seconds, preparation.fps, segments
        self._frames: list[NDArray[np.uint8]] = []
        self._times: list[float] = []
        self._found: list[Segment] = []

    def push(self, window: Window) -> None:
        """Take the next frames of the clip."""
        for frame_HWC, time in zip(window.frames_THWC, window.times_T, strict=True):
            if len(self._found) == self._wanted:
                return
            start = len(self._found) * self._seconds
            if self._times and time >= start + self._seconds - 1e-6:
                self._close(float(time))
                if len(self._found) == self._wanted:
                    return
            self._frames.append(frame_HWC.copy())
            self._times.append(float(time))

    def finish(self, info: ClipInfo) -> list[Segment]:
        """Return the segments; a last one that is cut short is left out.

        Raises:
            UnfitClip: the clip is shorter than one segment, or of a lower rate than the preparation's.
        """
        if len(self._found) < self._wanted and self._times and info.duration is not None:
            start = len(self._found) * self._seconds
            shown = 1.0 / info.fps
            # The last frame is shown for its own time, and a clip of 16 frames at 8 a second lasts 2 s.
            if self._times[-1] + shown >= start + self._seconds - max(0.5 * shown, 0.02):
                self._close(start + self._seconds)
        if info.fps < _SLOWEST * self._rate:
            raise UnfitClip(
                f"it has {info.fps:.3g} frames a second and the detector reads {self._rate:g}, so it would "
                "see frames twice; give a clip of a higher rate, or a detector that was trained at a lower "
                "one"
            )
        if not self._found:
            lasts = (self._times[-1] + 1.0 / info.fps) if self._times else 0.0
            raise UnfitClip(
                f"it lasts {lasts:.2g} s, and the detector reads {self._seconds:.2g} s; give a longer "
                "clip, or a detector that was trained with fewer frames"
            )
        return self._found

    def _close(self, until: float) -> None:
        start = len(self._found) * self._seconds
        rate = len(self._times) / max(until - min(self._times[0], start), 1e-9)
        self._found.append(Segment(np.stack(self._frames), rate))
        self._frames, self._times = [], []


def read_segments(
    path: Path, preparation: Preparation, segments: int = 1
) -> tuple[list[Segment], FileFacts, str]:
    """Decode a file; return its first segments, the facts of the file, and its sha256.

    Raises:
        MediaError: it is no video (a still image, text ...), or is damaged.
        UnfitClip: it is shorter than one segment, or of a lower rate than the preparation's.
    """
    clip = open_clip(path)
    reader = SegmentReader(preparation, segments)
    decoding = clip.windows()
    for window in decoding:
        reader.push(window)
    try:
        found = reader.finish(decoding.info)
    except UnfitClip as error:
        raise UnfitClip(f"{path}: {error}") from None
    return found, FileFacts.of(decoding.info, path.stat().st_size), clip.sha256


def prepare(segment: Segment, preparation: Preparation, before: FileFacts | None = None) -> PreparedClip:
    """Take frames at the preparation's rate, crop and scale them, encode them again, and decode that.

    Args:
        segment: a part of a clip, as long as the preparation asks for.
        preparation: rate, length, size and bits.
        before: facts of the file that the segment is from.
    """
    taken = _at_rate(segment, preparation)
    scaled = np.stack([_square(frame, preparation.size) for frame in taken])
    with tempfile.TemporaryDirectory(prefix="screentest-") as folder:
        path = Path(folder) / "clip.mp4"
        _encode_to(path, scaled, preparation)
        clip = open_clip(path)
        decoding = clip.windows()
        frames = np.concatenate([window.frames_THWC for window in decoding])
        after = FileFacts.of(decoding.info, _payload(path))
    return PreparedClip(frames, preparation.fps, before, after)


def unprepared(segment: Segment, preparation: Preparation, before: FileFacts) -> PreparedClip:
    """Take a segment's first frames as they are, in the middle square: what a detector sees unprepared."""
    frames = segment.frames_THWC[: preparation.frames]
    if len(frames) < preparation.frames:
        frames = _at_rate(segment, preparation)
    height, width = frames.shape[1:3]
    edge = min(height, width)
    top, left = (height - edge) // 2, (width - edge) // 2
    square = frames[:, top : top + edge, left : left + edge]
    return PreparedClip(np.ascontiguousarray(square), segment.fps, before, before)


def _at_rate(segment: Segment, preparation: Preparation) -> NDArray[np.uint8]:
    """Take the frame that is shown at each of the preparation's times."""
    times = (np.arange(preparation.frames) + 0.5) / preparation.fps
    index = np.floor(times * segment.fps + 1e-6).astype(int)
    return segment.frames_THWC[np.minimum(index, len(segment.frames_THWC) - 1)]


def _square(frame_HWC: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Crop the middle square, and scale it: by areas when it shrinks, cubic when it grows."""
    import cv2

    height, width = frame_HWC.shape[:2]
    edge = min(height, width)
    top, left = (height - edge) // 2, (width - edge) // 2
    square = np.ascontiguousarray(frame_HWC[top : top + edge, left : left + edge])
    if edge == size:
        return square
    how = cv2.INTER_AREA if edge > size else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(square, (size, size), interpolation=how), np.uint8)


def _encode_to(path: Path, frames_THWC: NDArray[np.uint8], preparation: Preparation) -> None:
    """Encode with the rate factor whose file comes nearest to the number of bits asked for, from below."""
    wanted = preparation.bits_per_pixel * frames_THWC[..., 0].size / 8.0
    low, high = _FINEST, _COARSEST
    for _ in range(_TRIES):
        factor = (low + high) / 2
        size = _encoded(path, frames_THWC, preparation.fps, factor)
        if _NEAR * wanted <= size <= wanted:
            return
        low, high = (low, factor) if size <= wanted else (factor, high)
    _encoded(path, frames_THWC, preparation.fps, high)


def _encoded(path: Path, frames_THWC: NDArray[np.uint8], fps: float, factor: float) -> int:
    rate = Fraction(fps).limit_denominator(1001)
    encode_mp4(path, iter(frames_THWC), rate, "yuv420p", {"crf": f"{factor:.3f}", "preset": "veryfast"})
    return _payload(path)


def _payload(path: Path) -> int:
    """Count the bytes of the pictures alone; of a small clip the container takes as much again."""
    import av

    with av.open(str(path)) as container:
        return sum(packet.size for packet in container.demux(video=0))
