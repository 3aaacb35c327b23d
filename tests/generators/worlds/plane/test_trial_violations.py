"""Planted violations: what the probes are held against must itself be as it says."""

from __future__ import annotations

import numpy as np
import pytest
from screentest.generators.worlds.plane import NATIVE_CLIP, sample_scene, simulate
from screentest.generators.worlds.plane.trial_scenes import SceneClip, recolored
from screentest.generators.worlds.plane.trial_violations import LAW_VIOLATIONS, break_law, violations_of
from screentest.harness.core.errors import UsageError
from screentest.harness.core.keys import seeded_rng
from screentest.metrics.laws.evaluation import LAWS
from screentest.metrics.validation.looks import DEGRADED, LOOKS, dress


def film(family: str, index: int = 0) -> SceneClip:
    return SceneClip.of(sample_scene(seeded_rng("test of plants", family, index), family=family), NATIVE_CLIP)


def rng(index: int = 0) -> np.random.Generator:
    return seeded_rng("plant", index)


def test_every_law_has_violations_and_families_that_show_it():
    assert set(LAW_VIOLATIONS) == set(LAWS)
    assert all(violations_of(law) for law in LAWS)
    assert ("double", "person") in violations_of("permanence")


@pytest.mark.parametrize("severity", [0.25, 1.0])
def test_momentum_after_a_collision_is_off_by_the_severity(severity: float):
    factors: set[float] = set()
    for index in range(6):
        lawful = film("collision", index)
        broken = break_law(lawful, "momentum", severity, rng(index))
        assert broken is not None
        assert broken.expect == lawful.expect
        masses = np.array([thing.radius**2 for thing in lawful.scene.things])
        touched = min(c.time for c in simulate(lawful.scene).contacts if (c.one, c.two) == (0, 1))
        frame = int(np.ceil((touched + 3 / 128) * NATIVE_CLIP.fps))
        kept, moved = (masses @ simulate(film.scene).velocity_NT2[:, frame, 0] for film in (lawful, broken))
        factors.add(round(moved / kept, 3))
    assert factors == {1 - severity, 1 + severity}


def test_an_intruder_is_there_for_its_share_of_the_frames_and_touches_nothing():
    lawful = film("uniform")
    broken = break_law(lawful, "uninvited", 0.5, rng())
    assert broken is not None
    assert broken.instead is not None
    first, last = broken.cut
    assert last - first == round(0.5 * (NATIVE_CLIP.frames - first))
    apart = (broken.draw() != lawful.draw()).any((1, 2, 3))
    assert np.flatnonzero(apart).tolist() == list(range(first, last))
    more = broken.instead.things[-1]
    assert more.color not in {thing.color for thing in lawful.scene.things}


def test_a_family_that_cannot_show_a_violation_says_so():
    with pytest.raises(UsageError, match="in a scene of the family 'still' nothing meets"):
        break_law(film("still"), "momentum", 0.5, rng())
    with pytest.raises(UsageError, match="cannot break the law 'gravity' visibly"):
        break_law(film("still"), "gravity", 0.5, rng())


def test_looks_change_pixels_and_not_what_happens():
    drawn = film("fall").draw()
    for look in DEGRADED:
        dressed = dress(film("fall"), look, rng())
        assert dressed.dtype == np.uint8
        assert len(dressed) == len(drawn)
        assert dressed.shape == drawn.shape or look == "resized"
        assert np.array_equal(dressed, dress(film("fall"), look, rng()))
    assert np.array_equal(LOOKS["plain"](film("fall"), rng()), drawn)


def test_another_ground_leaves_the_thing_as_it_is():
    lawful = film("uniform")
    changed = dress(lawful, "ground", rng()).astype(int) - lawful.draw()
    x, y = (simulate(lawful.scene).position_NT2[0, 0] * 64).astype(int)
    assert np.abs(changed[0, y, x]).max() <= 1  # in the middle of the thing
    assert np.abs(changed).mean() > 5


def test_colors_stay_apart_and_a_palette_may_be_too_small():
    scene = sample_scene(seeded_rng("colors"), family="collision")
    again = recolored(scene, ("yellow", "purple"), rng())
    assert {thing.color for thing in again.things} == {"yellow", "purple"}
    with pytest.raises(ValueError, match="2 colors cannot be told apart by a palette of 1"):
        recolored(scene, ("yellow",), rng())
