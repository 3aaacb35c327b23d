"""Frames in which an outline is sure, and what a tracker that subtracts a background cannot speak of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from screentest.metrics import NotApplicable
from screentest.metrics.laws.evaluation import find_all
from screentest.metrics.laws.motion import continuity, inertia
from screentest.metrics.laws.permanence import color, permanence, rigidity, uninvited
from screentest.metrics.laws.steady_frames import of_one_form, on_known_ground, steady_frames, untorn
from screentest.metrics.tracking.role_assignment import RoleAssignment

from .synthetic import BLUE, Path, cast_of, times

T = times()
SLIDE = 0.2 + 0.25 * T
ONE = {"objects": [{"shape": "ball", "color": "red"}], "motion": "right"}
BALLS = [{"shape": "ball", "color": "red"}, {"shape": "ball", "color": "blue"}]


def rough(paths: list[Path], expect: dict[str, Any]) -> RoleAssignment:
    return cast_of(paths, expect, hidden_NT=np.zeros((len(paths), len(T)), bool))


def with_form(cast: RoleAssignment, form_T: np.ndarray) -> RoleAssignment:
    form = np.array(cast.tracks.form_NT4)
    form[0, :, 1] = form_T
    return replace(cast, tracks=replace(cast.tracks, form_NT4=form))


def test_a_frame_with_a_torn_outline_is_left_out_and_a_step_is_not():
    radius = np.where(np.arange(16) == 6, 0.08, 0.1) * np.where(T >= 1.25, 1.2, 1.0)
    cast = rough([Path(SLIDE, 0.5, radius)], ONE)
    assert np.flatnonzero(~untorn(cast, 0)).tolist() == [6]
    plain = cast_of([Path(SLIDE, 0.5, radius)], ONE)
    assert untorn(plain, 0).all()
    assert steady_frames(plain, plain.subject).all()


def test_an_outline_that_is_torn_most_of_the_time_is_no_evidence():
    torn = np.where(np.arange(16) % 4 < 2, 0.1, 0.07 + 0.002 * np.arange(16))
    with pytest.raises(NotApplicable, match="the outline of the red ball is torn"):
        rigidity(rough([Path(SLIDE, 0.5, torn)], ONE))


def test_frames_in_which_two_things_are_near_are_left_out():
    near = np.where(T >= 1.5, 0.62, 0.9)
    cast = rough([Path(SLIDE, 0.5), Path(SLIDE, near, color=BLUE)], {"objects": BALLS, "motion": "right"})
    assert not steady_frames(cast, cast.subject)[T >= 1.5].any()
    assert steady_frames(cast, cast.subject)[T < 1.5].all()


def test_what_begins_with_another_outline_than_is_stated_is_not_the_thing_alone():
    cast = rough([Path(SLIDE, 0.5)], ONE)
    with pytest.raises(NotApplicable, match="another outline"):
        color(with_form(cast, np.full(16, 0.5)))
    later = with_form(cast, np.where(T >= 1.25, 0.5, 0.0))
    assert rigidity(later).severity == pytest.approx(0.5)
    assert np.array_equal(of_one_form(later, later.subject), T < 1.25)


def test_a_clip_in_which_nothing_looks_as_it_is_stated_is_held_against_no_law():
    cast = with_form(rough([Path(SLIDE, 0.5)], ONE), np.full(16, 0.7))
    found = find_all(cast)
    assert set(found.values()) == {
        "what is followed as the red ball has another outline, so that the clip may be of something else"
    }
    either = rough([Path(SLIDE, 0.5), Path(SLIDE, 0.8, color=BLUE)], {"objects": BALLS, "motion": "right"})
    assert not isinstance(find_all(with_form(either, np.full(16, 0.7)))["permanence"], str)
    unstated = rough([Path(SLIDE, 0.5)], {"objects": [{"color": "red"}], "motion": "right"})
    assert not isinstance(find_all(with_form(unstated, np.full(16, 0.7)))["permanence"], str)


def test_a_wall_which_never_moves_says_nothing_of_what_a_clip_is_of():
    walled = {"objects": [{"shape": "ball", "color": "red"}, {"kind": "wall"}], "motion": "right"}
    paths = [Path(SLIDE, 0.5), Path(SLIDE, 0.8, color=(128.0, 130.0, 134.0))]
    cast = rough(paths, walled)
    assert len(cast.shown) == 2
    form = np.array(cast.tracks.form_NT4)
    form[:, :, 1] = 0.7
    assert isinstance(find_all(replace(cast, tracks=replace(cast.tracks, form_NT4=form)))["permanence"], str)


def test_what_has_no_fixed_outline_and_no_color_is_not_known_again_after_a_gap():
    gone = np.where((T >= 1.0) & (T < 1.5), np.nan, SLIDE)
    for thing in ({"name": "dog"}, {"kind": "person"}):
        cast = rough([Path(gone, 0.5)], {"objects": [thing], "motion": "right"})
        with pytest.raises(NotApplicable, match="could be known again"):
            permanence(cast)
        with pytest.raises(NotApplicable, match="a jump could be told"):
            continuity(cast)
    assert permanence(rough([Path(gone, 0.5)], ONE)).severity == pytest.approx(4 / 16)


def test_where_nothing_that_is_expected_is_seen_nothing_is_uninvited():
    expect = {"objects": [{"shape": "ball", "color": "blue"}], "motion": "stay"}
    with pytest.raises(NotApplicable, match="may be of something else"):
        uninvited(rough([Path(SLIDE, 0.5)], expect))
    assert uninvited(cast_of([Path(SLIDE, 0.5)], expect)).severity == 1.0


def test_a_thing_that_stays_hides_its_background():
    stops = rough([Path(np.where(T < 0.75, 0.2 + 0.6 * T, 0.8), 0.5)], ONE)
    assert np.array_equal(on_known_ground(stops, stops.subject), T < 0.75)
    with pytest.raises(NotApplicable, match="stays where it is"):
        rigidity(rough([Path(0.5 + 0.02 * T, 0.5)], ONE))


def test_a_thing_that_is_asked_for_and_not_seen_may_be_in_the_outline_of_another():
    cast = rough([Path(SLIDE, 0.5)], {**ONE, "objects": BALLS})
    for law in (inertia, continuity, rigidity, color):
        with pytest.raises(NotApplicable, match="the blue ball is not seen alone"):
            law(cast)
    assert permanence(cast).severity == 0.0
    resting = rough([Path(SLIDE, 0.5)], {**ONE, "objects": BALLS, "at_rest": [1]})
    assert color(resting).severity == 0.0
    assert color(cast_of([Path(SLIDE, 0.5)], {**ONE, "objects": BALLS})).severity == 0.0


def test_of_things_that_should_stay_a_tracker_of_what_moves_says_nothing():
    cast = rough([Path(SLIDE, 0.5)], {**ONE, "motion": "stay"})
    for law in (inertia, continuity, rigidity, color, permanence):
        with pytest.raises(NotApplicable, match="follows only what moves"):
            law(cast)


def test_a_shadow_that_moves_in_changing_light_may_be_taken_for_a_thing():
    changing = {**ONE, "constant_light": False}
    cast = rough([Path(SLIDE, 0.3), Path(np.where(T >= 1.5, 0.7, np.nan), 0.8, color=BLUE)], changing)
    for law in (inertia, continuity, rigidity, uninvited):
        with pytest.raises(NotApplicable, match="the light changes"):
            law(cast)
    twice = [Path(SLIDE, 0.3), Path(np.where(T >= 1.5, 0.7, np.nan), 0.8)]
    assert permanence(rough(twice, ONE)).severity == pytest.approx(4 / 16)
    assert permanence(rough(twice, changing)).severity == 0.0


def test_a_place_where_the_background_was_taken_wrongly_is_no_uninvited_thing():
    ghost = [Path(SLIDE, 0.3), Path(np.where(T < 0.5, 0.7, np.nan), 0.7, 0.05, BLUE)]
    assert uninvited(rough(ghost, ONE)).severity == 0.0
    assert uninvited(cast_of(ghost, ONE)).severity == pytest.approx(4 / 16)
    leaves = [Path(SLIDE, 0.3), Path(np.where(T < 0.5, 0.99, np.nan), 0.7, 0.05, BLUE)]
    assert uninvited(rough(leaves, ONE)).severity == pytest.approx(4 / 16)


def test_a_middle_that_drifts_by_a_pixel_is_no_change_of_velocity():
    drifts = 0.2 + 0.15 * T + np.where(T >= 1.0, (T - 1.0) / 64, 0.0)
    assert inertia(rough([Path(drifts, 0.5, 0.06)], ONE)).severity == 0.0
    assert inertia(cast_of([Path(drifts, 0.5, 0.06)], ONE)).severity > 0.05
    turns = 0.2 + 0.25 * T + np.where(T >= 1.0, 0.2 * (T - 1.0), 0.0)
    assert inertia(rough([Path(turns, 0.5)], ONE)).severity > 0.3
