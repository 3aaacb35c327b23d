"""Puzzles of the stage: what is asked agrees with what is driven, and failures fail in nothing else."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest
from screentest.generators.worlds.registry import find_world
from screentest.harness.core.colors import GOAL_COLORS
from screentest.harness.core.errors import UsageError
from screentest.harness.core.items import ClipSettings
from screentest.harness.core.keys import seeded_rng

if find_spec("mujoco") is None:
    pytest.skip("the world 'stage' needs the extra stage (MuJoCo)", allow_module_level=True)

from screentest.generators.worlds.stage import FAMILIES, Scene, can_draw, sample_scene, truth_of, violate
from screentest.generators.worlds.stage.mechanics import simulate
from screentest.generators.worlds.stage.puzzle_faults import PUZZLE_FAULTS
from screentest.generators.worlds.stage.puzzles import PUZZLES, clock_words
from screentest.generators.worlds.stage.truth import expectation
from screentest.generators.worlds.stage.words import caption
from screentest.metrics.expectation import read_expectation
from screentest.metrics.expected_goals import ways_from
from screentest.metrics.validation.goal_card import SOLVED, GoalTrial, goal_trials, run_goal_trial
from screentest.metrics.validation.law_trials import lawful_trials

CLIP = ClipSettings(frames=20, height=64, width=64, fps=10.0)
WIDE = ClipSettings(frames=24, height=72, width=128, fps=12.0)
_why = can_draw()
draws = pytest.mark.skipif(_why is not None, reason=_why or "")


def scene_of(family: str, seed: int = 0, clip: ClipSettings = CLIP) -> Scene:
    return sample_scene(seeded_rng("test puzzles", family, seed), clip, family)


@pytest.mark.parametrize("clip", [CLIP, WIDE], ids=["square", "wide"])
@pytest.mark.parametrize("seed", range(4))
def test_a_maze_is_walked_from_start_to_goal_through_free_cells(clip: ClipSettings, seed: int):
    scene = scene_of("maze", seed, clip)
    truth = truth_of(scene, clip, "", None)
    maze = read_expectation(truth.expect).maze
    assert maze is not None
    assert maze.color == scene.bodies[0].color != scene.bodies[1].color
    left, top, right, bottom = maze.area
    assert 0 <= left < right <= 1
    assert 0 <= top < bottom <= 1
    place = (truth.position_NT2[0] + 0.5) / (clip.width, clip.height)
    columns = (place[:, 0] - left) / (right - left) * len(maze.rows[0]) - 0.5
    rows = (place[:, 1] - top) / (bottom - top) * len(maze.rows) - 0.5
    for row, column in zip(rows, columns, strict=True):
        assert maze.rows[round(row)][round(column)] != "#"
    assert (rows[0], columns[0]) == pytest.approx(maze.find("S"), abs=0.25)
    assert (rows[-1], columns[-1]) == pytest.approx(maze.find("G"), abs=0.25)
    assert ways_from(maze.rows, maze.find("S"))[maze.find("G")] >= 8


def test_the_hands_of_a_clock_are_at_the_times_that_are_stated():
    for seed in range(4):
        scene = scene_of("clock", seed)
        clock = read_expectation(expectation(scene, CLIP)).clock
        assert clock is not None
        first, after = clock.minutes
        assert 15 <= after <= 40
        course = simulate(scene, CLIP)
        for hand, speed in ((0, 0.5), (1, 6.0)):
            w, _, y, _ = course.turn_NS4[hand].T
            turn = np.degrees(np.unwrap(2 * np.arctan2(y, w)))
            assert (turn[0] - first * speed + 180) % 360 == pytest.approx(180, abs=1e-6)
            assert turn[-1] - turn[0] == pytest.approx(after * speed)
            away = course.place_NS3[hand] - np.array(scene.marks[0])
            points = np.degrees(np.arctan2(away[:, 0], away[:, 2]))
            assert (points - turn + 180) % 360 == pytest.approx(180, abs=1e-6)
    assert (clock_words("12:00"), clock_words("12:05")) == ("12 o'clock", "12:05")


def test_a_tower_is_stacked_in_the_order_that_is_stated_one_block_at_a_time():
    for seed in range(4):
        scene = scene_of("tower", seed, WIDE)
        tower = read_expectation(expectation(scene, WIDE)).tower
        assert tower is not None
        assert tower.order == tuple(body.color for body in scene.bodies)
        course = simulate(scene, WIDE)
        edge = 2 * scene.bodies[0].half[0]
        ends = course.place_NS3[:, -1]
        assert np.diff(ends[:, 2]) == pytest.approx(edge)
        assert ends[:, 0] == pytest.approx(ends[0, 0])
        moving = np.abs(np.diff(course.place_NS3, axis=1)).max(axis=2) > 1e-9
        assert moving.sum(axis=0).max() <= 2  # two only where one is put down as the next is lifted
        assert not moving[0].any()


@pytest.mark.parametrize(
    ("family", "fault"), [(f, fault) for f, all_ in PUZZLE_FAULTS.items() for fault in all_]
)
def test_a_failure_has_a_solved_twin_and_shows(family: str, fault: str):
    for severity in (0.1, 0.5, 1.0):
        scene = scene_of(family, 1)
        broken = violate(scene, fault, severity, seeded_rng("test", fault), CLIP)
        assert broken.lawful() == scene
        assert expectation(broken, CLIP) == expectation(scene, CLIP)
        truth = truth_of(broken, CLIP, "", None)
        assert truth.first_fault is not None
        told = truth.to_json()["violation"]
        assert (told["law"], told["severity"]) == (fault, severity)
        assert "drives" not in told


def test_captions_say_what_is_asked():
    maze, clock, tower = (scene_of(family) for family in PUZZLES)
    one, two = (body.color for body in maze.bodies[:2])
    assert caption(maze) == (
        f"seen from above, the {one} ball travels through the maze to the {two} square and crosses no wall"
    )
    asked = clock.facts["clock"]
    assert f"the {asked['minute']} hand the minutes" in caption(clock)
    assert clock_words(asked["to"]) in caption(clock)
    assert all(f"the {color} block" in caption(tower) for color in tower.facts["tower"]["order"])


def test_puzzles_are_made_where_they_are_asked_for_and_no_law_is_tried_on_them():
    stage = find_world("stage")
    assert set(stage.puzzles) == set(PUZZLES)
    assert not set(PUZZLES) & set(FAMILIES)
    assert {stage.sample(seeded_rng("any", k), CLIP, None, {}).family for k in range(60)} <= set(FAMILIES)
    assert not {trial.family for trial in lawful_trials("card", 0, 1, world="stage")} & set(PUZZLES)
    assert not any(
        family in PUZZLES for law in ("gravity", "inertia") for _, family in stage.violations_of(law)
    )
    with pytest.raises(UsageError, match="cannot show the failure 'vanish'; it can show stops-short"):
        violate(scene_of("maze"), "vanish", 0.5, seeded_rng(0), CLIP)
    with pytest.raises(UsageError, match="unknown failure 'skip'; did you mean 'skips'"):
        violate(scene_of("maze"), "skip", 0.5, seeded_rng(0), CLIP)
    with pytest.raises(UsageError, match="did you mean 'maze'"):
        sample_scene(seeded_rng(0), CLIP, "mase")
    assert stage.choices("maze")["color"] == GOAL_COLORS


def test_trials_of_a_card_have_each_failure_beside_the_solved_scene():
    trials = goal_trials(1, 3)
    clock = [trial.fault for trial in trials if (trial.family, trial.look) == ("clock", "noise")]
    assert clock == [SOLVED, *PUZZLE_FAULTS["clock"]]


@draws
@pytest.mark.parametrize("family", PUZZLES)
def test_measures_tell_solved_puzzles_from_failures_by_their_pictures(family: str):
    solved = run_goal_trial(GoalTrial(7, family, 0, "64 x 64", SOLVED, 0.0))
    assert solved["ratio"] < 1, solved
    failed = run_goal_trial(GoalTrial(7, family, 0, "64 x 64", PUZZLE_FAULTS[family][0], 0.6))
    assert failed["ratio"] > 1, failed
    assert not failed["reached"]
