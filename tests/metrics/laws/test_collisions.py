"""The mathematics of collisions on known paths: restitution, momentum, overlap, and who moves first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from screentest.metrics import NotApplicable
from screentest.metrics.laws.collisions import causality, energy, momentum, solidity
from screentest.metrics.tracking.role_assignment import RoleAssignment

from .synthetic import BLUE, Path, cast_of, times

T = times()
HEAD_ON = {"collides": [0, 1], "at_rest": [1]}


def collide(
    restitution: float = 0.9,
    *,
    radii: tuple[float, float] = (0.1, 0.12),
    speeds: tuple[float, float] = (0.3, 0.0),
    gain: float = 1.0,
    early: float = 0.0,
    overlap: float = 0.0,
    angle: float = 0.0,
    facts: dict[str, Any] | None = None,
) -> RoleAssignment:
    """Let one ball run into another: by the laws, or off them by ``gain``, ``early`` and ``overlap``."""
    reach = sum(radii) - overlap
    start = np.array([0.15, 0.15 + reach + 0.9 * (speeds[0] - speeds[1])])
    touch = 0.9
    masses = np.array(radii) ** 2
    closing = speeds[0] - speeds[1]
    middle = float(masses @ np.array(speeds)) / masses.sum()
    after = (
        gain * (middle - restitution * closing * masses[1] / masses.sum()),
        gain * (middle + restitution * closing * masses[0] / masses.sum()),
    )
    along = [
        start[k]
        + speeds[k] * np.minimum(T, touch - early * k)
        + after[k] * np.maximum(0, T - touch + early * k)
        for k in (0, 1)
    ]
    turn = np.array([np.cos(angle), np.sin(angle)])
    paths = [
        Path(0.1 * (angle > 0) + 0 * T + turn[0] * way, (0.5 if angle == 0 else 0.1) + turn[1] * way, radius)
        for way, radius in zip(along, radii, strict=True)
    ]
    paths[1].color = BLUE
    return cast_of(paths, HEAD_ON if facts is None else facts)


@pytest.mark.parametrize("restitution", [0.2, 0.6, 1.0])
def test_the_restitution_is_that_of_the_paths(restitution: float):
    found = energy(collide(restitution))
    assert found.evidence["restitution"] == pytest.approx(restitution, abs=0.05)
    assert found.severity < 0.03


def test_parting_faster_than_coming_is_energy_from_nowhere():
    assert energy(collide(1.4)).severity == pytest.approx(0.4, abs=0.1)


def test_of_what_is_stated_to_be_elastic_a_loss_counts_too():
    lossy = {**HEAD_ON, "elastic": True}
    assert energy(collide(0.5, facts=lossy)).severity == pytest.approx(0.5, abs=0.1)
    assert energy(collide(1.0, facts=lossy)).severity < 0.05


@pytest.mark.parametrize(("gain", "severity"), [(1.0, 0.0), (0.5, 0.5), (1.3, 0.3), (0.0, 1.0)])
def test_the_drift_of_momentum_is_its_share(gain: float, severity: float):
    assert momentum(collide(0.8, gain=gain)).severity == pytest.approx(severity, abs=0.07)


def test_momentum_of_two_that_come_towards_each_other_is_measured_by_their_sizes():
    facing = {"speeds": (0.25, -0.2), "facts": {"collides": [0, 1]}}
    assert momentum(collide(0.9, **facing)).severity < 0.05


def test_the_lead_is_the_time_from_setting_off_to_the_touch_less_a_pixel_and_a_half():
    assert causality(collide()).severity == pytest.approx(0.0, abs=0.02)
    for early in (0.2, 0.4):
        unresolved = 1.5 / 64 / 0.3
        assert causality(collide(early=early)).severity == pytest.approx(early - unresolved, abs=0.04)


def test_things_a_pixel_apart_or_into_each_other_only_touch():
    for pixels in (-1.0, 1.0):
        cast = collide(overlap=pixels / 64)
        assert solidity(cast).severity < 0.03
        assert causality(cast).severity < 0.03


def test_a_gap_that_no_viewer_sees_is_as_wide_in_a_larger_frame():
    """Twice as large, it is a 64th of the side and not a pixel; outlines are known to half a pixel."""
    for scale, gap in ((1, 1.5 / 64), (2, 1.25 / 64)):
        cast = collide(early=0.4)
        tracks = cast.tracks
        pixels = ("position_NT2", "box_NT4", "center_NT2", "whole_NT4")
        larger = {name: (getattr(tracks, name) + 0.5) * scale - 0.5 for name in pixels}
        size = {"height": scale * tracks.height, "width": scale * tracks.width}
        grown = replace(tracks, **larger, **size, area_NT=scale**2 * tracks.area_NT)
        assert causality(replace(cast, tracks=grown)).severity == pytest.approx(0.4 - gap / 0.3, abs=0.012)


def test_two_things_in_one_outline_say_nothing_of_where_either_is():
    """For two frames at the touch, the struck thing's outline holds both."""
    cast = collide()
    lawful = causality(cast).severity
    tracks = cast.tracks
    joined = np.flatnonzero(T >= 0.85)[:2]
    places = {
        name: np.array(getattr(tracks, name))
        for name in ("position_NT2", "center_NT2", "box_NT4", "whole_NT4")
    }
    area, visible = np.array(tracks.area_NT), np.array(tracks.visible_NT)
    for t in joined:
        for name in ("position_NT2", "center_NT2"):
            places[name][1, t] = tracks.center_NT2[:, t].mean(axis=0)
        for name in ("box_NT4", "whole_NT4"):
            boxes = getattr(tracks, name)[:, t]
            places[name][1, t] = (*boxes[:, :2].min(axis=0), *boxes[:, 2:].max(axis=0))
        area[1, t] = tracks.area_NT[:, t].sum()
        for name in places:
            places[name][0, t] = np.nan
        area[0, t], visible[0, t] = np.nan, 0.0
    merged = replace(tracks, **places, area_NT=area, visible_NT=visible)
    assert lawful < 0.02
    assert causality(replace(cast, tracks=merged)).severity < 0.02


def test_an_overlap_is_measured_by_the_smaller_radius():
    assert solidity(collide()).severity < 0.02
    assert solidity(collide(overlap=0.06)).severity == pytest.approx((0.06 - 1 / 64) / 0.1, abs=0.08)


def test_a_disc_reaches_as_far_in_every_direction():
    for angle in (0.0, np.radians(11.0), np.radians(30.0)):
        assert solidity(collide(angle=float(angle), speeds=(0.25, 0.0))).severity < 0.03


def test_a_target_that_moves_from_the_beginning_is_no_effect_before_its_cause():
    chased = collide(speeds=(0.3, 0.1), facts={"collides": [0, 1]})
    with pytest.raises(NotApplicable, match="moves from the beginning, and is not stated to rest"):
        causality(chased)
    assert solidity(chased).severity < 0.03
    stated = collide(speeds=(0.3, 0.1), facts=HEAD_ON)
    assert causality(stated).severity > 0.3


def test_a_glancing_hit_is_left_alone():
    reach, beside = 0.22, 0.15
    touch = (0.6 - np.sqrt(reach**2 - beside**2) - 0.15) / 0.3
    late = np.maximum(0, T - touch)
    one = Path(0.15 + 0.3 * np.minimum(T, touch) + 0.2 * late, 0.5 - 0.12 * late, 0.1)
    two = Path(0.6 + 0.1 * late, 0.5 + beside + 0.1 * late, 0.12, BLUE)
    for law in (energy, momentum, causality, solidity):
        with pytest.raises(NotApplicable, match="do not meet head on"):
            law(cast_of([one, two], HEAD_ON))


def test_what_is_not_stated_to_be_in_one_plane_may_overlap():
    deep = collide(facts={"collides": [0, 1], "in_depth": True})
    for law in (momentum, causality, solidity):
        with pytest.raises(NotApplicable, match="nothing comes nearer"):
            law(deep)
    with pytest.raises(NotApplicable, match="nothing slows what moves"):
        momentum(collide(facts={**HEAD_ON, "drag": True}))
    with pytest.raises(NotApplicable, match="no collision is expected"):
        solidity(collide(facts={}))
