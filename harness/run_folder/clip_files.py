"""From an output of a generator to a stored clip: a file beside, its record, and its place in the run.

Making the file needs no run folder, so it is done where the clip was generated; only the one writer of the
run takes it over.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...generators.base import Failure, Frames, Generator, NotApplicable, Output, Refusal, VideoFile, answers
from ..core.errors import ScreentestError
from ..core.items import Item
from ..core.keys import file_sha256
from ..core.media import write_clip
from ..core.run_data import ClipRecord
from ..core.storage import Storage

__all__ = ["Made", "carried", "kept", "make_clip", "make_clips", "take_over"]


@dataclass(frozen=True)
class Made:
    """What came back for an item.

    Attributes:
        record: its record; ``file`` is the name that the clip is stored under.
        beside: the file, not yet in its place; None where there is no clip, or where it is in ``data``.
        data: the bytes of the file, as they come from another process.
        stored: whether the clip is in its place already, put there by another process.
        details: of a failure, for the run's log.
    """

    record: ClipRecord
    beside: Path | None = None
    data: bytes | None = None
    details: str = ""
    stored: bool = False


def make_clips(generator: Generator, items: Sequence[Item], folder: Path) -> list[Made]:
    """Generate a unit, and write its clips into ``folder``; each has its share of the seconds.

    Raises:
        ScreentestError: further items would fail as well.
    """
    began = time.monotonic()
    outputs = answers(generator, items)
    seconds = (time.monotonic() - began) / len(items)
    return [make_clip(item.id, output, seconds, folder) for item, output in zip(items, outputs, strict=True)]


def make_clip(item: str, output: Output, seconds: float, folder: Path) -> Made:
    """Write the clip of an output into ``folder``; a file is copied unchanged."""
    details = output.details if isinstance(output, Failure) else ""
    if isinstance(output, Refusal):
        return Made(ClipRecord(item, "refused", output.reason, seconds=seconds, layers=output.layers))
    if isinstance(output, Failure):
        record = ClipRecord(item, "failed", output.reason, seconds=seconds, layers=output.layers)
        return Made(record, details=details)
    if isinstance(output, NotApplicable):
        return Made(ClipRecord(item, "not_applicable", output.reason, seconds=seconds, layers=output.layers))
    beside = folder / f".{item}.tmp"
    try:
        if isinstance(output, Frames):
            write_clip(beside, output.frames_THWC, output.fps, output.sound)
            suffix = ".mp4"
        else:
            shutil.copyfile(output.path, beside)
            suffix = _safe_suffix(output)
    except (OSError, ValueError, ScreentestError) as error:
        beside.unlink(missing_ok=True)
        reason = f"the clip could not be stored: {error}"
        return Made(ClipRecord(item, "failed", reason, seconds=seconds, layers=output.layers))
    sha256 = file_sha256(beside)
    name = f"{sha256}{suffix}"
    record = ClipRecord(item, "ok", sha256=sha256, file=name, seconds=seconds, layers=output.layers)
    return Made(record, beside)


def carried(made: Made) -> Made:
    """Read the file of a clip into memory and delete it, so that the clip can go to another process."""
    if made.beside is None:
        return made
    data = made.beside.read_bytes()
    made.beside.unlink()
    return replace(made, beside=None, data=data)


def kept(made: Made, files: Storage) -> Made:
    """Bring a clip to its place from another process than the run's writer, which sees the same place."""
    if made.beside is None or made.record.file is None:
        return made
    files.take(made.beside, made.record.file)
    return replace(made, beside=None, stored=True)


def take_over(made: Made, files: Storage, staging: Path) -> ClipRecord:
    """Bring a clip to its place, whole or not at all; bytes are written into the folder ``staging`` first."""
    record, beside = made.record, made.beside
    if record.file is None or made.stored:
        return record
    if beside is None:
        if made.data is None:
            raise ValueError(f"the clip of item {record.item} is neither in a file nor in memory")
        beside = staging / f".{record.item}.tmp"
        beside.write_bytes(made.data)
    files.take(beside, record.file)
    return record


def _safe_suffix(output: VideoFile) -> str:
    suffix = output.path.suffix.lower()
    return suffix if suffix[1:].isalnum() and suffix.isascii() and len(suffix) <= 6 else ".bin"
