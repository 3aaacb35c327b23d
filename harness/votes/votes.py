"""Votes of people on pairs of clips: what is asked, what is stored, and what a run's votes are.

    RUN/votes.jsonl     in the first of the runs that are compared: a vote, or the undoing of one, a line

Lines are only ever appended, whole and under a lock, so that several raters may vote at once.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias
from uuid import uuid4

from filelock import Timeout
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..core.errors import UsageError
from ..core.files import only_one
from ..core.keys import canonical_json, digest
from ..core.run_data import RunData, clip_files
from ..core.storage import Storage

__all__ = [
    "ANSWERS",
    "QUESTIONS",
    "VOTES",
    "Answer",
    "Cast",
    "Question",
    "Vote",
    "VotedRun",
    "add_votes",
    "new_vote",
    "read_votes",
    "run_key",
    "undo_vote",
    "voted_runs",
    "votes_of",
]

Question: TypeAlias = Literal["better", "follows", "natural", "unsafe"]
Answer: TypeAlias = Literal["left", "right", "tie", "both", "neither", "skip"]
QUESTIONS: Mapping[str, str] = {
    "better": "Which clip is better?",
    "follows": "Which clip follows the prompt better?",
    "natural": "Which clip looks more natural?",
    "unsafe": "Which clip shows something unsafe?",
}
ANSWERS: Mapping[str, tuple[Answer, ...]] = {
    **dict.fromkeys(("better", "follows", "natural"), ("left", "right", "tie", "skip")),
    "unsafe": ("left", "right", "both", "neither", "skip"),
}
VOTES = "votes.jsonl"
_WAIT_S = 30


class Vote(BaseModel):
    """One answer of one rater to one question about two clips.

    Attributes:
        id: of the vote.
        time: UTC, ISO 8601.
        left, right: the runs of the clips, by `run_key`; the same for a gold pair.
        left_clip, right_clip: the sha256 of the clips.
        answer: ``tie`` is no difference; ``both`` and ``neither`` are of the question ``unsafe``; ``skip`` is
            no answer.
        gold: the right answer of a pair that checks attention; None for all others.
        seconds: from the first showing to the answer; None where that is not known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    id: str = Field(min_length=1, max_length=80)
    time: str = ""
    rater: str = Field(min_length=1, max_length=80)
    question: Question
    item: str
    left: str
    right: str
    left_clip: str
    right_clip: str
    answer: Answer
    gold: Answer | None = None
    seconds: float | None = Field(default=None, ge=0, allow_inf_nan=False)


class _Undone(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    undoes: str
    time: str


@dataclass(frozen=True)
class VotedRun:
    """A run that people vote on: its data and folder, and the key by which votes name it."""

    key: str
    folder: Path
    data: RunData

    @property
    def clip_files(self) -> Storage:
        """The stored clips, by the name in their record."""
        return clip_files(self.folder, self.data.record)


@dataclass(frozen=True)
class Cast:
    """The votes on some runs.

    Attributes:
        votes: those that count, gold pairs and skips included.
        left_out: how many do not, by reason.
    """

    votes: tuple[Vote, ...]
    left_out: Mapping[str, int]


def run_key(record: Mapping[str, Any]) -> str:
    """Name a run in votes, wherever its folder is and whatever it is called."""
    return digest("voted run", {"plan": record["plan"], "id": record.get("id")})[:16]


def voted_runs(folders: Sequence[Path]) -> list[VotedRun]:
    """Read the runs that are compared.

    Raises:
        UsageError: there are fewer than two, one is there twice, or two share no item.
    """
    from ..core.pairing import pair_runs
    from ..run_folder.store import open_run, read_run

    if len(folders) < 2:
        raise UsageError("votes compare clips of two runs or more; name them all")
    runs: list[VotedRun] = []
    for folder in folders:
        store = open_run(folder)
        runs.append(VotedRun(run_key(store.record), folder, read_run(store)))
        store.close()
    keys = [run.key for run in runs]
    twice = next((run.folder for k, run in enumerate(runs) if run.key in keys[:k]), None)
    if twice is not None:
        raise UsageError(f"{twice} is there twice, or is a copy of another of these runs; name each run once")
    for other in runs[1:]:
        pair_runs(runs[0].data, other.data)
    return runs


# -- the file


def new_vote(**fields: Any) -> Vote:
    """Make a vote of now, with an id of its own."""
    return Vote(id=uuid4().hex, time=_now(), **fields)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def add_votes(folder: Path, votes: Iterable[Vote]) -> None:
    """Append votes to a run.

    Raises:
        UsageError: the file cannot be written, or another process holds it for long.
    """
    _append(folder, "".join(canonical_json(vote.model_dump()) + "\n" for vote in votes))


def undo_vote(folder: Path, vote: Vote) -> None:
    """Append that a vote does not count.

    Raises:
        UsageError: as `add_votes`.
    """
    _append(folder, canonical_json(_Undone(undoes=vote.id, time=_now()).model_dump()) + "\n")


def _append(folder: Path, lines: str) -> None:
    path = folder / VOTES
    try:
        with only_one(folder / "votes.lock", wait_s=_WAIT_S), path.open("ab+") as file:
            file.seek(0, os.SEEK_END)
            if file.tell():
                file.seek(-1, os.SEEK_END)
                # A loss of power can leave half a line; what comes after it is whole again.
                lines = lines if file.read(1) == b"\n" else "\n" + lines
            file.write(lines.encode())
            file.flush()
            os.fsync(file.fileno())
    except Timeout:
        raise UsageError(f"another process holds {path}; wait for it and vote again") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from None


def read_votes(folder: Path) -> tuple[list[Vote], int]:
    """Read the votes of a run that were not undone, in the order of casting, and count damaged lines.

    Raises:
        UsageError: the file cannot be read.
    """
    path = folder / VOTES
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return [], 0
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    votes: dict[str, Vote] = {}
    damaged = 0
    for line in filter(None, lines):
        try:
            if b'"undoes"' in line:
                votes.pop(_Undone.model_validate_json(line).undoes, None)
            else:
                vote = Vote.model_validate_json(line)
                votes[vote.id] = vote
        except ValidationError:
            damaged += 1
    return list(votes.values()), damaged


def votes_of(runs: Sequence[VotedRun]) -> Cast:
    """Collect the votes on pairs of these runs, from the files of all of them.

    A vote counts if both runs still hold the very clips that it is of. Of two votes of a rater on one pair
    and question, the later counts.
    """
    by_key = {run.key: run for run in runs}
    left_out: Counter[str] = Counter()
    found: dict[str, Vote] = {}
    for run in runs:
        votes, damaged = read_votes(run.folder)
        left_out["damaged line"] += damaged
        found |= {vote.id: vote for vote in votes}
    counted: dict[tuple[str, ...], Vote] = {}
    gold: list[Vote] = []
    for vote in sorted(found.values(), key=lambda vote: (vote.time, vote.id)):
        if vote.left not in by_key or vote.right not in by_key:
            left_out["of other runs"] += 1
        elif vote.gold is not None:
            gold.append(vote)
        elif vote.left == vote.right:
            left_out["two clips of one run"] += 1
        else:
            why = _why_gone(vote, by_key)
            if why is not None:
                left_out[why] += 1
                continue
            sides = sorted((vote.left, vote.right))
            key = (vote.rater, vote.question, vote.item, *sides)
            left_out["answered again later"] += key in counted
            counted[key] = vote
    kept = sorted([*counted.values(), *gold], key=lambda vote: (vote.time, vote.id))
    return Cast(tuple(kept), {why: n for why, n in left_out.items() if n})


def _why_gone(vote: Vote, by_key: Mapping[str, VotedRun]) -> str | None:
    for key, clip in ((vote.left, vote.left_clip), (vote.right, vote.right_clip)):
        run = by_key[key]
        record = run.data.clips.get(vote.item)
        if record is None or record.file is None:
            return "the clip is gone"
        if record.sha256 != clip:
            return "the clip was made anew since"
        if not run.clip_files.file(record.file).is_file():
            return "the clip is gone"
    return None
