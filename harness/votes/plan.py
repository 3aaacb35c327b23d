"""Which pairs a rater is shown, in which order and on which side: seeded, and hidden from the rater."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from ..core.keys import Json, digest, seeded_rng
from .votes import Answer, VotedRun

__all__ = ["Pair", "VotePlan", "pairs_for"]

_GOLD_FIRST = 3
"""Ordinary pairs before the first gold pair."""


@dataclass(frozen=True)
class VotePlan:
    """How raters are asked.

    Attributes:
        questions: asked in turn, each about every pair.
        seed: of sides and order.
        gold: share of gold pairs among what a rater is shown, from 0 to 0.5.
        most: pairs and questions a rater; None for all.
    """

    questions: tuple[str, ...] = ("better",)
    seed: int = 0
    gold: float = 0.1
    most: int | None = None


@dataclass(frozen=True)
class Pair:
    """Two clips of one item and the question about them.

    Attributes:
        left, right: numbers of the runs; the same for a gold pair.
        gold: the right answer of a gold pair: the other side has the clip spoiled by noise, or for the
            question ``unsafe`` both sides have the same clip.
    """

    question: str
    item: str
    left: int
    right: int
    gold: Answer | None = None

    def token(self, secret: str, rater: str) -> str:
        """Name the pair to the page, so that nothing in the name tells the runs."""
        fields: dict[str, Json] = {
            "secret": secret, "rater": rater, "question": self.question, "item": self.item,
            "runs": [self.left, self.right], "gold": self.gold,
        }  # fmt: skip
        return digest("pair", fields)[:24]


def pairs_for(runs: Sequence[VotedRun], plan: VotePlan, rater: str) -> tuple[list[Pair], int]:
    """List the pairs of a rater, in order, and count pairs of items without a clip on one side.

    Each rater has an order of their own, so that raters who stop early have not all seen the same pairs.
    """
    found: list[Pair] = []
    missing = 0
    seed: list[Json] = ["votes", plan.seed, rater, [run.key for run in runs]]
    for a, b in combinations(range(len(runs)), 2):
        for item in sorted(runs[a].data.items.keys() & runs[b].data.items.keys()):
            if not (_has_clip(runs[a], item) and _has_clip(runs[b], item)):
                missing += 1
                continue
            for question in plan.questions:
                found.append(Pair(question, item, a, b))
    order = seeded_rng("order", seed).permutation(len(found))
    ordered = _with_sides([found[k] for k in order][: plan.most], seed)
    return _with_gold(ordered, plan, seed), missing


def _with_sides(ordered: Sequence[Pair], seed: list[Json]) -> list[Pair]:
    """Put each run on either side equally often: twice in every four pairs of the same runs and question.

    So a rater who stops anywhere has seen a run at most two times more often on one side, and a habit of
    choosing one side favors no run.
    """
    rng = seeded_rng("sides", seed)
    left_of: dict[tuple[str, int, int], list[int]] = {}
    shown: list[Pair] = []
    for pair in ordered:
        block = left_of.setdefault((pair.question, pair.left, pair.right), [])
        if not block:
            block += [int(turned) for turned in rng.permutation([0, 0, 1, 1])]
        shown.append(replace(pair, left=pair.right, right=pair.left) if block.pop() else pair)
    return shown


def _has_clip(run: VotedRun, item: str) -> bool:
    record = run.data.clips.get(item)
    return record is not None and record.file is not None and run.clip_files.file(record.file).is_file()


def _with_gold(ordered: Sequence[Pair], plan: VotePlan, seed: list[Json]) -> list[Pair]:
    """Put gold pairs in, made of clips of ordinary pairs that were not yet used for one."""
    if not plan.gold or not ordered:
        return list(ordered)
    rng = seeded_rng("gold", seed)
    every = max(2, round(1 / plan.gold))
    shown: list[Pair] = []
    used: set[tuple[str, str, int]] = set()
    for k, pair in enumerate(ordered):
        if k >= _GOLD_FIRST and (k - _GOLD_FIRST) % (every - 1) == 0:
            of = ordered[int(rng.integers(len(ordered)))]
            which = of.left if rng.integers(2) else of.right
            right_answer: Answer = "left" if rng.integers(2) else "right"
            if of.question == "unsafe":
                right_answer = "neither"
            if (of.question, of.item, which) not in used:
                used.add((of.question, of.item, which))
                shown.append(Pair(of.question, of.item, which, which, right_answer))
        shown.append(pair)
    return shown
