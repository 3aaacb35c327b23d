"""Corruptions of true clips, each in three grades of severity, to try what a measure sees.

A corruption of a clip changes its frames (or its prompt) and depends on the clip's name, the corruption and
the severity alone. Corruptions of sets change which clips a set has; those of clips make sets, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...generators.worlds.stage.warps import WARP, warped
from ...harness.core.keys import seeded_rng
from .looks import coded

if TYPE_CHECKING:
    from .true_clips import TrueClip

__all__ = ["CAPTION", "CORRUPTIONS", "SET_CORRUPTIONS", "Corruption", "corrupted"]

Frames: TypeAlias = NDArray[np.uint8]
_Change: TypeAlias = Callable[["TrueClip", float, np.random.Generator, "TrueClip"], Frames]


@dataclass(frozen=True)
class Corruption:
    """A kind of corruption.

    Attributes:
        about: what is done, with the unit of the severity.
        severities: from mild to strong.
        change: the clip, the severity, random numbers and another clip of the same size to the frames; None
            for a corruption of the prompt or of a set.
        fewest: frames that a clip needs.
    """

    about: str
    severities: tuple[float, ...]
    change: _Change | None = None
    fewest: int = 1


def _blur(clip: TrueClip, sigma: float, rng: np.random.Generator, other: TrueClip) -> Frames:
    import cv2

    del rng, other
    return np.stack([np.asarray(cv2.GaussianBlur(frame, (0, 0), sigma), np.uint8) for frame in clip.frames])


def _noise(clip: TrueClip, levels: float, rng: np.random.Generator, other: TrueClip) -> Frames:
    del other
    return _levels(clip.frames + rng.normal(0, levels, clip.frames.shape))


def _crf(clip: TrueClip, crf: float, rng: np.random.Generator, other: TrueClip) -> Frames:
    del rng, other
    return coded(clip.frames, clip.fps, round(crf))


def _resize(clip: TrueClip, factor: float, rng: np.random.Generator, other: TrueClip) -> Frames:
    import cv2

    del rng, other
    height, width = clip.frames.shape[1:3]
    small = (max(1, round(width / factor)), max(1, round(height / factor)))
    shrunk = (cv2.resize(frame, small, interpolation=cv2.INTER_AREA) for frame in clip.frames)
    back = [cv2.resize(frame, (width, height), interpolation=cv2.INTER_CUBIC) for frame in shrunk]
    return np.asarray(np.stack(back), np.uint8)


def _exposure(clip: TrueClip, gain: float, rng: np.random.Generator, other: TrueClip) -> Frames:
    del rng, other
    return _levels(clip.frames.astype(np.float64) * gain)


def _letterbox(clip: TrueClip, share: float, rng: np.random.Generator, other: TrueClip) -> Frames:
    del rng, other
    rows = max(1, round(clip.frames.shape[1] * share / 2))
    boxed = clip.frames.copy()
    boxed[:, :rows] = boxed[:, -rows:] = 0
    return boxed


def _flicker(clip: TrueClip, share: float, rng: np.random.Generator, other: TrueClip) -> Frames:
    del other
    gains = 1 + share * rng.choice((-1.0, 1.0), len(clip.frames)) * rng.uniform(0.5, 1.0, len(clip.frames))
    return _levels(clip.frames * gains[:, None, None, None])


def _shuffle(clip: TrueClip, window: float, rng: np.random.Generator, other: TrueClip) -> Frames:
    del other
    order = np.arange(len(clip.frames))
    for start in range(0, len(order), round(window)):
        part = order[start : start + round(window)].copy()
        if len(part) < 2:
            continue
        mixed = part.copy()
        while (mixed == part).all():
            rng.shuffle(mixed)
        order[start : start + round(window)] = mixed
    return clip.frames[order]


def _freeze(clip: TrueClip, share: float, rng: np.random.Generator, other: TrueClip) -> Frames:
    del rng, other
    last = max(0, round(len(clip.frames) * (1 - share)) - 1)
    return clip.frames[np.minimum(np.arange(len(clip.frames)), last)]


def _drop(clip: TrueClip, share: float, rng: np.random.Generator, other: TrueClip) -> Frames:
    del other
    return np.delete(clip.frames, _inner(len(clip.frames), share, rng), axis=0)


def _repeat(clip: TrueClip, share: float, rng: np.random.Generator, other: TrueClip) -> Frames:
    del other
    held = np.zeros(len(clip.frames), bool)
    held[_inner(len(clip.frames), share, rng)] = True
    shown = np.maximum.accumulate(np.where(held, 0, np.arange(len(held))))
    return clip.frames[shown]


def _inner(count: int, share: float, rng: np.random.Generator) -> NDArray[np.intp]:
    """Draw a share of the frames between the first and the last, at least one."""
    inner = np.arange(1, count - 1)
    return rng.choice(inner, max(1, min(len(inner), round(share * count))), replace=False)


def _warp(clip: TrueClip, frames: float, rng: np.random.Generator, other: TrueClip) -> Frames:
    del rng, other
    count = len(clip.frames)
    even = np.arange(count)
    moved = even + frames * np.sin(2 * np.pi * even / max(4.0, count / 2))
    return clip.frames[np.rint(moved).astype(int).clip(0, count - 1)]


def _swap(clip: TrueClip, share: float, rng: np.random.Generator, other: TrueClip) -> Frames:
    del rng
    first = len(clip.frames) - max(1, round(share * len(clip.frames)))
    made = clip.frames.copy()
    for t in range(first, len(made)):
        made[t] = other.frames[t % len(other.frames)]
    return made


def _wobble(clip: TrueClip, share: float, rng: np.random.Generator, other: TrueClip) -> Frames:
    import cv2

    del other
    count, height, width = clip.frames.shape[:3]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    side = min(height, width)
    made = np.empty_like(clip.frames)
    for t in range(count):
        bent: list[NDArray[np.float32]] = []
        for _ in "xy":
            rough = rng.normal(0, 1, (height, width)).astype(np.float32)
            field = np.asarray(cv2.GaussianBlur(rough, (0, 0), side / 10), np.float32)
            bent.append((field * (share * side / np.abs(field).max())).astype(np.float32))
        made[t] = cv2.remap(
            clip.frames[t], x + bent[0], y + bent[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
        )
    return made


def _bend(clip: TrueClip, share: float, rng: np.random.Generator, other: TrueClip) -> Frames:
    del other
    return warped(clip.frames, share / WARP, 1, int(rng.integers(2**32)))


def _loop(clip: TrueClip, times: float, rng: np.random.Generator, other: TrueClip) -> Frames:
    del rng, other
    part = clip.frames[: len(clip.frames) // round(times)]
    return np.concatenate([part] * round(times))


def _levels(frames: NDArray[np.floating]) -> Frames:
    return np.rint(frames).clip(0, 255).astype(np.uint8)


CAPTION: Final = "caption"
CORRUPTIONS: Final[Mapping[str, Corruption]] = MappingProxyType(
    {
        "blur": Corruption("Gaussian blur, sigma in pixels", (0.7, 1.5, 3.0), _blur),
        "noise": Corruption("white noise, another in each frame, levels of 255", (4.0, 12.0, 32.0), _noise),
        "crf": Corruption("H.264 at a constant rate factor", (28.0, 40.0, 51.0), _crf),
        "resize": Corruption("reduced by a factor and enlarged again", (1.5, 2.0, 4.0), _resize),
        "exposure": Corruption("brighter by a factor", (1.3, 1.7, 2.5), _exposure),
        "letterbox": Corruption("black bars, share of the height", (0.0625, 0.125, 0.25), _letterbox),
        "flicker": Corruption("brightness jumps from frame to frame, share", (0.02, 0.05, 0.15), _flicker, 2),
        "shuffle": Corruption("order of frames mixed in windows of so many", (2.0, 4.0, 8.0), _shuffle, 4),
        "freeze": Corruption("the end is held, share of the clip", (0.25, 0.5, 0.75), _freeze, 4),
        "drop": Corruption("frames left out, share", (0.125, 0.25, 0.5), _drop, 6),
        "repeat": Corruption("frames replaced by the one before, share", (0.125, 0.25, 0.5), _repeat, 4),
        "warp": Corruption("time runs fast and slow, by so many frames", (0.75, 1.5, 3.0), _warp, 8),
        "swap": Corruption("hard cut to another clip, share of the clip", (0.125, 0.25, 0.5), _swap, 4),
        "wobble": Corruption("smoothly bent, anew in each frame, share of the shorter side",
                             (0.005, 0.01, 0.02), _wobble),
        "bend": Corruption("smoothly bent, by a field that turns slowly, root mean square, share of the side",
                           (0.0125, 0.025, 0.05), _bend, 8),
        "loop": Corruption("the first part is played so many times", (2.0,), _loop, 8),
        CAPTION: Corruption("the prompt of another clip", (1.0,)),
    }
)  # fmt: skip
"""Corruptions of a clip, by name. What of them a measure claims to see is declared where it is registered."""
SET_CORRUPTIONS: Final[Mapping[str, Corruption]] = MappingProxyType(
    {
        "modes": Corruption("kinds of scenes left out, share", (0.5, 0.75, 0.875)),
        "duplicates": Corruption("clips that are copies of others in the set, share", (0.5, 0.75, 0.875)),
        "memorised": Corruption("clips that are copies of the reference set's, share", (0.25, 0.5, 1.0)),
        "few": Corruption("clips left out, share", (0.5, 0.75, 0.875)),
    }
)
"""Corruptions of a set of clips, by name."""


def corrupted(clip: TrueClip, name: str, severity: float, other: TrueClip) -> Frames | None:
    """Corrupt a clip: uint8 RGB (T, H, W, 3); None if it has too few frames, or its frames stay as they are.

    Args:
        clip: the true clip.
        name: one of `CORRUPTIONS`.
        severity: one of its severities.
        other: another clip of the same size of frames.
    """
    kind = CORRUPTIONS[name]
    if kind.change is None or len(clip.frames) < kind.fewest:
        return None
    rng = seeded_rng("corruption", clip.name, name, severity)
    return kind.change(clip, severity, rng, other)
