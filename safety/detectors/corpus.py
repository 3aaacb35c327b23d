"""Labelled clips for detectors: folders of real videos and of generated ones, with the source of each.

A *source* is what is held out as a whole: a generator, or where real footage comes from. A *scene* is what
must not be split: the segments of one file, and the clips of several generators for one prompt, which have
the same file name (in runs: the same prompt).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...harness.core.errors import UsageError
from ...harness.core.files import survey_videos
from ...harness.core.keys import digest

__all__ = ["Corpus", "LabelledClip", "folder_clips", "folds", "make_corpus"]


@dataclass(frozen=True)
class LabelledClip:
    """One file of a class.

    Attributes:
        generated: whether a model made it.
        source: the generator, or the source of real footage.
        scene: the file's name without its suffix, or the prompt of an item.
    """

    path: Path
    generated: bool
    source: str
    scene: str


@dataclass(frozen=True)
class Corpus:
    """Clips of both classes, in a fixed order, and what was left out."""

    clips: tuple[LabelledClip, ...]
    left_out: tuple[str, ...] = ()

    def sources(self, *, generated: bool) -> tuple[str, ...]:
        """Name the sources of one class, in order."""
        return tuple(sorted({clip.source for clip in self.clips if clip.generated == generated}))


def folder_clips(
    folder: Path, *, generated: bool, source_of: str | None = None
) -> tuple[list[LabelledClip], list[str]]:
    """List the videos of a folder and what is left out of it.

    The source is what ``source_of`` finds in the path; else the first subfolder; else the folder's name for
    generated clips, and the file itself for real ones.

    Args:
        folder: of videos, in subfolders or not.
        generated: the class of all of them.
        source_of: a regular expression; its first group (or the whole match) in the path names the source.

    Raises:
        UsageError: there is no such folder, no video in it, or the expression is wrong or matches no file.
    """
    what = "generated" if generated else "real"
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder} of {what} clips")
    seen = survey_videos(folder)
    left_out = [f"{folder / name} is {reason}" for name, reason in seen.left_out.items()]
    if not seen.videos:
        why = f"; left out: {'; '.join(left_out[:5])}" if left_out else ""
        raise UsageError(f"there is no video in {folder}, which should hold {what} clips{why}")
    pattern = _pattern(source_of)
    clips: list[LabelledClip] = []
    for name in seen.videos:
        source = _source(folder, name, pattern, generated=generated)
        if source is None:
            left_out.append(f"{folder / name}: no source, as {source_of!r} is not in its path")
            continue
        clips.append(LabelledClip(folder / name, generated, source, Path(name).stem))
    if not clips:
        raise UsageError(f"the expression {source_of!r} is in no path of the {what} clips in {folder}")
    return clips, left_out


def make_corpus(clips: Sequence[LabelledClip], left_out: Sequence[str] = ()) -> Corpus:
    """Check that a detector can be fit and tried on these clips.

    Raises:
        UsageError: a class is missing or has fewer than two clips, or a file is in both classes.
    """
    counts = Counter(clip.generated for clip in clips)
    for generated, what, option in ((False, "real", "--real"), (True, "generated", "--generated")):
        if counts[generated] < 2:
            have = "one clip is" if counts[generated] == 1 else "no clips are"
            raise UsageError(
                f"{have} {what}, and a detector needs two of each class at least; name a folder of {what} "
                f"clips with {option}"
            )
    real = {clip.path.resolve() for clip in clips if not clip.generated}
    both = next((clip.path for clip in clips if clip.generated and clip.path.resolve() in real), None)
    if both is not None:
        raise UsageError(f"{both} is named both real and generated; name each folder once")
    ordered = sorted(clips, key=lambda c: (c.generated, c.source, c.scene, str(c.path)))
    return Corpus(tuple(ordered), tuple(left_out))


def folds(
    scenes: Sequence[str], real: Sequence[bool], wanted: int = 4
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Number the part of each clip, (n,), so that a scene lies in one part, and parts have real clips alike.

    Scenes are dealt by the hash of their names, those of real clips first: nothing depends on the order.

    Args:
        scenes: of each clip.
        real: whether it is real.
        wanted: parts, if there are as many real scenes.

    Raises:
        UsageError: there are fewer than three scenes of real clips, one each to fit, to fix the threshold and
            to try it.
    """
    of_real = {scene for scene, is_real in zip(scenes, real, strict=True) if is_real}
    if len(of_real) < 3:
        raise UsageError(
            f"{len(of_real)} real videos are too few: one each is needed to fit a detector, to fix its "
            "threshold and to try it; give three at least, ten times as many for a number of use"
        )
    parts = min(wanted, len(of_real))
    order = sorted(set(scenes), key=lambda s: (s not in of_real, digest("detector fold", {"scene": s})))
    number = {scene: place % parts for place, scene in enumerate(order)}
    return np.array([number[scene] for scene in scenes], dtype=np.int64)


def _pattern(source_of: str | None) -> re.Pattern[str] | None:
    if source_of is None:
        return None
    try:
        return re.compile(source_of)
    except re.error as error:
        raise UsageError(f"--source-of {source_of!r} is not a regular expression: {error}") from None


def _source(folder: Path, name: str, pattern: re.Pattern[str] | None, *, generated: bool) -> str | None:
    if pattern is not None:
        found = pattern.search(name)
        return None if found is None else (found.group(1) if found.re.groups else found.group(0))
    parts = Path(name).parts
    if len(parts) > 1:
        return parts[0]
    return folder.resolve().name if generated else name
