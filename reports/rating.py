"""The state of a vote: which pair a rater sees next, what an answer does, and clips under hidden names."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..harness.core.counts import counted
from ..harness.core.errors import MediaError, UsageError
from ..harness.core.keys import seeded_rng
from ..harness.core.previews import preview_mp4
from ..harness.core.storage import File
from ..harness.core.text import printable
from ..harness.votes.plan import Pair, VotePlan, pairs_for
from ..harness.votes.votes import (
    ANSWERS,
    QUESTIONS,
    VOTES,
    Vote,
    VotedRun,
    add_votes,
    new_vote,
    read_votes,
    undo_vote,
)
from ..safety.attacks.withhold import is_attack, is_red_team

__all__ = ["Rating"]

_LONGEST_NAME = 80
_NOISE = 0.85
"""Share of noise in the spoiled clip of a gold pair."""


class Rating:
    """Asks raters about pairs of clips of some runs, and stores their votes in the folder of the first.

    Args:
        runs: that are compared.
        plan: how raters are asked.

    Raises:
        UsageError: no item has a clip in two of the runs.
    """

    def __init__(self, runs: Sequence[VotedRun], plan: VotePlan) -> None:
        self.runs, self.plan = runs, plan
        self.folder = runs[0].folder
        self._secret = secrets.token_hex(16)
        self._lock = threading.Lock()
        self._pairs: dict[str, list[Pair]] = {}
        self._shown: dict[str, tuple[str, Pair]] = {}
        pairs, self.missing = pairs_for(runs, plan, "")
        if not pairs:
            raise UsageError(
                "no item has a clip in two of these runs, so there is nothing to vote on "
                f"({counted(self.missing, 'pair lacks', 'pairs lack')} one)"
            )

    def next(self, rater: object) -> dict[str, Any]:
        """Describe the next pair of a rater, or that there is none left.

        Raises:
            UsageError: the name is no name.
        """
        name = _name(rater)
        with self._lock:
            pairs = self._pairs.setdefault(name, pairs_for(self.runs, self.plan, name)[0])
            answered = self._answered(name)
            open_ = [pair for pair in pairs if self._key(pair) not in answered]
            left = [pair for pair in open_ if self._is_there(pair)]
            gone = len(open_) - len(left)
            done, total = len(pairs) - len(open_), len(pairs) - gone
            told: dict[str, Any] = {"rater": name, "done": done, "total": total, "undo": bool(answered)}
            if not left:
                return {**told, "pair": None}
            pair = left[0]
            token = pair.token(self._secret, name)
            self._shown[token] = (name, pair)
        item = self.runs[pair.left].data.items[pair.item]
        return {
            **told,
            "pair": token,
            "question": QUESTIONS[pair.question],
            "answers": ANSWERS[pair.question],
            "prompt": item.prompt,
            "hidden": is_red_team(item) or is_attack(item),
            "clips": [f"clip/{token}-{side}.mp4" for side in (0, 1)],
        }

    def shown(self, token: str) -> Pair | None:
        """Find the pair that a rater was shown under a name; None if there is none."""
        found = self._shown.get(token)
        return None if found is None else found[1]

    def vote(self, rater: object, token: object, answer: object, seconds: object) -> dict[str, Any]:
        """Store an answer, and describe the next pair.

        Raises:
            UsageError: there is no such pair or answer, a clip is gone, or the vote cannot be stored.
        """
        name = _name(rater)
        of, pair = self._shown.get(str(token), (None, None))
        if pair is None or of != name:
            raise UsageError("this pair is not known here; load the page again")
        if answer not in ANSWERS[pair.question]:
            raise UsageError(f"{answer!r} is no answer to this question")
        sides = [self._record(which, pair.item) for which in (pair.left, pair.right)]
        with self._lock:
            if self._key(pair) in self._answered(name):
                return {}
            vote = new_vote(
                rater=name,
                question=pair.question,
                item=pair.item,
                left=self.runs[pair.left].key,
                right=self.runs[pair.right].key,
                left_clip=sides[0][1],
                right_clip=sides[1][1],
                answer=answer,
                gold=pair.gold,
                seconds=float(seconds) if isinstance(seconds, int | float) and 0 <= seconds < 1e6 else None,
            )
            add_votes(self.folder, [vote])
        return {}

    def undo(self, rater: object) -> dict[str, Any]:
        """Take a rater's last answer back.

        Raises:
            UsageError: there is none, or it cannot be stored.
        """
        name = _name(rater)
        with self._lock:
            theirs = [vote for vote in self._votes() if vote.rater == name and self._is_asked(vote)]
            if not theirs:
                raise UsageError("there is no answer to undo")
            undo_vote(self.folder, max(theirs, key=lambda vote: (vote.time, vote.id)))
        return {}

    def clip(self, token: str, side: int) -> bytes | None:
        """Give a clip that was shown as a file that browsers play; None if there is none.

        Raises:
            MediaError: the file is damaged.
        """
        pair = self.shown(token)
        if pair is None:
            return None
        try:
            file, sha256 = self._record(pair.left if side == 0 else pair.right, pair.item)
        except UsageError:
            return None
        spoiled = pair.gold in ("left", "right") and (pair.gold == "left") == (side == 1)
        return _playable(file, sha256, spoiled)

    def _record(self, which: int, item: str) -> tuple[File, str]:
        run = self.runs[which]
        record = run.data.clips.get(item)
        file = (
            None if record is None or record.file is None else run.clip_files.file(record.file, record.sha256)
        )
        if record is None or record.sha256 is None or file is None or not file.is_file():
            raise UsageError("a clip of this pair is gone from its run, so no vote on it was stored")
        return file, record.sha256

    def _is_there(self, pair: Pair) -> bool:
        try:
            return all(self._record(which, pair.item) for which in (pair.left, pair.right))
        except UsageError:
            return False

    def _votes(self) -> list[Vote]:
        path = self.folder / VOTES
        try:
            stat = path.stat()
        except FileNotFoundError:
            return []
        return list(_read(self.folder, stat.st_size, stat.st_mtime_ns))

    def _is_asked(self, vote: Vote) -> bool:
        keys = {run.key for run in self.runs}
        return vote.left in keys and vote.right in keys and vote.question in self.plan.questions

    def _answered(self, name: str) -> set[tuple[object, ...]]:
        return {
            (vote.question, vote.item, frozenset((vote.left, vote.right)))
            for vote in self._votes()
            if vote.rater == name
        }

    def _key(self, pair: Pair) -> tuple[object, ...]:
        sides = frozenset((self.runs[pair.left].key, self.runs[pair.right].key))
        return (pair.question, pair.item, sides)


def _name(rater: object) -> str:
    name = " ".join(printable(str(rater)).split()) if isinstance(rater, str) else ""
    if not name or len(name) > _LONGEST_NAME:
        raise UsageError(f"give a name of 1 to {_LONGEST_NAME} characters")
    return name


@lru_cache(maxsize=4)
def _read(folder: Path, size: int, changed: int) -> tuple[Vote, ...]:
    del size, changed  # what tells a file that was appended to
    return tuple(read_votes(folder)[0])


@lru_cache(maxsize=48)
def _playable(file: File, sha256: str, spoiled: bool) -> bytes:
    rng = seeded_rng("spoiled clip", sha256)

    def spoil(frame_HWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
        noise = rng.integers(0, 256, frame_HWC.shape)
        return ((1 - _NOISE) * frame_HWC + _NOISE * noise).astype(np.uint8)

    try:
        return preview_mp4(
            file, min_side=320, max_side=1280, max_seconds=60, crf=16, change=spoil if spoiled else None
        )
    except FileNotFoundError:
        raise MediaError(f"{file} is gone") from None
