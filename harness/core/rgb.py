"""Convert decoded video frames to upright, opaque RGB of standard dynamic range."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from .errors import MediaError
from .hdr import TRANSFERS, tone_map

if TYPE_CHECKING:
    from av import VideoFrame

__all__ = ["ALPHA_NOTE", "RgbConverter", "over_white"]

ALPHA_NOTE: Final = "it has transparent parts, which were composed over white"

_INTERLACED = "it is interlaced: a frame holds two moments, line by line; flicker, sharpness and flow see it"
_TONE_MAPPED = "tone-mapped to BT.709, by the curve of BT.2390 from 1,000 to 203 cd/m2"
_WIDE = "its wide-gamut colours (BT.2020) are read as BT.709 and look paler than they are"

_BT709, _BT2020 = 1, 9  # colour primaries of ITU-T H.273


class RgbConverter:
    """Turn the decoded frames of one video upright and into RGB.

    Transparent pixels are composed over white, and HDR is tone-mapped by the rule of `hdr`.

    Attributes:
        notes: sentences about conversions that were made, and properties that were left as they are.
    """

    def __init__(self, path: Path) -> None:
        from av.video.reformatter import Interpolation, VideoReformatter

        # FFmpeg's fast conversion is wrong by some levels of 255: it rounds coarsely and repeats chroma.
        self._how = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
        self._reformatter = VideoReformatter()
        self._path = path
        self._turn: tuple[bool, int, int] | None = None
        self._alpha: dict[str, bool] = {}
        self.notes: dict[str, None] = {}

    def __call__(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """Return the frame as uint8 RGB (H, W, 3), as it is to be shown.

        Raises:
            MediaError: the frame is to be shown askew, or has colours that FFmpeg cannot convert.
        """
        if self._turn is None:
            # Read from the first frame only: it holds for the whole stream, and a frame whose side data was
            # read stays in memory until the garbage collector runs.
            self._turn = _orientation(frame, self._path)
        transposed, step_y, step_x = self._turn
        if frame.interlaced_frame:
            self.notes[_INTERLACED] = None
        frame_HWC = self._rgb(frame)
        return (frame_HWC.transpose(1, 0, 2) if transposed else frame_HWC)[::step_y, ::step_x]

    def _rgb(self, frame: VideoFrame) -> NDArray[np.uint8]:
        transfer, primaries = int(frame.color_trc), int(frame.color_primaries)
        if transfer in TRANSFERS:
            signal = np.asarray(self._converted(frame, "rgb48le"), np.uint16)
            self.notes[f"it is HDR ({TRANSFERS[transfer]}) and was {_TONE_MAPPED}"] = None
            return tone_map(signal, transfer, wide=primaries != _BT709)
        if primaries == _BT2020:
            self.notes[_WIDE] = None
        if self._has_alpha(frame):
            rgba = np.asarray(self._converted(frame, "rgba"), np.uint8)
            frame_HWC, seen = over_white(rgba)
            if seen:
                self.notes[ALPHA_NOTE] = None
            return frame_HWC
        return np.asarray(self._converted(frame, "rgb24"), np.uint8)

    def _has_alpha(self, frame: VideoFrame) -> bool:
        kind = frame.format
        if kind.name not in self._alpha:
            self._alpha[kind.name] = any(component.is_alpha for component in kind.components)
        return self._alpha[kind.name]

    def _converted(self, frame: VideoFrame, pix_fmt: str) -> NDArray[np.uint8] | NDArray[np.uint16]:
        from av.error import FFmpegError

        try:
            rgb = self._reformatter.reformat(frame, format=pix_fmt, interpolation=self._how, threads=1)
        except FFmpegError:
            kind = f"{frame.format.name}, matrix {int(frame.colorspace)} of ITU-T H.273"
            raise MediaError(f"the colours of {self._path} ({kind}) cannot be turned into RGB") from None
        return rgb.to_ndarray()  # pyright: ignore[reportReturnType]  (of these formats, 8 or 16 bits)


def over_white(rgba_HWC: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], bool]:
    """Compose straight uint8 RGBA (H, W, 4) over white: RGB, and whether anything was transparent."""
    alpha = rgba_HWC[..., 3:].astype(np.uint16)
    if int(alpha.min(initial=255)) == 255:
        return np.ascontiguousarray(rgba_HWC[..., :3]), False
    mixed = rgba_HWC[..., :3] * alpha + 255 * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8), True


def _orientation(frame: VideoFrame, path: Path) -> tuple[bool, int, int]:
    """Read the display matrix: whether rows and columns swap, then the steps (1 or -1) along y and x."""
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return False, 1, 1
    # Row vectors (x, y, 1) times a 3x3 matrix, x to the right and y down: x' = a x + c y, y' = b x + d y.
    a, b, _, c, d = (int(v) for v in np.frombuffer(bytes(matrix), np.int32)[:5])
    if b == c == 0 and a and d:
        return False, 1 if d > 0 else -1, 1 if a > 0 else -1
    if a == d == 0 and b and c:
        return True, 1 if b > 0 else -1, 1 if c > 0 else -1
    raise MediaError(f"{path} is to be shown at an angle that is not a multiple of 90 degrees")
