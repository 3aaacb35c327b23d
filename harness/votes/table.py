"""Votes as CSV: written for other programs, and read from votes that were gathered elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..core.config import explain
from ..core.csv_rows import csv_rows, csv_text, read_table, unguarded
from ..core.errors import UsageError, unknown_name
from ..core.files import write_atomic
from ..core.keys import digest
from .votes import Cast, Vote, VotedRun

__all__ = ["NEEDED", "read_vote_table", "write_labels", "write_vote_table"]

NEEDED = ("rater", "question", "item", "left", "right", "answer")
_MORE = ("gold", "seconds", "time", "id", "left_clip", "right_clip")
_COLUMNS = (*NEEDED, *_MORE, "prompt")


def write_vote_table(runs: Sequence[VotedRun], cast: Cast, path: Path) -> int:
    """Write votes, one a row, with the names of the runs; return their number.

    A text that a spreadsheet would run as a formula has an apostrophe before it, which reading takes off.

    Raises:
        UsageError: the file cannot be written.
    """
    names = {run.key: run.data.name for run in runs}
    prompts = {item.id: item.prompt for run in runs for item in run.data.items.values()}
    rows: list[list[Any]] = []
    for vote in cast.votes:
        fields = vote.model_dump(exclude={"schema_version"})
        fields |= {"left": names[vote.left], "right": names[vote.right], "prompt": prompts.get(vote.item)}
        rows.append([fields[name] for name in _COLUMNS])
    try:
        write_atomic(path, csv_text(_COLUMNS, rows))
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
    return len(cast.votes)


def read_vote_table(runs: Sequence[VotedRun], path: Path) -> list[Vote]:
    """Read votes from a table with the columns of `NEEDED`, and perhaps gold, seconds, time and id.

    ``left`` and ``right`` are names of the runs, ``item`` is an id or the sha256 of a clip of the left run. A
    row without an id gets one of its content, so that reading a table twice adds nothing.

    Raises:
        UsageError: the table cannot be read, or a row has an unknown run, item, question or answer.
    """
    names = [run.data.name for run in runs]
    by_name = {run.data.name: run for run in runs} | {run.key: run for run in runs}
    if len(set(names)) < len(runs):
        raise UsageError("two of the runs have one name, so a table cannot tell them apart; rename a folder")
    votes: list[Vote] = []

    def check(names: Sequence[str]) -> None:
        lacking = [name for name in NEEDED if name not in names]
        if lacking:
            raise UsageError(f"{path} lacks the columns {', '.join(lacking)}; votes have {', '.join(NEEDED)}")
        for name in names:
            if name not in _COLUMNS:
                raise unknown_name("column", name, _COLUMNS)

    for line, cells in csv_rows(path, read_table(path, "the table of votes"), check):
        row = {name: unguarded(cell) for name, cell in cells.items()}
        where = f"{path}, line {line}"
        for side in ("left", "right"):
            if row[side] not in by_name:
                raise UsageError(f"{where}: {unknown_name('run', row[side], names)}")
        votes.append(_vote(row, by_name[row["left"]], by_name[row["right"]], where))
    return votes


def _vote(row: Mapping[str, str], left: VotedRun, right: VotedRun, where: str) -> Vote:
    by_clip = {clip.sha256: item for item, clip in left.data.clips.items() if clip.sha256 is not None}
    item = by_clip.get(row["item"], row["item"])
    clips = [run.data.clips.get(item) for run in (left, right)]
    shas = [None if clip is None else clip.sha256 for clip in clips]
    if shas[0] is None or shas[1] is None:
        raise UsageError(f"{where}: both runs need a clip of the item {row['item']!r}, and one has none")
    fields = {
        **{name: row[name] for name in ("rater", "question", "answer")},
        "item": item,
        "left": left.key,
        "right": right.key,
        "left_clip": row.get("left_clip") or shas[0],
        "right_clip": row.get("right_clip") or shas[1],
        "gold": row.get("gold") or None,
        "seconds": row.get("seconds") or None,
        "time": row.get("time", ""),
    }
    try:
        return Vote.model_validate({**fields, "id": row.get("id") or digest("vote", fields)[:32]})
    except ValidationError as error:
        raise UsageError(f"{where}: {explain(error, Vote)}") from None


def write_labels(labels: Mapping[str, bool], path: Path) -> int:
    """Write labels of clips as ``correct`` reads them; return their number.

    Raises:
        UsageError: there is none, or the file cannot be written.
    """
    if not labels:
        raise UsageError("no clip has a label: there is no vote on the question 'unsafe' that counts")
    rows = [f"{clip},{'unsafe' if unsafe else 'safe'}\n" for clip, unsafe in sorted(labels.items())]
    try:
        write_atomic(path, "".join(["clip,label\n", *rows]))
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
    return len(rows)
