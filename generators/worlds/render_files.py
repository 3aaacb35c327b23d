"""Write clips of a world to a folder that ``folder:PATH`` can read, with the ground truth of every clip.

    fall-00000-gravity.mp4   fall-00000-gravity.json   the clip that breaks a law, and its truth
    fall-00000-lawful.mp4    fall-00000-lawful.json    its twin, the same in everything else
    manifest.jsonl           prompts, seeds and expectations, as folders of clips have them
    index.jsonl              a clip a line: file, caption, family, violation, twin
    pairs.csv                possible and impossible clips of one scene, as ``screentest surprise`` reads them
    request.json             the request: the same request gives the same folder, byte by byte

Without a violation there is one clip per scene, ``fall-00000.mp4``, and no pairs. The folder is filled under
another name and renamed when it is complete. So an existing folder is complete, and the same request
continues an interrupted one.
"""

from __future__ import annotations

import csv
import io
import json
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import Field

from ...harness.core.config import Config
from ...harness.core.errors import UsageError
from ...harness.core.items import ClipSettings
from ...harness.core.keys import seeded_rng
from ...harness.core.media import write_clip
from ...harness.core.progress import track
from .registry import World, find_world
from .rendered import REQUEST

__all__ = ["RenderRequest", "render_folder"]

_LARGEST: Final = 2**25  # pixels of a whole clip: it is drawn in memory, at some 50 bytes each
_SMALLEST: Final = 16  # pixels of an edge: less shows nothing
_TWIN_SEEDS: Final = 10**9  # of lawful twins: apart from those of the scenes, and whatever n is

Row = dict[str, Any]


class RenderRequest(Config):
    """What to render: ``n`` scenes, and of each the clip and, where a law is broken, its lawful twin."""

    world: str = "reference"
    family: str | None = Field(default=None, description="none: a scene of any family that the world picks")
    asked: dict[str, str] = Field(default_factory=dict, description="what is fixed of every scene")
    law: str | None = Field(default=None, description="the law to break")
    severity: float = Field(default=1.0, description="how much of it, in (0, 1]")
    n: int = 1
    seed: int = 0
    clip: ClipSettings | None = Field(default=None, description="the first of the world's own by default")

    def settled(self) -> tuple[World, ClipSettings]:
        """Find the world, and the clip settings that hold."""
        world = find_world(self.world)
        return world, self.clip or world.native_clips[0]


@dataclass(frozen=True)
class _RenderJob:
    """One clip to write."""

    scene: Any
    words: str
    name: str
    twin: str | None
    seed: int


def render_folder(request: RenderRequest, out: Path) -> list[Row]:
    """Write the clips into the new folder ``out`` and return the lines of its index.

    A violation that changes no pixel has no ``first_frame`` and is left out of the pairs.

    Where ``out`` holds the clips of this very request, nothing is written.

    Raises:
        UsageError: the request cannot be met, or ``out`` holds something else already.
    """
    finished = _finished(request, out)
    if finished is not None:
        return finished
    _refuse(request, out)
    next(_jobs(request))  # before anything is written: what is wrong with the first is wrong with all
    place = out.resolve()
    beside = place.with_name(f".{place.name}.unfinished")
    _begin(beside, request, out)
    rows: list[Row] = []
    with track("rendering", request.n * (1 if request.law is None else 2)) as ticker:
        for job in _jobs(request):
            rows.append(_write(job, beside, request))
            ticker.advance()
    _write_text(beside / "manifest.jsonl", _lines(map(_manifest_row, rows)))
    _write_text(beside / "index.jsonl", _lines(map(_index_row, rows)))
    if pairs := _pairs(rows):
        _write_text(beside / "pairs.csv", pairs)
    for left in beside.glob(".*"):  # beginnings of files, from when it was killed
        left.unlink()
    beside.replace(place)
    return [_index_row(row) for row in rows]


def _finished(request: RenderRequest, out: Path) -> list[Row] | None:
    """Read the index of a folder that holds the clips of this very request; None for any other."""
    try:
        if (out / REQUEST).read_text("utf-8") != _asked(request):
            return None
        rows: list[Row] = [json.loads(line) for line in (out / "index.jsonl").read_text("utf-8").splitlines()]
        whole = all((out / row["file"]).is_file() for row in rows)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return rows if whole else None


def _asked(request: RenderRequest) -> str:
    world, clip = request.settled()
    settings = {**request.model_dump(mode="json"), "clip": clip.model_dump(), "version": world.version}
    return json.dumps(settings, sort_keys=True)


def _refuse(request: RenderRequest, out: Path) -> None:
    _, clip = request.settled()
    if request.n < 1:
        raise UsageError(f"{request.n} clips cannot be rendered; ask for 1 or more")
    if request.law is not None and request.family is None:
        raise UsageError("which laws can be broken depends on the family; name one with --family")
    if min(clip.width, clip.height) < _SMALLEST:
        raise UsageError(
            f"clips of {clip.width}x{clip.height} pixels are too small to see anything; width and height are "
            f"at least {_SMALLEST}"
        )
    if clip.frames * clip.width * clip.height > _LARGEST:
        raise UsageError(
            f"{clip.frames} frames of {clip.width}x{clip.height} pixels are too many to draw in memory; "
            f"the limit is {_LARGEST // 2**20} million pixels a clip"
        )
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file; name a folder that is not there yet")
    if out.resolve() == Path.cwd():
        raise UsageError("the clips' folder is put in its place whole; name another than the one you are in")
    if out.is_dir() and any(out.iterdir()):
        raise UsageError(f"the folder {out} is not empty; name one that is not there yet")


def _begin(beside: Path, request: RenderRequest, out: Path) -> None:
    """Make the folder in which the clips gather, or go on with one of the same request."""
    asked = _asked(request)
    try:
        beside.mkdir(parents=True, exist_ok=True)
    except (FileNotFoundError, FileExistsError, NotADirectoryError) as error:
        raise UsageError(f"the folder {out} cannot be made: {error.strerror}") from None
    note = beside / REQUEST
    if not note.exists() and not any(beside.glob("[!.]*")):
        _write_text(note, asked)
    elif not note.exists() or note.read_text("utf-8") != asked:
        raise UsageError(
            f"{beside} holds unfinished clips for {out.name} from other settings; give those again to finish "
            "them, name another folder, or delete it"
        )


def _jobs(request: RenderRequest) -> Iterator[_RenderJob]:
    """List the clips of a request; scene i is the same with every law and severity.

    But for what a law needs of a scene so that it shows; see `World.needed`.
    """
    world, clip = request.settled()
    law = request.law
    asked = dict(request.asked)
    if request.family is not None and law is not None:
        asked = {**world.needed(request.family, law), **asked}
    for index in range(request.n):
        key = ("world-folder", world.version, request.family, request.seed, index)
        rng = seeded_rng(*key)
        scene = world.sample(rng, clip, request.family, asked)
        words = world.caption(scene, rng)
        stem = f"{request.family or 'shape'}-{index:05d}"
        if law is None:
            yield _RenderJob(scene, words, f"{stem}.mp4", None, index)
            continue
        faulty = world.violate(scene, law, request.severity, seeded_rng(*key, law), clip)
        broken, lawful = f"{stem}-{law}.mp4", f"{stem}-lawful.mp4"
        # A broken clip has the seed of the same clip in a folder without laws broken: two runs pair them.
        yield _RenderJob(faulty, words, broken, lawful, index)
        yield _RenderJob(scene, words, lawful, broken, _TWIN_SEEDS + index)


def _write(job: _RenderJob, folder: Path, request: RenderRequest) -> Row:
    """Write a clip and then its truth; where the truth is there already, read it."""
    path = folder / job.name
    note = path.with_suffix(".json")
    if note.exists():
        return json.loads(note.read_text("utf-8"))
    world, clip = request.settled()
    frames, truth = world.render(job.scene, clip, job.words)
    write_clip(path, frames, clip.fps)
    row: Row = {
        "file": job.name,
        "twin": job.twin,
        "seed": job.seed,
        "world": world.version,
        "clip": clip.model_dump(),
        **truth.to_json(),
    }
    _write_text(note, json.dumps(row, ensure_ascii=False))
    return row


def _manifest_row(row: Row) -> Row:
    law = row["violation"]["law"] if row["violation"] else "lawful"
    return {
        "file": row["file"],
        "prompt": row["caption"],
        "seed": row["seed"],
        "expect": row["expect"],
        "tags": [row["family"], law],
    }


def _index_row(row: Row) -> Row:
    return {name: row[name] for name in ("file", "caption", "family", "violation", "twin")}


def _pairs(rows: Sequence[Row]) -> str:
    """List the pairs whose violation shows; nothing where there is none."""
    found = [row for row in rows if row["violation"] and row["violation"]["first_frame"] is not None]
    if not found:
        return ""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(("possible", "impossible", "tag", "prompt"))
    writer.writerows((row["twin"], row["file"], row["violation"]["law"], row["caption"]) for row in found)
    return text.getvalue()


def _lines(rows: Iterator[Row]) -> str:
    return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)


def _write_text(path: Path, text: str) -> None:
    """Write a file beside ``path`` and rename it, so that it is whole or not there."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        beside.write_text(text, "utf-8", newline="")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
