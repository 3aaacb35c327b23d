"""Videos that a program holds already, as a generator: what `score` scores."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from ...generators.base import ANY_START, Frames, Generator, Output, VideoFile
from ..core.config import checked
from ..core.counts import counted
from ..core.errors import UsageError
from ..core.items import ClipSettings, Item, Prompt, make_item, start_of
from ..core.keys import Json, digest, file_sha256
from ..core.limits import MAX_FPS, MIN_FPS
from ..core.video_arrays import Video
from ..suites.suite import Suite

__all__ = ["HeldVideos", "check_rate", "held_items", "read_prompts"]


def read_prompts(prompts: Any, count: int) -> list[Prompt | None]:
    """Read the prompts of ``count`` videos: texts, or mappings as in a suite; None for videos without one.

    Raises:
        UsageError: their number is another, or one is wrong.
    """
    if prompts is None:
        return [None] * count
    if isinstance(prompts, str | Prompt | Mapping):
        prompts = [prompts]
    if not isinstance(prompts, Sequence):
        raise UsageError(f"prompts is a {type(prompts).__name__}; give a list with a text a video")
    given = list(cast("Sequence[Any]", prompts))
    if len(given) != count:
        raise UsageError(
            f"{counted(count, 'video')} and {counted(len(given), 'prompt')} were given; give one prompt "
            "a video"
        )
    return [_prompt(one, number) for number, one in enumerate(given)]


def _prompt(given: Any, number: int) -> Prompt | None:
    if given is None or isinstance(given, Prompt):
        return given
    if not isinstance(given, str | Mapping):
        raise UsageError(f"prompt {number} is a {type(given).__name__}; give its text")
    fields = {"text": given} if isinstance(given, str) else cast("Mapping[str, Any]", given)
    return checked(Prompt, fields, f"prompt {number}")


def held_items(
    videos: Sequence[Video],
    prompts: Sequence[Prompt | None],
    suite: Suite,
    seen: Counter[str],
    place: tuple[int, int] = (0, 1),
) -> list[Item]:
    """Make the items of videos: those that a folder of these files, with these prompts, would have.

    The videos of one prompt are its seeds 0, 1, ... A video without a prompt is known by the name of its
    file, or by its frames.

    Args:
        suite: gives the clip settings, which are part of an item's identity.
        seen: how many videos of each prompt, or of each name, there were before; it is counted on.
        place: number of this process, and of processes, whose videos of one prompt are different seeds.
    """
    items: list[Item] = []
    rank, ranks = place
    for video, prompt in zip(videos, prompts, strict=True):
        source = video.name if isinstance(video, Path) else f"{_frames_digest(video)[:16]}.mp4"
        clip = suite.clip if prompt is None else suite.clip_of(prompt)
        start = {} if prompt is None else start_of(prompt)
        text = None if prompt is None else prompt.text
        known = source if prompt is None else make_item(text, 0, clip, **start).cluster
        number = rank + ranks * seen[known]
        seen[known] += 1
        if prompt is None:
            items.append(make_item(None, 0, clip, source=f"{number}-{source}" if number else source))
        else:
            more = {"tags": prompt.tags, "labels": prompt.labels, "expect": prompt.expect, **start}
            items.append(make_item(text, number, clip, source=source, **more))
    return items


def _frames_digest(frames_THWC: Any) -> str:
    return hashlib.sha256(f"{frames_THWC.shape}".encode() + frames_THWC.tobytes()).hexdigest()


def check_rate(fps: object) -> None:
    """Refuse a rate that no video can have.

    Raises:
        UsageError: with the range.
    """
    if not isinstance(fps, int | float) or not MIN_FPS <= fps <= MAX_FPS:
        raise UsageError(f"fps is {fps!r} and should be a number from {MIN_FPS:g} to {MAX_FPS:g}")


class HeldVideos(Generator):
    """Give each item the video that is held for it.

    Raises:
        UsageError: the rate is none that a video can have.
    """

    starts = ANY_START

    def __init__(self, videos: Sequence[Video], items: Sequence[Item], fps: float) -> None:
        check_rate(fps)
        self.spec = f"videos:{len(videos)}"
        self._items = tuple(items)
        self._videos = {item.id: video for item, video in zip(items, videos, strict=True)}
        self._fps = fps

    def identity(self) -> Mapping[str, Json]:
        """List the digest of the frames and files, and the rate of the frames."""
        held = [
            file_sha256(video) if isinstance(video, Path) else _frames_digest(video)
            for video in self._videos.values()
        ]
        return {"kind": "videos", "digest": digest("videos", {"videos": held}), "fps": self._fps}

    def own_items(self, clip: ClipSettings) -> tuple[Item, ...]:
        """List the items that the videos were given for."""
        del clip
        return self._items

    def generate(self, items: Sequence[Item]) -> list[Output]:
        """Return each item's frames or file."""
        return [self._output(self._videos[item.id]) for item in items]

    def _output(self, video: Video) -> Output:
        return VideoFile(video) if isinstance(video, Path) else Frames(video, self._fps)
