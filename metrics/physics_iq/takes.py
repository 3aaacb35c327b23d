"""Match the files of real takes and generated continuations, and read them at one frame rate.

Files are matched by name or by a manifest. A name is cut at ``_``; the parts mean

- ``take-1`` or ``take-2``: a real take (a generated clip has no such part);
- ``perspective-NAME`` or ``view-NAME``: the camera; one camera needs no name;
- a first part of four digits, ``30FPS``, ``testing-videos`` and the like: not read;
- all the rest, joined again: the scenario.

So ``ball_take-1.mp4``, ``ball_take-2.mp4`` and the generated ``ball.mp4`` belong together, and so do the
files of the Physics-IQ benchmark under the names that it gives them. A manifest is a CSV file with the
columns ``scenario, take1, take2, generated`` and, where there are several cameras, ``view``; names are
relative to the folder of takes and to that of generated clips.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...harness.core.csv_rows import csv_rows, read_table
from ...harness.core.errors import MediaError, UsageError
from ...harness.core.files import VIDEO_SUFFIXES, safe_name, why_left_out
from ...harness.core.media import Clip

__all__ = ["ROLES", "SAME_RATE", "Shot", "find_shots", "frames_needed", "paced_frames"]

Frame: TypeAlias = NDArray[np.uint8]

ROLES = ("take1", "take2", "generated")
_LABELS = {"take1": "take 1", "take2": "take 2", "generated": "the generated clip"}
SAME_RATE = 0.002
"""Rates that differ by less than this share are one rate: 29.97 and 30 frames a second are."""

_IGNORED = re.compile(r"\d+(\.\d+)?FPS|anyFPS|(testing|full)-videos", re.IGNORECASE)
_VIEW = re.compile(r"(perspective|view)-.+")
_TAKE = re.compile(r"take-([12])")


@dataclass(frozen=True)
class Shot:
    """One scenario from one camera: two real takes and the clip that a generator made of it.

    A role whose file is not there, or is no file that can be read as a video, is None; ``unreadable`` says
    of the latter why. ``view`` is empty where there is one camera.
    """

    scenario: str
    view: str
    take1: Path | None = None
    take2: Path | None = None
    generated: Path | None = None
    unreadable: Mapping[str, str] = field(default_factory=dict[str, str])

    def missing(self) -> str:
        """Say which files are not there or cannot be read; empty where all can."""
        absent = [
            _LABELS[role] for role in ROLES if getattr(self, role) is None and role not in self.unreadable
        ]
        reasons = [f"no file for {' and '.join(absent)}"] if absent else []
        reasons += [f"{_LABELS[role]}, {why}" for role, why in self.unreadable.items()]
        return "; ".join(reasons)


def find_shots(takes: Path, generated: Path, manifest: Path | None = None) -> tuple[Shot, ...]:
    """Match the files of two folders, by name or by a manifest; in the order of scenario and view.

    Raises:
        UsageError: a folder or the manifest is not there or wrong, two files have one role, or nothing that
            is a take was found.
    """
    for folder in (takes, generated):
        if not folder.is_dir():
            raise UsageError(f"{folder} is not a folder of videos")
    if manifest is not None:
        return _from_manifest(takes, generated, manifest)
    shots: dict[tuple[str, str], Shot] = {}
    for path in _videos(takes):
        scenario, view, take = _parts(path)
        if take is None:
            raise UsageError(
                f"{path} does not say which take it is; name it '{{scenario}}_take-1{path.suffix}' or "
                f"'..._take-2{path.suffix}', or give a --manifest"
            )
        _put(shots, Shot(scenario, view), f"take{take}", path)
    if not shots:
        raise UsageError(f"there is no video in {takes}; give --takes the folder of the real takes")
    for path in _videos(generated):
        scenario, view, take = _parts(path)
        if take == "2" or (take and generated.resolve() != takes.resolve()):
            raise UsageError(f"{path} is named as a real take, among the generated clips; rename it")
        if take is None:
            _put(shots, Shot(scenario, view), "generated", path)
    return tuple(shots[key] for key in sorted(shots))


def _videos(folder: Path) -> list[Path]:
    """List what has the name of a video, whether or not it can be read as one."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith(".")
    )


def _parts(path: Path) -> tuple[str, str, str | None]:
    """Read (scenario, view, take) off a file's name."""
    parts = path.stem.split("_")
    if len(parts) > 1 and re.fullmatch(r"\d{4}", parts[0]):
        parts = parts[1:]
    view = [part for part in parts if _VIEW.fullmatch(part)]
    take = [match[1] for part in parts if (match := _TAKE.fullmatch(part))]
    rest = [p for p in parts if not any(form.fullmatch(p) for form in (_VIEW, _TAKE, _IGNORED))]
    if not any(rest) or len(view) > 1 or len(take) > 1:
        raise UsageError(f"the name of {path} does not say which scenario it shows; give a --manifest")
    return "_".join(rest), "".join(view), take[0] if take else None


def _put(shots: dict[tuple[str, str], Shot], shot: Shot, role: str, path: Path) -> None:
    key = (shot.scenario, shot.view)
    known = shots.setdefault(key, shot)
    other = getattr(known, role)
    if other is not None or role in known.unreadable:
        where = f"{shot.scenario} {shot.view}".strip()
        raise UsageError(
            f"{other or 'another file'} and {path} are both {_LABELS[role]} of {where}; keep one of them"
        )
    shots[key] = _with_file(known, role, path)


def _with_file(shot: Shot, role: str, path: Path) -> Shot:
    """Put a file in its role, or why it cannot be read there."""
    why = why_left_out(path.parent, path.name, outside=True)
    if why is None:
        return replace(shot, **{role: path})
    return replace(shot, unreadable={**shot.unreadable, role: f"{path}, is {why}"})


def _from_manifest(takes: Path, generated: Path, manifest: Path) -> tuple[Shot, ...]:
    shots: dict[tuple[str, str], Shot] = {}
    text = read_table(manifest, "the manifest")
    for line, row in csv_rows(manifest, text, partial(_check_columns, manifest)):
        shot = Shot(row["scenario"], row.get("view", ""))
        if not shot.scenario:
            raise UsageError(f"{manifest}, line {line}, names no scenario")
        if (shot.scenario, shot.view) in shots:
            raise UsageError(f"{manifest}, line {line}, is the second one for {shot.scenario} {shot.view}")
        for role in ROLES:
            folder = generated if role == "generated" else takes
            try:
                path = folder / safe_name(folder, row[role]) if row[role] else None
            except UsageError as error:
                raise UsageError(f"{manifest}, line {line}: {error}") from None
            if path is not None:
                shot = _with_file(shot, role, path)
        shots[shot.scenario, shot.view] = shot
    if not shots:
        raise UsageError(f"{manifest} lists no scenario")
    return tuple(shots[key] for key in sorted(shots))


def _check_columns(manifest: Path, names: Sequence[str]) -> None:
    wanted = ("scenario", *ROLES)
    lacking = [name for name in wanted if name not in names]
    unknown = [name for name in names if name not in (*wanted, "view")]
    if lacking or unknown:
        what = f"lacks the column {lacking[0]!r}" if lacking else f"has the unknown column {unknown[0]!r}"
        raise UsageError(f"{manifest} {what}; its columns are scenario, view, take1, take2, generated")


def frames_needed(fps: float, seconds: float) -> int:
    """Count the frames of the first ``seconds``: 5 s at 29.97 frames a second are 149."""
    return int(seconds * fps + 1e-6)


def paced_frames(clip: Clip, label: str, fps: float, seconds: float) -> Iterator[Frame]:
    """Yield the first ``seconds`` of a clip at ``fps`` frames a second, uint8 RGB (H, W, 3), in order.

    At its own rate (see `SAME_RATE`) the frames are the clip's. At another one, frame j of n is put between
    the clip's frames at place j (m - 1) / (n - 1) of its m frames in those seconds, linearly, as the code of
    Physics-IQ does for its takes (there cut off, here rounded, to whole levels).

    Args:
        clip: the clip.
        label: what to call it in a message.
        fps: the rate that is wanted.
        seconds: from the first frame on.

    Raises:
        MediaError: while iterating; the clip is shorter, damaged, or its frames are not evenly spaced.
    """
    count, own = frames_needed(fps, seconds), clip.info.fps
    if abs(own - fps) <= SAME_RATE * fps:
        yield from _first(clip, label, count, seconds)
        return
    have = frames_needed(own, seconds)
    places = [j * (have - 1) / max(1, count - 1) for j in range(count)]
    yield from _between(_first(clip, label, have, seconds), places)


def _between(frames: Iterator[Frame], places: Sequence[float]) -> Iterator[Frame]:
    before, number = next(frames), 0
    after: Frame | None = None
    for place in places:
        while number < int(place):
            before = after if after is not None else next(frames)
            after, number = None, number + 1
        share = place - number
        if share == 0:
            yield before
            continue
        if after is None:
            after = next(frames, before)  # rounding may put the last place a hair behind the last frame
        mixed = (1 - share) * before.astype(np.float64) + share * after
        yield np.rint(mixed).astype(np.uint8)


def _first(clip: Clip, label: str, count: int, seconds: float) -> Iterator[Frame]:
    step, last, done = 1 / clip.info.fps, 0.0, 0
    for window in clip.windows():
        for frame, time in zip(window.frames_THWC, window.times_T, strict=True):
            if done == count:
                return
            if done and abs(time - last - step) > 0.3 * step:
                raise MediaError(
                    f"{label} does not run at the {clip.info.fps:g} frames a second that it declares "
                    f"(frame {done} comes after {1000 * (time - last):.0f} ms); convert it to a constant rate"
                )
            last, done = float(time), done + 1
            yield frame
    if done < count:
        raise MediaError(
            f"{label} has {done} of the {count} frames that {seconds:g} s take at {clip.info.fps:g} frames "
            "a second; make it longer, or compare fewer --seconds"
        )
