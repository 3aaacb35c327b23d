"""The mechanics of the stage keep the laws, and each violation breaks its own."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
from screentest.generators.worlds.registry import find_world
from screentest.harness.core.errors import UsageError
from screentest.harness.core.items import ClipSettings
from screentest.harness.core.keys import seeded_rng

if find_spec("mujoco") is None:
    pytest.skip("the world 'stage' needs the extra stage (MuJoCo)", allow_module_level=True)

from screentest.generators.worlds.stage import BREAKABLE, FAMILIES, LAWS, Scene, sample_scene, violate
from screentest.generators.worlds.stage.mechanics import simulate
from screentest.generators.worlds.stage.scene import Look
from screentest.generators.worlds.stage.truth import expectation, truth_of
from screentest.metrics.expectation import read_expectation

CLIP = ClipSettings(frames=20, height=64, width=64, fps=10.0)


def scene_of(family: str, seed: int = 0) -> Scene:
    scene = sample_scene(seeded_rng("test stage", family, seed), CLIP, family)
    return replace(scene, look=Look())


def test_a_fall_is_free_and_its_gravity_is_stated_in_sides():
    scene = scene_of("fall")
    truth = truth_of(scene, CLIP, "", None)
    before = next(contact.time for contact in truth.contacts if contact.two is None)
    times = np.arange(CLIP.frames) / CLIP.fps
    free = times < before
    fit = np.polyfit(times[free], truth.position_NT2[0, free, 1] / 64, 2)
    assert 2 * fit[0] == pytest.approx(truth.expect["gravity"], rel=0.01)
    assert truth.expect["motion"] == "bounce"


def test_a_ball_that_bounces_keeps_the_share_of_its_speed():
    scene = scene_of("fall")
    body = replace(scene.bodies[0], springy=0.7)
    course = simulate(replace(scene, bodies=(body,)), CLIP.model_copy(update={"fps": 100.0, "frames": 200}))
    speed = course.velocity_NS3[0, :, 2]
    hit = int(speed.argmin())
    assert speed.max() / -speed[hit] == pytest.approx(0.7, abs=0.04)


def test_a_collision_keeps_momentum_and_gains_no_energy():
    for seed in range(3):
        scene = scene_of("collision", seed)
        course = simulate(scene, CLIP)
        start, end = course.velocity_NS3[:2, 0, 0], course.velocity_NS3[:2, -1, 0]
        assert end.sum() == pytest.approx(start.sum(), rel=0.02)
        assert 0.3 < (end[1] - end[0]) / (start[0] - start[1]) < 1.0
        assert next((c.one, c.two) for c in course.contacts if c.two is not None) == (0, 1)


def test_friction_and_drag_slow_and_a_glide_is_not_slowed():
    glide, slide, drag = (simulate(scene_of(f), CLIP).velocity_NS3[0] for f in ("glide", "friction", "drag"))
    assert glide[-1, 0] == pytest.approx(glide[0, 0], rel=1e-3)
    assert abs(slide[-1, 0]) < 0.02 * abs(slide[0, 0])
    assert np.abs(drag[:, 2]).max() < 9.81 / 2 + 0.3  # below its final speed


def test_every_family_says_what_to_expect_and_has_all_its_words():
    for family in FAMILIES:
        scene = scene_of(family)
        read_expectation(expectation(scene, CLIP))
        course = simulate(scene, CLIP)
        assert np.isfinite(course.place_NS3).all()
        assert (course.place_NS3[0, :, 2] > 0).all()  # nothing falls through the floor


def test_a_crowd_has_one_to_six_things_and_of_six_none_has_the_color_of_another():
    crowds = [scene_of("crowd", seed) for seed in range(40)]
    assert {len(scene.bodies) for scene in crowds} == {1, 2, 3, 4, 5, 6}
    assert all((scene.spare is None) == (len(scene.bodies) == 6) for scene in crowds)
    six = next(scene for scene in crowds if len(scene.bodies) == 6)
    assert len({body.color for body in six.bodies}) == 6
    assert len(truth_of(six, CLIP, "", None).place_NT3) == 6


@pytest.mark.parametrize(
    ("law", "family"), [(law, f) for law in LAWS for f, can in BREAKABLE.items() if law in can][::3]
)
def test_a_violation_differs_from_its_twin_from_its_first_fault_on(law: str, family: str):
    scene = scene_of(family)
    if law == "shadow":
        scene = replace(scene, light=replace(scene.light, shadows=True))
    broken = violate(scene, law, 0.5, seeded_rng("test", law, family), CLIP)
    assert broken.lawful() == scene
    truth = truth_of(broken, CLIP, "", None)
    fault = truth.first_fault
    assert fault is not None
    assert broken.violation is not None
    if law not in (
        "warp",
        "energy",
        "momentum",
        "causality",
        "solidity",
        "merge",
    ):  # whose time is that of the contact
        assert abs(fault - broken.violation.time * CLIP.fps) <= 2


def test_each_violation_breaks_its_own_law():
    lawful = scene_of("collision")

    def course(law: str, severity: float = 0.5, scene: Scene = lawful):
        return simulate(violate(scene, law, severity, seeded_rng("own", law), CLIP), CLIP)

    kept = simulate(lawful, CLIP)
    one, two = course("energy").velocity_NS3[:2, -1, 0]
    start = kept.velocity_NS3[0, 0, 0]
    assert (two - one) / start == pytest.approx(1.3, abs=0.02)
    assert one + two == pytest.approx(start, rel=0.02)
    after = course("momentum").velocity_NS3[:2, -1, 0].sum() / start
    assert min(abs(after - 0.5), abs(after - 1.5)) < 0.03
    apart = [np.abs(c.place_NS3[0, :, 0] - c.place_NS3[1, :, 0]).min() for c in (kept, course("solidity"))]
    assert apart[1] < apart[0] - 0.3 * lawful.bodies[0].half[0]
    early = course("causality")
    moves = [int((np.abs(c.velocity_NS3[1, :, 0]) > 0.05).argmax()) for c in (early, kept)]
    assert moves[1] - moves[0] in (3, 4)  # 0.375 seconds at 10 frames a second
    flying = scene_of("throw")
    height = [c.place_NS3[0, :, 2] for c in (simulate(flying, CLIP), course("gravity", 1.0, flying))]
    assert np.abs(height[0] - height[1]).max() > 0.2
    gone = course("vanish", 0.5, scene_of("glide")).shown_NS[0]
    assert 0.1 < 1 - gone.mean() < 0.5


def test_two_that_merge_go_on_as_one_and_one_that_splits_as_two_with_the_motion_that_they_had():
    scene = scene_of("collision")
    kept = simulate(scene, CLIP)
    whole, half = (simulate(violate(scene, "merge", s, seeded_rng(0), CLIP), CLIP) for s in (1.0, 0.5))
    gap = [np.linalg.norm(c.place_NS3[0, -1, :2] - c.place_NS3[1, -1, :2]) for c in (whole, half)]
    touching = scene.bodies[0].half[0] + scene.bodies[1].half[0]
    assert gap[0] < 1e-6
    assert gap[1] == pytest.approx(0.5 * touching, rel=0.05)
    assert not whole.shown_NS[1, -1]
    assert half.shown_NS[1].all()
    middle = [c.place_NS3[:2, :, 0].mean(axis=0) for c in (kept, whole)]
    np.testing.assert_allclose(middle[0], middle[1], atol=0.02)
    assert whole.scale_NS3[0, -1, 0] == pytest.approx(2 ** (1 / 3))
    alone = scene_of("glide")
    broken = violate(alone, "split", 0.5, seeded_rng(0), CLIP)
    kept, parted = simulate(alone, CLIP), simulate(broken, CLIP)
    volume = parted.scale_NS3[[0, -1], -1].prod(axis=1)
    np.testing.assert_allclose(volume, (0.75, 0.25), rtol=1e-6)
    assert parted.shown_NS[-1].any()
    assert not kept.shown_NS[-1].any()
    shown = parted.shown_NS[-1]
    np.testing.assert_allclose(
        volume @ parted.place_NS3[[0, -1]][:, shown, 0], kept.place_NS3[0, shown, 0], atol=1e-6
    )
    assert broken.all_bodies[-1] == alone.bodies[0]


def test_the_facts_of_a_family_hold_in_its_scenes():
    stage = find_world("stage")
    for family in FAMILIES:
        expect = expectation(scene_of(family), CLIP)
        known = dict(stage.facts(family, {}))
        moves = scene_of(family).camera.move
        assert known.pop("camera", None) == ("still" if moves == "still" else None)
        assert {key: expect.get(key) for key in known} == known
        for key in ("in_depth", "drag", "constant_light"):
            assert (key in known) == (key in expect), family


def test_wrong_requests_get_one_sentence():
    for refused in (
        lambda: find_world("stage").skill_clip("relation", "fall", (), 0),
        lambda: find_world("stage").fault_clip("mirror", "fall", (), 0),
    ):
        with pytest.raises(UsageError, match="the world 'stage' has no clips of the"):
            refused()
    scene = scene_of("glide")
    with pytest.raises(UsageError, match="did you mean 'glide'"):
        sample_scene(seeded_rng(0), CLIP, "glyde")
    with pytest.raises(UsageError, match="cannot show the violation 'heal'; it can show inertia"):
        violate(scene, "heal", 0.5, seeded_rng(0), CLIP)
    with pytest.raises(UsageError, match="severity 2 is outside"):
        violate(scene, "inertia", 2, seeded_rng(0), CLIP)
    with pytest.raises(UsageError, match=r"needs 10 frames and 1 second; this clip has 8 frames"):
        sample_scene(seeded_rng(0), ClipSettings(frames=8, height=64, width=64, fps=8), "fall")
    with pytest.raises(UsageError, match="did you mean"):
        sample_scene(seeded_rng(0), CLIP, "fall", {"floor": "brick"})
