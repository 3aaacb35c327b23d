"""A clip against a reference clip of the same thing: PSNR, SSIM, MS-SSIM and LPIPS, aligned in time.

For reconstructions, edits and golden clips. A frame is compared with the reference frame that is shown
nearest in time, so that clips of different frame rates or lengths meet where both have a frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from ..harness.core.errors import MissingWeightsError
from .base import NotApplicable
from .similarity import ms_ssim_of_frames, scales_of, ssim_of_frames

if TYPE_CHECKING:
    from ..harness.core.media import Clip

__all__ = ["Against", "FrameDistance", "compare_clips", "lpips_distance"]

_FRAMES: Final = 8

Frames = NDArray[np.uint8]
FrameDistance = Callable[[Frames, Frames], list[float]]
"""Two blocks of frames, uint8 RGB (T, H, W, 3), to a distance a frame."""


@dataclass(frozen=True)
class Against:
    """How like a reference clip a clip is.

    Attributes:
        frames: number of pairs of frames that were compared; ``alone``: frames of the clip that the reference
            has none for.
        psnr: peak signal-to-noise ratio in dB over all of them; None where they are all equal.
        ssim, ms_ssim: mean over frames, up to 1; None for frames under 11 pixels.
        lpips: mean distance; None where it was not asked for.
        worst_frame: of the clip, the one with the largest difference.
    """

    frames: int
    alone: int
    psnr: float | None
    ssim: float | None
    ms_ssim: float | None
    lpips: float | None
    worst_frame: int


def compare_clips(clip: Clip, reference: Clip, lpips: FrameDistance | None = None) -> Against:
    """Compare a clip with a reference, in one pass over both and bounded memory.

    Args:
        clip: the clip.
        reference: what it should look like.
        lpips: such as `lpips_distance` gives.

    Raises:
        NotApplicable: their frames differ in size, or none are shown at the same time.
        MediaError: a file cannot be decoded.
    """
    sizes = [(one.info.width, one.info.height) for one in (clip, reference)]
    if sizes[0] != sizes[1]:
        said = " and ".join(f"{width}x{height}" for width, height in sizes)
        raise NotApplicable(f"clip and reference have frames of {said}; bring both to one size")
    found = _Sums(lpips)
    step = 1.0 / max(min(clip.info.fps, reference.info.fps), 1e-6)
    others = _Nearest(_frames(reference))
    for frame, time in _frames(clip):
        found.add(frame, others.at(time, step / 2))
    return found.result()


def lpips_distance(network: str) -> FrameDistance:
    """Make the LPIPS distance (Zhang et al. 2018) of torchmetrics, by ``alex``, ``vgg`` or ``squeeze``.

    Raises:
        MissingWeightsError: torchvision, whose weights it rests on, is not installed, or has no weights here.
    """
    try:
        from torchmetrics.image import lpip

        make: Any = lpip.LearnedPerceptualImagePatchSimilarity
        measure: Any = make(net_type=network, normalize=True).eval()
    except Exception as error:  # an ImportError, or what a download that fails raises
        reason = " ".join(str(error).split())[:200]
        raise MissingWeightsError(
            f"LPIPS with {network!r} needs torchvision and its weights, which are not here ({reason}); "
            "install torchvision where a download is possible, or leave --lpips out"
        ) from None

    def distance(a_THWC: Frames, b_THWC: Frames) -> list[float]:
        import torch

        found: list[float] = []
        for a, b in zip(a_THWC, b_THWC, strict=True):
            pair = [torch.from_numpy(x.copy()).permute(2, 0, 1)[None].float() / 255.0 for x in (a, b)]
            with torch.inference_mode():
                found.append(float(measure(*pair)))
        return found

    return distance


def _frames(clip: Clip) -> Iterator[tuple[Frames, float]]:
    for window in clip.windows():
        times = (float(time) for time in window.times_T)
        yield from zip(window.frames_THWC, times, strict=True)


class _Nearest:
    """Frames by time, asked for in order."""

    def __init__(self, frames: Iterator[tuple[Frames, float]]) -> None:
        self._frames = frames
        self._now = next(frames, None)
        self._next = next(frames, None)

    def at(self, time: float, reach: float) -> Frames | None:
        """Return the frame that is shown nearest to ``time``; None where none is within ``reach``."""
        while self._now and self._next and abs(self._next[1] - time) < abs(self._now[1] - time):
            self._now, self._next = self._next, next(self._frames, None)
        if self._now is None or abs(self._now[1] - time) > reach + 1e-6:
            return None
        return self._now[0]


class _Sums:
    """What is summed over pairs of frames, a few at a time."""

    def __init__(self, lpips: FrameDistance | None) -> None:
        self._lpips = lpips
        self._waiting: list[tuple[Frames, Frames]] = []
        self._squares: list[float] = []
        self._numbers: list[int] = []
        self._ssim: list[float] = []
        self._ms_ssim: list[float] = []
        self._distances: list[float] = []
        self._values = 0
        self._seen = 0

    def add(self, frame: Frames, other: Frames | None) -> None:
        if other is not None:
            self._waiting.append((frame.copy(), other.copy()))
            self._numbers.append(self._seen)
            if len(self._waiting) == _FRAMES:
                self._flush()
        self._seen += 1

    def result(self) -> Against:
        self._flush()
        if not self._squares:
            raise NotApplicable("clip and reference show no frame at the same time")
        total = float(np.sum(self._squares))
        psnr = None if total == 0 else float(10 * np.log10(255.0**2 * self._values / total))
        return Against(
            frames=len(self._squares),
            alone=self._seen - len(self._squares),
            psnr=psnr,
            ssim=_mean(self._ssim),
            ms_ssim=_mean(self._ms_ssim),
            lpips=_mean(self._distances),
            worst_frame=self._numbers[int(np.argmax(self._squares))],
        )

    def _flush(self) -> None:
        if not self._waiting:
            return
        a, b = (np.stack(part) for part in zip(*self._waiting, strict=True))
        self._waiting.clear()
        self._squares += np.square(a.astype(np.float64) - b).sum(axis=(1, 2, 3)).tolist()
        self._values += a.size
        if scales := scales_of(min(a.shape[1:3])):  # none for frames under the window of either
            self._ssim += ssim_of_frames(a, b)
            self._ms_ssim += ms_ssim_of_frames(a, b, scales)
        if self._lpips is not None:
            self._distances += self._lpips(a, b)


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None
