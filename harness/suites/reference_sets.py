"""Reference sets: real clips that set measures compare generated clips with."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, TypeAlias

from ...generators.worlds.registry import find_world
from ...metrics.encoders.base import Encoder, Feature, Record
from ...metrics.encoders.cache import FeatureCache
from ..core.clip_info import DECODING_VERSION
from ..core.counts import counted
from ..core.errors import MediaError, UsageError
from ..core.files import VIDEO_SUFFIXES, survey_videos
from ..core.items import ClipSettings
from ..core.keys import digest
from ..core.media import Clip, decode, open_clip, write_clip
from ..core.progress import note, track
from .suite import ReferenceSet

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["ReferenceClips", "unlike_timing"]

Timing: TypeAlias = "tuple[float, int | None]"
"""A clip's frame rate, and its number of frames where it is known."""
SAME_RATE = 0.01
"""Frame rates that differ by a larger share are different."""

TRAINING_SET_VERSION = 1
"""Raised when the clips of a training set, or their order, change."""


class ReferenceClips:
    """The clips of a reference set, and their digest.

    Clips of a world or of a training set are encoded with the codec of stored generated clips, so that the
    codec does not distinguish the two sets.

    Raises:
        UsageError: there is no such world or folder, or it has too few videos.
    """

    def __init__(self, settings: ReferenceSet, clip: ClipSettings) -> None:
        self._settings = settings
        self._clip = clip
        if settings.folder is not None:
            self._files = _videos_in(Path(settings.folder))
            shas = sorted(c.sha256 for c in self._files)
            self.digest = digest("reference set", {"files": shas, "decoding": DECODING_VERSION})
            self.size = len(self._files)
        elif settings.training_set is not None:
            self._files = ()
            self.size = settings.clips
            self.digest = digest(
                "reference set",
                {
                    "training_set": settings.training_set,
                    "held_out": settings.held_out,
                    "version": TRAINING_SET_VERSION,
                    "world_version": find_world("reference").version,
                    "clips": self.size,
                },
            )
        else:
            world = find_world(str(settings.world))
            self._files = ()
            self.size = settings.clips
            self.digest = digest(
                "reference set",
                {
                    "world": world.name,
                    "version": world.version,
                    "clips": self.size,
                    "clip": clip.model_dump(),
                },
            )

    @property
    def timing(self) -> list[Timing]:
        """List the frame rate of each clip, and its number of frames where it is declared or settled.

        Empty for the clips of a training set, which are as the generator is given them.
        """
        if self._files:
            return [(clip.info.fps, clip.info.frames) for clip in self._files]
        if self._settings.training_set is not None:
            return []
        return [(self._clip.fps, self._clip.frames)] * self.size

    def features(self, encoder: Encoder, cache: FeatureCache) -> tuple[Feature, list[str]]:
        """Encode all clips that the encoder can read, or read their features from the cache.

        Returns:
            the features, (M, D), memory-mapped, and the clip of each row: its sha256, or its name or
            number in the world.

        Raises:
            UsageError: another process is encoding the set.
        """
        cached = cache.get_set(self.digest, encoder.digest)
        if cached is not None:
            return cached
        whose = f"reference set ({encoder.name})"
        with cache.write_set(self.digest, encoder.digest, whose) as index, track(whose, self.size) as ticker:
            done = len(index.clips)
            ticker.advance(done)
            for name, clip in self._clips(done):
                stream = encoder.open(clip.info)
                decode(clip, [stream], sound=encoder.hears)
                made = stream.finish()
                if isinstance(made, Record):
                    raise TypeError(f"the encoder {encoder.name!r} gives records, which are no set of rows")
                index.add(name, made)
                ticker.advance()
            index.finish()
        built = cache.get_set(self.digest, encoder.digest)
        if built is None:
            raise UsageError(
                f"the features of the {whose} in the cache {cache.folder} changed as they were written"
            )
        return built

    def chosen(self, numbers: Collection[int]) -> Iterator[tuple[int, str, Clip]]:
        """Open the clips with these numbers, in order: number, name as in `features`, and the clip.

        A clip that is rendered is valid until the next one is asked for.
        """
        if self._files:
            yield from ((k, self._files[k].sha256, self._files[k]) for k in sorted(numbers))
            return
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "clip.mp4"
            for number, (name, frames_THWC, fps) in enumerate(self._rendered()):
                if number in numbers:
                    write_clip(path, frames_THWC, fps)
                    yield number, name, open_clip(path)

    def _clips(self, first: int) -> Iterator[tuple[str, Clip]]:
        """Open the clips from number ``first`` on, with their names."""
        if self._files:
            yield from ((clip.sha256, clip) for clip in self._files[first:])
            return
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "clip.mp4"
            for name, frames_THWC, fps in islice(self._rendered(), first, None):
                write_clip(path, frames_THWC, fps)
                yield name, open_clip(path)

    def _rendered(self) -> Iterator[tuple[str, NDArray[np.uint8], float]]:
        """Render the clips of a world or a training set, with their names and frame rates."""
        if self._settings.training_set is None:
            world = find_world(str(self._settings.world))
            clips = world.clips(self.size, "reference set", self._clip)
            yield from ((str(n), frames_THWC, self._clip.fps) for n, (frames_THWC, _) in enumerate(clips))
            return
        from ...generators.reference.training.data import distinct_clips

        yield from distinct_clips(self._settings.training_set, self.size, held_out=self._settings.held_out)


def unlike_timing(made: Sequence[Timing], real: Sequence[Timing], *, lengths: bool) -> str:
    """Say how reference clips differ from generated ones in frame rate or length; empty if they do not.

    A distance between the two would be of speed, or of length, whatever the clips show. The generated clips
    stand for themselves by their median.

    Args:
        made: of the generated clips.
        real: of the reference clips; nothing is said of an empty set.
        lengths: whether more frames change the feature.

    Example:
        >>> unlike_timing([(8.0, 16)], [(8.0, 16), (24.0, 48)], lengths=False)
        'has 1 of 2 clips at another frame rate (24 a second) than the generated ones (8); bring both to one'
    """
    rate = median(fps for fps, _ in made)
    others = sorted({f"{fps:.4g}" for fps, _ in real if abs(fps - rate) > SAME_RATE * rate}, key=float)
    if others:
        count = sum(abs(fps - rate) > SAME_RATE * rate for fps, _ in real)
        return (
            f"has {count} of {counted(len(real), 'clip')} at another frame rate ({_span(others)} a "
            "second) than the "
            f"generated ones ({rate:.4g}); bring both to one"
        )
    known = [frames for _, frames in made if frames is not None]
    if not lengths or not known:
        return ""
    length = median(known)
    longer = sorted({frames for _, frames in real if frames is not None and frames != length})
    if not longer:
        return ""
    count = sum(frames is not None and frames != length for _, frames in real)
    return (
        f"has {count} of {counted(len(real), 'clip')} of another length "
        f"({_span([str(n) for n in longer])} frames) than "
        f"the generated ones ({length:g}); cut both to one"
    )


def _span(values: Sequence[str]) -> str:
    return values[0] if len(values) == 1 else f"{values[0]} to {values[-1]}"


def _videos_in(folder: Path) -> tuple[Clip, ...]:
    if not folder.is_dir():
        raise UsageError(
            f"the reference set's folder {folder} does not exist; set reference_set.folder to one that does"
        )
    clips: list[Clip] = []
    left_out = {name: f"is {why}" for name, why in survey_videos(folder, outside=True).left_out.items()}
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(".")):
        try:
            clips.append(open_clip(path))
        except MediaError as error:
            if path.suffix.lower() in VIDEO_SUFFIXES:
                reason = str(error).removeprefix(f"{path} ")
                left_out.setdefault(path.relative_to(folder).as_posix(), reason)
            # else: not a video, such as a licence file
    if left_out:
        what = counted(len(left_out), "entry", "entries")
        reasons = "; ".join(f"{name} {why}" for name, why in sorted(left_out.items()))
        note(f"warning: {what} of the reference set's folder {folder} left out: {reasons}")
    if len(clips) < 2:
        raise UsageError(
            f"the reference set's folder {folder} holds {counted(len(clips), 'video')}; at least 2 are needed"
        )
    return tuple(clips)
