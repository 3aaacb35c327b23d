"""True clips to corrupt: of a simulated world, or of a folder of videos; two at a time in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...generators.worlds.registry import find_world
from ...harness.core.counts import counted
from ...harness.core.errors import MediaError, UsageError, unknown_name
from ...harness.core.files import survey_videos
from ...harness.core.keys import Json, digest
from ...harness.core.media import Clip, open_clip
from ...harness.core.progress import note, track
from ..quality.motion import repeat_limit

__all__ = ["WORLD", "FolderClips", "TrueClip", "TrueClips", "WorldClips", "with_others"]

WORLD: Final = "reference"
"""The world whose clips are true ones, where no other is named."""
_FEWEST: Final = 8


@dataclass(frozen=True)
class TrueClip:
    """A clip before any corruption.

    Attributes:
        name: of it within its source.
        frames: uint8 RGB (T, H, W, 3), of even size.
        fps: frames a second.
        prompt: what it shows, if that is known.
        kind: of scene, if that is known.
    """

    name: str
    frames: NDArray[np.uint8]
    fps: float
    prompt: str | None = None
    kind: str | None = None


class WorldClips:
    """Clips of a simulated world with their captions.

    Args:
        n: how many.
        seed: of the scenes.
        purpose: clips of one are not those of another.
        world: the reference world, or another by name.
        families: of scenes; empty for every family.

    Raises:
        UsageError: no such world or family.
    """

    def __init__(
        self,
        n: int,
        seed: int = 0,
        purpose: str = "clips",
        *,
        world: str = WORLD,
        families: Sequence[str] = (),
    ) -> None:
        self._world, self._n, self._seed, self._purpose = find_world(world), n, seed, purpose
        self._families = tuple(families)
        for family in self._families:
            if family not in self._world.families:
                raise unknown_name(
                    "family",
                    family,
                    self._world.families,
                    of=f"of the world {world!r}",
                    shown_by=f"screentest world list --world {world}",
                )
        self.name = "world" if world == WORLD else world

    def identity(self) -> dict[str, Json]:
        """List what the clips depend on."""
        fields: dict[str, Json] = {
            "world": self._world.name,
            "version": self._world.version,
            "n": self._n,
            "seed": self._seed,
        }
        return {**fields, "families": list(self._families)} if self._families else fields

    def __len__(self) -> int:
        return self._n

    def __iter__(self) -> Iterator[TrueClip]:
        size = self._world.native_clips[0]
        seed: list[Json] = ["validation", self._purpose, self._seed]
        clips = self._world.clips(self._n, seed, size, families=self._families)
        for number, (frames_THWC, truth) in enumerate(clips):
            facts = truth.to_json()
            yield TrueClip(
                f"{self._purpose}-{self._seed}-{number}",
                frames_THWC,
                size.fps,
                str(facts["caption"]),
                _kind(facts),
            )


def _kind(facts: Mapping[str, Any]) -> str:
    """Name the kind of a scene: its family, and the shape of its first thing."""
    things: Sequence[Mapping[str, Any]] = facts["expect"].get("objects") or ({},)
    return f"{facts['family']} {things[0].get('shape') or things[0].get('kind') or ''}".strip()


class FolderClips:
    """The videos of a folder, in the order of their names; frames that are held are taken once.

    Every video is read once to leave out copies, which begin as another one does, and stills, so that what is
    counted is what is used; the frames are read again by each iteration.

    Args:
        folder: with videos, also in folders within it.
        frames: of each video are taken at most, from its start.
        most: videos at most, spread over those of the folder that are no copies and no stills.

    Raises:
        UsageError: no such folder, or fewer than two videos that can be read and are no copies or stills.
    """

    name = "folder"

    def __init__(self, folder: Path, frames: int = 16, most: int | None = None) -> None:
        if not folder.is_dir():
            raise UsageError(f"the folder {folder} does not exist; name a folder of videos with --real")
        self._folder, self._frames = folder, frames
        clips: list[Clip] = []
        for name in survey_videos(folder).videos:
            try:
                clips.append(open_clip(folder / name))
            except MediaError as error:
                note(f"warning: left out: {error}")
        if len(clips) < 2:
            raise UsageError(
                f"{folder} has {counted(len(clips), 'video')} that can be read; at least 2 are needed"
            )
        used = self._used(clips)
        self._left_out = len(clips) - len(used)
        if most is not None and most < len(used):  # spread over the folder
            used = [used[k * len(used) // most] for k in range(most)]
        self._clips = used
        if len(self._clips) < 2:
            left = counted(len(self._clips), "video")
            raise UsageError(
                f"{folder} has {left} that can be read, without copies and stills; at least 2 are needed"
            )

    def identity(self) -> dict[str, Json]:
        """List what the clips depend on, and how many were left out, but not where the folder is."""
        files = digest("validation clips", {"files": sorted(clip.sha256 for clip in self._clips)})
        fields: dict[str, Json] = {"files": files[:16], "n": len(self._clips), "frames": self._frames}
        return {**fields, "left_out": self._left_out} if self._left_out else fields

    def __len__(self) -> int:
        return len(self._clips)

    def __iter__(self) -> Iterator[TrueClip]:
        for clip in self._clips:
            found = _distinct(clip, self._frames)
            if found is None:
                raise UsageError(f"{self._name(clip)} has changed since it was first read")
            yield TrueClip(self._name(clip), *found)

    def _name(self, clip: Clip) -> str:
        return clip.path.relative_to(self._folder).as_posix()

    def _used(self, clips: Sequence[Clip]) -> list[Clip]:
        """Leave out copies and stills, and say so; the frames of one clip are in memory at a time."""
        used: list[Clip] = []
        known: dict[str, str] = {}
        with track("videos of the folder", len(clips)) as ticker:
            for clip in clips:
                ticker.advance()
                name = self._name(clip)
                try:
                    found = _distinct(clip, self._frames)
                except MediaError as error:
                    note(f"warning: left out: {error}")
                    continue
                if found is None:
                    note(f"warning: left out: {name} has fewer than {_FEWEST} frames that differ")
                    continue
                same = known.setdefault(hashlib.sha256(found[0].tobytes()).hexdigest(), name)
                if same != name:
                    note(f"warning: left out: {name} begins as {same} does")
                    continue
                used.append(clip)
        return used


TrueClips = WorldClips | FolderClips


def _distinct(clip: Clip, most: int) -> tuple[NDArray[np.uint8], float] | None:
    """Read frames that are not held, cut to even sizes, and their rate; None if there are too few.

    A first pass measures the steps, so that coding noise between held frames is told from motion as
    `motion.repeated_frames` tells it.
    """
    steps: list[float] = []
    last: NDArray[np.uint8] | None = None
    for window in clip.windows():
        for frame_HWC in window.frames_THWC:
            if last is not None:
                steps.append(_step(last, frame_HWC))
            last = frame_HWC.copy()
        if len(steps) >= 8 * most:
            break
    if not steps:
        return None
    limit = repeat_limit(np.array(steps))
    taken: list[NDArray[np.uint8]] = []
    seen = 0
    for window in clip.windows():
        for frame_HWC in window.frames_THWC:
            if len(taken) == most:
                break
            seen += 1
            if not taken or _step(taken[-1], frame_HWC) >= limit:
                taken.append(frame_HWC.copy())
        if len(taken) == most:
            break
    if len(taken) < _FEWEST:
        return None
    whole = np.stack(taken)
    return whole[:, : whole.shape[1] // 2 * 2, : whole.shape[2] // 2 * 2], clip.info.fps * len(taken) / seen


def _step(one: NDArray[np.uint8], two: NDArray[np.uint8]) -> float:
    return float(np.abs(one.astype(np.int16) - two).mean())


def with_others(clips: TrueClips) -> Iterator[tuple[TrueClip, TrueClip]]:
    """Pair each clip with another one, resized to it: the one before, and for the first the next."""
    before: TrueClip | None = None
    first: TrueClip | None = None
    for clip in clips:
        if before is not None:
            if first is not None:
                yield first, _fitted(clip, first)
                first = None
            yield clip, _fitted(before, clip)
        else:
            first = clip
        before = clip


def _fitted(clip: TrueClip, to: TrueClip) -> TrueClip:
    import cv2

    height, width = to.frames.shape[1:3]
    if clip.frames.shape[1:3] == (height, width):
        return clip
    resized = [cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA) for frame in clip.frames]
    return replace(clip, frames=np.asarray(np.stack(resized), np.uint8))
