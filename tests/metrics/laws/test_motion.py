"""The mathematics of gravity, inertia and continuity on paths that are known."""

from __future__ import annotations

import numpy as np
import pytest
from screentest.metrics import NotApplicable
from screentest.metrics.laws.evaluation import assignment_for
from screentest.metrics.laws.motion import bounce, continuity, gravity, inertia
from screentest.metrics.tracking.trajectories import Path as Trajectory
from screentest.metrics.tracking.trajectories import path_of

from .synthetic import BALLS, BLUE, Path, cast_of, times, tracks_of

T = times()


def fall(g: float, speed: float = 0.0, drag: float = 0.0) -> Path:
    y = 0.15 + speed * T + g * T**2 / 2
    return Path(0.5, y - drag * T**3)


@pytest.mark.parametrize("g", [0.1, 0.32, 0.4])
def test_a_fall_by_the_stated_gravity_has_no_severity(g: float):
    found = gravity(cast_of([fall(g)], {"motion": "fall", "gravity": g}))
    assert found.severity == pytest.approx(0.0, abs=0.01)
    assert found.evidence["g"] == pytest.approx(g, rel=0.01)


@pytest.mark.parametrize(("g", "severity"), [(0.16, 0.5), (0.24, 0.25), (0.4, 0.25), (0.0, 1.0)])
def test_the_severity_of_a_fall_is_how_far_its_gravity_is_off(g: float, severity: float):
    found = gravity(cast_of([fall(g, 0.05)], {"motion": "fall", "gravity": 0.32}))
    assert found.severity == pytest.approx(severity, abs=0.03)


def test_a_fall_that_is_no_parabola_has_a_severity_by_its_form():
    wavy = Path(0.5, 0.2 + 0.16 * T**2 + 0.03 * np.sin(9 * T))
    assert gravity(cast_of([wavy], {"motion": "fall", "gravity": 0.32})).severity > 0.1


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({}, "how fast things fall is not stated"),
        ({"gravity": "unknown"}, "how fast things fall is not stated"),
        ({"gravity": 0.32, "drag": True}, "nothing slows what moves"),
        ({"gravity": 0.32, "in_depth": True}, "nothing comes nearer"),
        ({"gravity": 0.32, "motion": "left"}, "nothing is expected to fall"),
    ],
)
def test_gravity_applies_to_a_free_fall_alone(facts: dict[str, object], reason: str):
    with pytest.raises(NotApplicable, match=reason):
        gravity(cast_of([fall(0.0, 0.2)], {"motion": "fall", **facts}))


def test_the_restitution_of_a_bounce_is_that_of_the_path():
    floor, g = 0.9, 0.6
    for restitution, severity in ((0.7, 0.0), (1.0, 0.0), (1.3, 0.3)):
        touch = np.sqrt(2 * 0.4 / g)
        speed = restitution * g * touch
        late = T - touch
        y = np.where(late < 0, floor - 0.4 + g * T**2 / 2, floor - speed * late + g * late**2 / 2)
        cast = cast_of([Path(0.5, y)], {"motion": "bounce", "gravity": g})
        found = bounce(cast)
        assert found.evidence["restitution"] == pytest.approx(restitution, abs=0.05)
        assert found.severity == pytest.approx(severity, abs=0.08)


def test_a_uniform_motion_has_no_severity_and_a_turn_that_of_its_angle():
    straight = cast_of([Path(0.2 + 0.25 * T, 0.5)], {"motion": "right"})
    assert inertia(straight).severity == pytest.approx(0.0, abs=1e-6)
    late = np.maximum(0, T - 1.0)
    for degrees in (22.0, 45.0, 90.0):
        angle = np.radians(degrees)
        x = 0.2 + 0.25 * (np.minimum(T, 1.0) + np.cos(angle) * late)
        turned = cast_of([Path(x, 0.5 + 0.25 * np.sin(angle) * late)], {"motion": "right"})
        assert inertia(turned).severity == pytest.approx(2 * np.sin(angle / 2), rel=0.05)


@pytest.mark.parametrize(("count", "bounces"), [(22, 2), (30, 3)])
def test_bounces_on_the_way_are_counted_though_one_alone_explains_nothing(count: int, bounces: int):
    g, high = 1.2, 0.3
    t = times(count)
    down, y = np.sqrt(2 * high / g), 0.75 - high + g * t**2 / 2
    touch, up = down, 0.8 * g * down
    for _ in range(bounces):  # each comes down as fast as it left
        late = t - touch
        y = np.where(late > 0, 0.75 - up * late + g * late**2 / 2, y)
        touch, up = touch + 2 * up / g, 0.8 * up
    expect = {"motion": "bounce", "gravity": g}
    cast = cast_of([Path(0.5, y)], expect, count, sees_still=False)
    assert len(gravity(cast).evidence["bounces"]) == bounces
    assert gravity(cast).severity == pytest.approx(0.0, abs=0.02)
    assert gravity(cast).evidence["g"] == pytest.approx(g, rel=0.02)
    assert (
        gravity(cast_of([Path(0.5, y)], {**expect, "gravity": 0.8}, count, sees_still=False)).severity > 0.4
    )


@pytest.mark.parametrize("kept", [0.5, 0.35, 0.0])
def test_low_hops_and_rest_after_a_fall_say_nothing_of_its_gravity(kept: float):
    g, high, floor = 1.6, 0.4, 0.8
    t = times(22)
    touch = np.sqrt(2 * high / g)
    up, y = 0.75 * g * touch, floor - high + g * t**2 / 2
    while up > 0.02:
        y = np.where(t > touch, floor - up * (t - touch) + g * (t - touch) ** 2 / 2, y)
        touch, up = touch + 2 * up / g, kept * up
    y = np.where(t > touch, floor, y)
    for asked, low, high in ((g, 0.0, 0.05), (1.0, 0.5, 0.7)):
        expect = {"motion": "bounce", "gravity": asked}
        found = gravity(cast_of([Path(0.5, y)], expect, 22, sees_still=False))
        assert low <= found.severity <= high


def test_frames_that_show_a_thing_in_part_say_nothing_of_its_inertia():
    even, off = 0.2 + 0.25 * T, np.where((T > 0.9) & (T < 1.3), 0.03, 0.0)
    bent = [Path(even, 0.5 + off)]
    cast = cast_of(bent, {"motion": "right"})
    assert inertia(cast).severity > 0.05
    part = tracks_of(bent)
    part.visible_NT[0, off > 0] = 0.7
    cast = assignment_for(part, {"objects": BALLS[:1], "ideal": True, "motion": "right"})
    assert inertia(cast).severity == pytest.approx(0.0, abs=1e-6)


def test_beside_a_contact_with_another_thing_a_frame_on_either_side_is_left_out():
    hit = np.maximum(0, T - 0.8)
    runs = Path(0.2 + 0.3 * np.minimum(T, 0.8) + 0.02 * hit, 0.5)
    struck = Path(0.64 + 0.15 * hit, 0.5, color=BLUE)
    expect = {"direction": "right", "collides": [0, 1], "at_rest": [1], "elastic": False}
    cast = cast_of([runs, struck], expect)
    assert inertia(cast).severity == pytest.approx(0.0, abs=0.01)
    path = path_of(cast, 0)
    met = set(np.flatnonzero(path.met_K).tolist())
    assert 6 in met  # the outlines meet at 0.8 s, between the frames 6 and 7
    beside = met | {k + 1 for k in met}
    kept = [part.frames_K.tolist() for part in path.untouched(2, margin=1)]
    assert kept == [[*range(min(beside))], [*range(max(beside) + 1, 16)]]
    assert sum(len(part.frames_K) for part in path.untouched(1)) == 16
    wall = path_of(cast_of([Path(0.2 + 0.35 * T - 0.7 * np.maximum(0, T - 1.0), 0.5)], {}), 0)
    assert not wall.met_K.any()


def test_a_path_over_some_frames_keeps_what_touches_between_them():
    marks = np.array([False, True, False, False, True])
    path = Trajectory(np.arange(5), np.arange(5.0), np.zeros((5, 2)), np.zeros((5, 4)), marks, marks, 0.01)
    some = path.at(np.array([0, 2, 3]))
    assert some.touched_K.tolist() == some.met_K.tolist() == [True, False, False]


def test_a_thing_that_slows_down_is_lawful_unless_it_is_stated_that_nothing_slows_it():
    slowing = Path(0.15 + 0.5 * T - 0.12 * T**2, 0.5)
    with pytest.raises(NotApplicable, match="nothing slows what moves"):
        inertia(cast_of([slowing], {"motion": "right", "ideal": False}))
    assert inertia(cast_of([slowing], {"motion": "right"})).severity > 0.2


def test_a_jump_is_as_long_as_it_is():
    steady = 0.2 + 0.2 * T
    assert continuity(cast_of([Path(steady, 0.5)], {"motion": "right"})).severity < 1e-6
    jumped = Path(steady + np.where(T >= 1.0, 0.2, 0.0), 0.5)
    found = continuity(cast_of([jumped], {"motion": "right"}))
    assert found.severity == pytest.approx(0.2, abs=0.01)
    assert found.first_frame == 8
