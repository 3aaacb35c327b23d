"""Measures of puzzles whose solution is known: 1 where a clip solves its puzzle by the rules, else 0.

The rules read the pictures, by regions of saturated colors, and never the truth of a simulation. What a
prompt asks is in its ``expect``: ``maze``, ``clock`` or ``tower``. A clip that does not begin with the puzzle
as it is stated is not applicable, as its places and colors mean nothing there.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from ..base import NotApplicable, Sample, Scored, measure
from ..encoders.base import Record
from ..expectation import Expectation, read_expectation
from .clock import judge_clock
from .encoder import HUES
from .maze import judge_maze
from .rules import Verdict
from .tower import judge_tower

if TYPE_CHECKING:
    from ...harness.core.keys import Json

__all__ = ["PUZZLES", "goal_measures", "judge", "judge_clip", "puzzle_solved"]

PUZZLES: Final = ("maze", "clock", "tower")
_VERSION: Final = 1
_WHAT: Final = {
    "maze": "Whether a thing travels through its maze to the goal, through no wall and without a jump",
    "clock": "Whether the hands of a clock go on to the time asked, the right way round, joined and rigid",
    "tower": "Whether blocks are stacked in the order asked, one by one, and none is lost or floats",
}


def judge(sample: Sample, name: str) -> Verdict:
    """Hold a clip against the puzzle of one kind that its prompt states.

    Raises:
        NotApplicable: the prompt states none, or the clip does not begin with it.
    """
    expect = read_expectation(sample.item.expect)
    if getattr(expect, name) is None:
        raise NotApplicable(f"the prompt's expect states no {name}")
    return judge_clip(sample.records[HUES], expect)


def judge_clip(hues: Record, expect: Expectation) -> Verdict:
    """Hold a clip against the puzzle that is stated, a maze, a clock or a tower.

    Args:
        hues: what the encoder of that name found.
        expect: what the clip should show; it states one of them.

    Raises:
        NotApplicable: the clip does not begin with the puzzle, or none is stated.
    """
    regions = hues.arrays["regions"]
    aspect, height = (float(str(hues.meta[name])) for name in ("aspect", "height"))
    if len(regions) < 2:
        raise NotApplicable("one frame shows no way to a goal")
    if expect.maze is not None:
        return judge_maze(regions, aspect, expect.maze)
    if expect.clock is not None:
        return judge_clock(regions, aspect, expect.clock, 1 / height)
    if expect.tower is not None:
        return judge_tower(regions, expect.tower, 1 / height)
    raise NotApplicable("the prompt's expect states no maze, clock or tower")


def _scored(sample: Sample, found: Verdict) -> Scored:
    worst = found.worst
    evidence: dict[str, Json] = {
        "reached": found.reached,
        "ratio": round(worst.ratio, 4),
        "ratios": {one.rule: round(one.ratio, 4) for one in found.rules if one.ratio > 0.5},
    }
    if found.solved:
        return Scored(1.0, evidence)
    evidence = {"broken": worst.rule, **evidence}
    if worst.frame is not None:
        assert sample.clip is not None
        second = round(worst.frame / float(sample.clip.fps), 6)
        evidence = {"first_frame": worst.frame, "first_s": second, "last_s": second, **evidence}
    return Scored(0.0, evidence)


def _puzzle(name: str) -> Callable[[Sample], Scored]:
    def solved(sample: Sample) -> Scored:
        return _scored(sample, judge(sample, name))

    solved.__name__ = name
    solved.__doc__ = f"""{_WHAT[name]}: 1 or 0.

    The evidence has the rule that is broken worst, its first frame, how far it is from right in tolerances
    (``ratio``), and whether the goal itself is ``reached``.

    Raises:
        NotApplicable: the prompt's expect states no {name}, or the clip does not begin with it.
    """
    return solved


_rate = partial(measure, version=_VERSION, needs=(HUES,), better="higher", bounds=(0.0, 1.0), kind="rate")
goal_measures: Final = {name: _rate(f"goals.{name}")(_puzzle(name)) for name in PUZZLES}
"""Puzzle -> its measure."""


@_rate("goals.solved")
def puzzle_solved(sample: Sample) -> Scored:
    """Whether a clip solves the puzzle that its prompt states, a maze, a clock or a tower: 1, else 0.

    Raises:
        NotApplicable: the prompt's expect states no puzzle, or the clip does not begin with it.
    """
    return _scored(sample, judge_clip(sample.records[HUES], read_expectation(sample.item.expect)))
