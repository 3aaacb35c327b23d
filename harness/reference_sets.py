"""Reference sets: real clips that set measures compare generated clips with."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..generators.worlds.registry import find_world
from ..metrics.encoders.base import Encoder, Feature, Record
from ..metrics.encoders.cache import FeatureCache
from .core.clip_info import DECODING_VERSION
from .core.errors import MediaError, UsageError
from .core.files import VIDEO_SUFFIXES, survey_videos
from .core.items import ClipSettings
from .core.keys import digest
from .core.media import Clip, decode, open_clip, write_clip
from .core.progress import note, track
from .suite import ReferenceSet

__all__ = ["ReferenceClips"]


class ReferenceClips:
    """The clips of a reference set, and their digest.

    Clips of a world are encoded with the codec of stored generated clips, so that the codec does not
    distinguish the two sets.

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

    def features(self, encoder: Encoder, cache: FeatureCache) -> tuple[Feature, list[str]]:
        """Encode all clips that the encoder can read, or read their features from the cache.

        Returns:
            the features, (M, D), and the clip of each row: its sha256, or its number in the world.
        """
        cached = cache.get_set(self.digest, encoder.digest)
        if cached is not None:
            return cached
        rows: list[Feature] = []
        names: list[str] = []
        with track(f"reference set ({encoder.name})", self.size) as ticker:
            for number, clip in enumerate(self._clips()):
                stream = encoder.open(clip.info)
                decode(clip, [stream])
                made = stream.finish()
                if isinstance(made, Record):
                    raise TypeError(f"the encoder {encoder.name!r} gives records, which are no set of rows")
                rows.append(made)
                names += [clip.sha256 if self._files else str(number)] * len(made)
                ticker.advance()
        features = np.concatenate(rows)
        cache.put_set(self.digest, encoder.digest, features, names)
        return features, names

    def _clips(self) -> Iterator[Clip]:
        if self._files:
            yield from self._files
            return
        world = find_world(str(self._settings.world))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "clip.mp4"
            for frames_THWC, _ in world.clips(self.size, "reference set", self._clip):
                write_clip(path, frames_THWC, self._clip.fps)
                yield open_clip(path)


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
        what = "1 entry" if len(left_out) == 1 else f"{len(left_out)} entries"
        reasons = "; ".join(f"{name} {why}" for name, why in sorted(left_out.items()))
        note(f"warning: {what} of the reference set's folder {folder} left out: {reasons}")
    if len(clips) < 2:
        raise UsageError(
            f"the reference set's folder {folder} holds {len(clips)} videos; at least 2 are needed"
        )
    return tuple(clips)
