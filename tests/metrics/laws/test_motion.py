"""The mathematics of gravity, inertia and continuity on paths that are known."""

from __future__ import annotations

import numpy as np
import pytest
from screentest.metrics import NotApplicable
from screentest.metrics.laws.motion import bounce, continuity, gravity, inertia

from .synthetic import Path, cast_of, times

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
