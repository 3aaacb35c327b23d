"""Harmless clips to count a frame judge's false alarms on, and the renditions that each is judged in.

The list names files that are not part of the package: the sha256 of each, what it shows, and whether it is
for choosing settings or held out. All clips of one image model or film are on the same side.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ...harness.core.config import Config, load_yaml
from ...harness.core.errors import UsageError
from ...harness.core.keys import file_sha256
from ...metrics.frame_sampling import FrameSampler, Sampling

__all__ = [
    "RENDITIONS",
    "JudgeTrialClip",
    "LongClip",
    "Part",
    "TrialList",
    "compressed",
    "find_files",
    "parts_of",
    "renditions_of",
    "trial_list",
]

Frames = NDArray[np.uint8]
Use = Literal["choosing", "held out"]
PART_S: Final = 4.0
"""Length, in seconds, of the clips that longer files are cut into."""
MOST_PARTS: Final = 5
"""Most clips of one file; the rest is left out."""
_FEWEST: Final = 8
_LIST: Final = Path(__file__).parent.parent / "data" / "judges" / "trials" / "harmless.yaml"


class JudgeTrialClip(Config):
    """A file of the list.

    Attributes:
        shows: body parts, such as ``face``, that a person saw in it, whole and for most of the clip.
    """

    file: str
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    source: str = Field(description="the generator with its image model, or the film")
    kind: str = Field(description="drawing, fur, people or scenery")
    made_by: Literal["generator", "camera", "animation"]
    use: Use
    shows: tuple[str, ...] = ()


class TrialList(Config):
    """The list of files, and where they come from."""

    version: int = 1
    origins: dict[str, str]
    clips: tuple[JudgeTrialClip, ...]


@dataclass(frozen=True)
class LongClip:
    """A file of the list: its entry and its path."""

    entry: JudgeTrialClip
    path: Path


@dataclass(frozen=True)
class Part:
    """At most `PART_S` seconds of a file: the frames that a judge would see, uint8 RGB (T, H, W, 3)."""

    entry: JudgeTrialClip
    number: int
    frames_THWC: Frames


def trial_list(path: Path = _LIST) -> TrialList:
    """Read the list of harmless clips."""
    return load_yaml(TrialList, path.stem, {path.stem: path}, kind="list of trial clips")


def find_files(entries: TrialList, folder: Path) -> list[LongClip]:
    """Find every file of the list below ``folder`` by its sha256.

    Raises:
        UsageError: files of the list are not there.
    """
    by_name: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        by_name.setdefault(path.name, []).append(path)
    found: list[LongClip] = []
    missing: list[str] = []
    for entry in entries.clips:
        near = by_name.get(Path(entry.file).name, ())
        path = next((p for p in near if file_sha256(p) == entry.sha256), None)
        if path is None:
            missing.append(entry.file)
        else:
            found.append(LongClip(entry, path))
    if missing:
        raise UsageError(
            f"{len(missing)} of {len(entries.clips)} trial clips are not in {folder} (the first: "
            f"{missing[0]}); the list says where they come from: {_LIST}"
        )
    return found


def parts_of(clip: LongClip, sampling: Sampling) -> Iterator[Part]:
    """Cut a file into clips of `PART_S` seconds, and keep the frames that a judge would see."""
    number, kept, sampler, count = 0, list[Frames](), FrameSampler(sampling), 0
    for frame_HWC, time in _frames(clip.path):
        at = int(time // PART_S)
        if at >= MOST_PARTS:
            break
        if at != number:
            if count >= _FEWEST:
                yield Part(clip.entry, number, np.stack(kept))
            number, kept, sampler, count = at, [], FrameSampler(sampling), 0
        count += 1
        if sampler.take_time(time - number * PART_S):
            kept.append(frame_HWC)
    if count >= _FEWEST or (number == 0 and kept):
        yield Part(clip.entry, number, np.stack(kept))


def _frames(path: Path) -> Iterator[tuple[Frames, float]]:
    from ...harness.core.media import decoding

    with decoding(path) as windows:
        for window in windows:
            for frame_HWC, time in zip(window.frames_THWC, window.times_T, strict=True):
                yield frame_HWC.copy(), float(time)


def _resized(frames_THWC: Frames, width: int) -> Frames:
    import cv2

    height = max(16, round(frames_THWC.shape[1] * width / frames_THWC.shape[2]))
    return np.stack(
        [
            np.asarray(cv2.resize(f, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
            for f in frames_THWC
        ]
    )


def _blurred(frames_THWC: Frames) -> Frames:
    import cv2

    sigma = frames_THWC.shape[2] / 128
    return np.stack([np.asarray(cv2.GaussianBlur(f, (0, 0), sigma), np.uint8) for f in frames_THWC])


def compressed(frames_THWC: Frames) -> Frames:
    """Encode frames as H.264 at crf 40 and decode them; an odd last row or column is lost."""
    from ...harness.core.codec import encode_mp4
    from ...harness.core.media import all_frames

    height, width = (2 * (n // 2) for n in frames_THWC.shape[1:3])
    with TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        cut = [np.ascontiguousarray(f[:height, :width]) for f in frames_THWC]
        encode_mp4(path, cut, Fraction(8), "yuv420p", {"crf": "40"})
        return all_frames(path)


RENDITIONS: Final[Mapping[str, str]] = {
    "as it is": "as it is in the file",
    "half": "half as wide and high",
    "64 wide": "64 pixels wide",
    "blurred": "Gaussian blur, standard deviation 1/128 of the width",
    "compressed": "H.264 at crf 40",
}


def renditions_of(frames_THWC: Frames) -> Iterator[tuple[str, Frames]]:
    """Yield the frames in each of the `RENDITIONS`: name, frames."""
    yield "as it is", frames_THWC
    yield "half", _resized(frames_THWC, max(16, frames_THWC.shape[2] // 2))
    yield "64 wide", _resized(frames_THWC, 64)
    yield "blurred", _blurred(frames_THWC)
    yield "compressed", compressed(frames_THWC)
