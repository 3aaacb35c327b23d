"""Scores of many items in one transaction."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

from ..core.run_data import ClipRecord, Score

__all__ = ["GROUP_ITEMS", "GROUP_S", "ScoreGroup"]

GROUP_S, GROUP_ITEMS = 0.5, 256
"""The longest that a finished item waits to be stored with others, in seconds and in items."""


class ScoreGroup:
    """Scores of items that are stored together; made by `RunStore.grouped`.

    A transaction waits for the disk, which took longer than scoring a small clip. So the first item is stored
    at once, and later ones at the latest `GROUP_S` seconds after the last transaction, or when there are
    `GROUP_ITEMS` of them. A killed run loses no more than that, and nothing that was counted as done.

    Args:
        put: stores records of clips and scores in one transaction.
        stored: is told the number of items of each one.
    """

    def __init__(
        self,
        put: Callable[[Sequence[ClipRecord], Sequence[Score]], None],
        stored: Callable[[int], None],
    ) -> None:
        self._put, self._stored = put, stored
        self._clips: list[ClipRecord] = []
        self._scores: list[Score] = []
        self._last = -math.inf

    def add(self, clip: ClipRecord, scores: Sequence[Score]) -> None:
        """Add the scores of an item, and its record with the properties that decoding found."""
        self._clips.append(clip)
        self._scores.extend(scores)
        if len(self._clips) >= GROUP_ITEMS or time.monotonic() - self._last >= GROUP_S:
            self.flush()

    def flush(self) -> None:
        """Store what was added, then count it as done."""
        if self._clips:
            self._put(self._clips, self._scores)
            done, self._clips, self._scores = len(self._clips), [], []
            self._stored(done)
        self._last = time.monotonic()
