"""Rules of puzzles on drawn regions: solved, failed, and not to be judged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from screentest.harness.core.colors import GOAL_COLORS
from screentest.harness.core.errors import UsageError
from screentest.metrics.base import NotApplicable
from screentest.metrics.encoders.base import Record
from screentest.metrics.expectation import read_expectation
from screentest.metrics.goals.encoder import HUE_COLUMNS, color_regions
from screentest.metrics.goals.measures import judge_clip
from screentest.metrics.goals.rules import Verdict

F = NDArray[np.float64]
ROWS = ["#######", "#S#...#", "#.#.#.#", "#...#G#", "#######"]
WAY = [(1, 1), (2, 1), (3, 1), (3, 2), (3, 3), (2, 3), (1, 3), (1, 4), (1, 5), (2, 5), (3, 5)]
CLOCK = {"from": "3:00", "to": "3:20", "hour": "red", "minute": "blue", "centre": [0.5, 0.5], "radius": 0.4}


def regions(frames: int) -> F:
    made = np.full((frames, len(GOAL_COLORS), len(HUE_COLUMNS)), np.nan)
    made[:, :, 0] = 0.0
    return made


def put(made: F, color: str, box: F, ends: F | None = None) -> None:
    """Draw a region: ``box`` (T, 4) is left, top, right, bottom; NaN rows are frames without it."""
    here = made[:, GOAL_COLORS.index(color)]
    here[:, 0] = np.where(np.isnan(box[:, 0]), 0.0, 0.004)
    here[:, 1:3] = (box[:, :2] + box[:, 2:]) / 2
    here[:, 3:7] = box
    here[:, 7:] = ends if ends is not None else box


def verdict(made: F, expect: dict[str, Any], aspect: float = 1.0) -> Verdict:
    return judge_clip(Record({"regions": made}, {"aspect": aspect, "height": 384}), read_expectation(expect))


# -- mazes


def walked(cells: Sequence[tuple[float, float]], frames: int = 21, aspect: float = 1.0) -> Verdict:
    points = np.array(cells, np.float64)
    at = np.linspace(0, len(points) - 1, frames)
    path = np.stack([np.interp(at, np.arange(len(points)), points[:, k]) for k in (0, 1)], axis=1)
    return seen(path, aspect)


def seen(path_T2: F, aspect: float = 1.0) -> Verdict:
    x = (path_T2[:, 1] + 0.5) / 7 * aspect
    y = (path_T2[:, 0] + 0.5) / 5
    made = regions(len(path_T2))
    put(made, "red", np.stack([x - 0.03, y - 0.03, x + 0.03, y + 0.03], axis=1))
    return verdict(made, {"maze": {"rows": ROWS, "color": "red"}}, aspect)


@pytest.mark.parametrize("aspect", [1.0, 1.78, 0.5625])
def test_a_maze_that_is_walked_is_solved_at_any_shape_of_the_picture(aspect: float):
    found = walked(WAY, aspect=aspect)
    assert found.solved
    assert found.reached


def test_a_walk_that_stops_before_the_goal_does_not_reach_it():
    found = walked(WAY[:-2])
    assert not found.reached
    assert found.worst.rule == "does not reach the goal"
    assert found.worst.ratio == pytest.approx(2 / 0.75)
    assert found.worst.frame == 20


def test_a_walk_through_a_wall_reaches_the_goal_and_does_not_solve_the_maze():
    found = walked([*WAY[:2], *WAY[5:]], frames=43)  # from (2, 1) straight to (2, 3)
    assert found.reached
    assert not found.solved
    broken = {one.rule for one in found.rules if one.ratio > 1}
    assert broken == {"goes through a wall", "is in a wall"}
    assert found.worst.frame in range(6, 13)


def test_a_thing_that_is_elsewhere_in_the_next_frame_jumps():
    at = np.array([0, 0.5, 1, 1.5, 2, 6, 6.5, 7, 7.5, 8, 8.5, 9, 9.5, 10])
    path = np.stack([np.interp(at, np.arange(len(WAY)), [cell[k] for cell in WAY]) for k in (0, 1)], axis=1)
    found = seen(path)
    assert found.reached
    assert found.worst.rule == "jumps"
    assert found.worst.frame == 5


def test_a_thing_that_is_gone_at_the_end_does_not_reach_the_goal():
    path = np.array(WAY, np.float64).repeat(2, axis=0)
    path[-4:] = np.nan
    found = seen(path)
    assert (found.worst.rule, found.worst.ratio, found.worst.frame) == ("does not reach the goal", 3.0, 18)


def test_few_frames_give_long_steps_and_no_jump():
    assert walked(WAY, frames=8).solved


def test_a_clip_that_does_not_begin_with_the_maze_is_not_judged():
    with pytest.raises(NotApplicable, match="does not begin at the start"):
        walked(WAY[4:])
    with pytest.raises(NotApplicable, match="no red thing"):
        verdict(regions(5), {"maze": {"rows": ROWS, "color": "red"}})
    with pytest.raises(NotApplicable, match="one frame"):
        verdict(regions(1), {"maze": {"rows": ROWS, "color": "red"}})


# -- clocks


def hands(hour_T: F, minute_T: F, off: float = 0.0, **more: Any) -> Verdict:
    made = regions(len(hour_T))
    for color, angle, length in (("red", hour_T, 0.2), ("blue", minute_T, 0.3)):
        turn = np.radians(angle)
        way = np.stack([np.sin(turn), -np.cos(turn)], axis=1)
        inner = 0.5 + 0.02 * way
        if color == "blue":
            inner[len(inner) // 2 :, 0] += off
        ends = np.concatenate([inner, inner + (length - 0.02) * way], axis=1)
        low, high = np.minimum(ends[:, :2], ends[:, 2:]) - 0.01, np.maximum(ends[:, :2], ends[:, 2:]) + 0.01
        put(made, color, np.concatenate([low, high], axis=1), ends)
    return verdict(made, {"clock": {**CLOCK, **more}})


def turned(begin: float, end: float, frames: int = 16) -> F:
    return np.linspace(begin, end, frames)


def test_a_clock_that_goes_on_to_its_time_is_solved():
    assert hands(turned(90, 100), turned(0, 120)).solved


def test_a_clock_that_stops_elsewhere_says_by_how_much():
    found = hands(turned(90, 102.5), turned(0, 150))
    assert not found.reached
    assert found.worst.rule == "the minute hand does not end at the time"
    assert found.worst.ratio == pytest.approx(3.0)
    assert found.worst.frame == 15


def test_a_clock_that_turns_back_ends_right_and_is_not_solved():
    found = hands(turned(90, 70), turned(0, -240))
    back = {one.rule for one in found.rules if one.ratio > 1}
    assert "the minute hand turns back" in back
    assert not found.solved
    found = hands(turned(90, 100), turned(0, -240))
    assert found.reached
    assert not found.solved


def test_a_clock_that_turns_once_more_is_not_solved():
    found = hands(turned(90, 100, 40), turned(0, 480, 40))
    assert found.reached
    assert found.worst.rule == "the minute hand does not turn by as much as the time goes on"


def test_a_hand_that_comes_off_is_found():
    found = hands(turned(90, 100), turned(0, 120), off=0.16)
    assert found.worst.rule == "the minute hand leaves the middle"
    assert found.worst.frame == 8


def test_a_clock_at_another_time_at_first_is_not_judged():
    with pytest.raises(NotApplicable, match="does not begin with the minute hand at 3:00"):
        hands(turned(90, 100), turned(60, 120))
    with pytest.raises(NotApplicable, match="no yellow minute hand"):
        hands(turned(90, 100), turned(0, 120), minute="yellow")


# -- towers


def blocks(places: dict[str, Sequence[tuple[float, float]]], frames: int = 24) -> Verdict:
    """Move blocks of an edge of 0.1 evenly from place to place: (middle, foot), feet grow downwards."""
    made = regions(frames)
    for color, stations in places.items():
        points = np.array(stations, np.float64)
        at = np.linspace(0, len(points) - 1, frames)
        x, foot = (np.interp(at, np.arange(len(points)), points[:, k]) for k in (0, 1))
        put(made, color, np.stack([x - 0.05, foot - 0.1, x + 0.05, foot], axis=1))
    return verdict(made, {"tower": {"order": ["red", "blue", "green"]}})


RED = [(0.2, 0.9)] * 9
BLUE = [(0.5, 0.9), (0.5, 0.5), (0.2, 0.5), (0.2, 0.8), *[(0.2, 0.8)] * 5]
GREEN = [*[(0.8, 0.9)] * 5, (0.8, 0.5), (0.2, 0.5), (0.2, 0.7), (0.2, 0.7)]


def test_a_tower_that_is_built_as_asked_is_solved():
    assert blocks({"red": RED, "blue": BLUE, "green": GREEN}).solved


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"blue": GREEN[:-2] + [(0.2, 0.7)] * 2, "green": BLUE}, "is not built as asked"),
        ({"green": [(0.8, 0.9)] * 9}, "is not built as asked"),
        ({"green": [*GREEN[:-2], (0.2, 0.6), (0.2, 0.6)]}, "is not built as asked"),
        ({"red": [*RED[:-3], (0.2, 0.9), (0.2, 0.8), (0.2, 0.8)]}, "is not built as asked"),
        ({"green": [(0.8, 0.9), (0.8, 0.3), (0.2, 0.3), *[(0.2, 0.7)] * 6]}, "two blocks move at once"),
    ],
)  # fmt: skip
def test_a_tower_that_is_not_built_so_is_not_solved(change: dict[str, Any], rule: str):
    found = blocks({"red": RED, "blue": BLUE, "green": GREEN, **change})
    assert not found.solved
    assert found.worst.rule == rule


def test_a_block_that_is_gone_is_named():
    green = [*GREEN[:-2], (np.nan, np.nan), (np.nan, np.nan)]
    found = blocks({"red": RED, "blue": BLUE, "green": green})
    assert found.worst.rule == "the green block is gone"
    assert not found.reached


def test_a_tower_that_stands_already_or_lacks_a_block_is_not_judged():
    with pytest.raises(NotApplicable, match="stands in the first frame already"):
        blocks({"red": RED, "blue": [(0.2, 0.8)] * 9, "green": [(0.2, 0.7)] * 9})
    with pytest.raises(NotApplicable, match="no green block"):
        blocks({"red": RED, "blue": BLUE})


# -- what is stated


def test_what_is_stated_wrongly_is_refused_with_the_nearest_word():
    refused = {
        "did you mean 'red'": {"maze": {"rows": ROWS, "color": "rde"}},
        "did you mean 'rows'": {"maze": {"row": ROWS, "color": "red"}},
        "of one length": {"maze": {"rows": ["###", "#SG#", "###"], "color": "red"}},
        "one S, its start, and one G": {"maze": {"rows": ["####", "#S.#", "####"], "color": "red"}},
        "no way leads": {"maze": {"rows": ["#####", "#S#G#", "#####"], "color": "red"}},
        "has 'x'": {"maze": {"rows": ["#####", "#SxG#", "#####"], "color": "red"}},
        "should be a time": {"clock": {**CLOCK, "to": "25:00"}},
        "have two colors": {"clock": {**CLOCK, "minute": "red"}},
        "a color of its own": {"tower": {"order": ["red", "red"]}},
        "at least 2": {"tower": {"order": ["red"]}},
        "one puzzle, and maze and clock are stated": {"maze": {"rows": ROWS, "color": "red"}, "clock": CLOCK},
    }  # fmt: skip
    for message, expect in refused.items():
        with pytest.raises(UsageError, match=message):
            read_expectation(expect)


def test_a_clock_goes_past_twelve():
    clock = read_expectation({"clock": {**CLOCK, "from": "11:40", "to": "12:10"}}).clock
    assert clock is not None
    assert clock.minutes == (700, 30)


# -- regions


def test_regions_are_found_by_their_hue_on_gray_ground_and_white():
    from screentest.harness.core.colors import COLORS

    frame = np.full((96, 128, 3), 120, np.uint8)
    frame[:, 64:] = 235
    for k, color in enumerate(GOAL_COLORS):
        for shade, top in ((1.0, 10), (0.5, 10)):
            frame[top : top + 8, 10 + 24 * k : 18 + 24 * k] = (np.array(COLORS[color]) * shade).astype(
                np.uint8
            )
    found = color_regions(frame)
    for k, row in enumerate(found):
        named = dict(zip(HUE_COLUMNS, row, strict=True))
        assert named["area"] == pytest.approx(64 / 96**2)
        assert (named["x"] * 96, named["y"] * 96) == pytest.approx((14 + 24 * k, 14))
        assert (named["left"] * 96, named["bottom"] * 96) == pytest.approx((10 + 24 * k, 18))
    gray = color_regions(np.full((32, 32, 3), 90, np.uint8))
    assert (gray[:, 0] == 0).all()
    assert np.isnan(gray[:, 1:]).all()


def test_the_ends_of_a_region_lie_along_it_and_large_frames_give_the_same():
    frame = np.full((400, 800, 3), 120, np.uint8)
    frame[198:202, 100:300] = (226, 54, 48)
    x1, y1, x2, y2 = color_regions(frame)[0, -4:]
    assert sorted((x1 * 400, x2 * 400)) == pytest.approx([105, 295], abs=3)
    assert (y1 * 400, y2 * 400) == pytest.approx((200, 200), abs=1.5)
