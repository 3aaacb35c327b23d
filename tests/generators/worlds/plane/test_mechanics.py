from __future__ import annotations

import math

import numpy as np
import pytest
from screentest.generators.worlds.plane import (
    GRAVITY,
    NATIVE_CLIP,
    NATIVE_CLIPS,
    fits,
    sample_scene,
    simulate,
)
from screentest.generators.worlds.plane.mechanics import Course
from screentest.generators.worlds.plane.scene import Camera, Push, Scene, Thing, duration
from screentest.harness.core.items import ClipSettings
from screentest.harness.core.keys import seeded_rng

LONG = NATIVE_CLIPS[2]
TIMES = np.arange(NATIVE_CLIP.frames) / NATIVE_CLIP.fps
SUBSTEP = 1 / 128
MEETING = [("collision", clip) for clip in NATIVE_CLIPS if fits("collision", clip)] + [
    ("block", clip) for clip in NATIVE_CLIPS if fits("block", clip)
]


def mass(thing: Thing) -> float:
    return thing.radius**2


def drawn(family: str, seed: int, clip: ClipSettings = NATIVE_CLIP, **asked: str) -> tuple[Scene, Course]:
    scene = sample_scene(seeded_rng("mechanics", family, seed), clip, family=family, **asked)
    return scene, simulate(scene, clip)


def flight(thing: Thing, gravity: float) -> np.ndarray:
    """Places on the parabola of a thing that nothing touches: steps of 1/128 s bend it a little."""
    x = thing.x + thing.vx * TIMES
    y = thing.y + thing.vy * TIMES + 0.5 * gravity * TIMES * (TIMES - SUBSTEP)
    return np.stack([x, y], axis=1)


def test_a_fall_is_the_parabola_of_the_world_s_gravity() -> None:
    for seed in range(8):
        scene, course = drawn("fall", seed, motion="fall")
        assert not course.contacts
        np.testing.assert_allclose(course.position_NT2[0], flight(scene.subject, GRAVITY), atol=1e-9)
        np.testing.assert_allclose(
            course.velocity_NT2[0, :, 1], scene.subject.vy + GRAVITY * TIMES, atol=1e-9
        )


def test_a_throw_is_a_parabola_until_it_lands() -> None:
    for seed in range(8):
        scene, course = drawn("projectile", seed)
        landed = course.contacts[0].time if course.contacts else math.inf
        flying = landed >= TIMES
        assert flying.sum() > 12
        np.testing.assert_allclose(
            course.position_NT2[0][flying], flight(scene.subject, GRAVITY)[flying], atol=1e-9
        )


def test_a_bounce_keeps_the_share_of_its_speed_that_is_its_elasticity() -> None:
    for seed in range(8):
        scene, course = drawn("fall", seed, motion="bounce")
        thing, y, vy = scene.subject, course.position_NT2[0, :, 1], course.velocity_NT2[0, :, 1]
        # The speed at the floor from the energy before, and from the energy after.
        floor = 1 - thing.reach[3]
        came = math.sqrt(thing.vy**2 + 2 * GRAVITY * (floor - thing.y))
        after = int(np.argmax(vy < 0))
        left = math.sqrt(vy[after] ** 2 + 2 * GRAVITY * (floor - y[after]))
        assert left / came == pytest.approx(thing.elasticity, abs=0.02)
        assert (course.position_NT2[0, :, 0] == thing.x).all()
        assert y.max() < floor + 0.006


@pytest.mark.parametrize(("family", "clip"), MEETING)
def test_collisions_keep_momentum_and_never_gain_speed(family: str, clip: ClipSettings) -> None:
    for seed in range(6):
        scene, course = drawn(family, seed, clip)
        one, two = scene.things
        contact = next(c for c in course.contacts if (c.one, c.two) == (0, 1))
        assert 0.3 * duration(clip) < contact.time < 0.6 * duration(clip)
        times = np.arange(clip.frames) / clip.fps
        before = times <= contact.time
        edge = min((c.time for c in course.contacts if c.one == -1), default=math.inf)
        after = (times > contact.time + 2 * SUBSTEP) & (times <= edge)
        v = course.velocity_NT2
        assert (v[1, before] == 0).all()  # nothing moves before it is touched
        np.testing.assert_array_equal(
            course.position_NT2[1, before], course.position_NT2[1, [0] * before.sum()]
        )
        np.testing.assert_allclose(v[0, before, 0], one.vx, rtol=1e-12)
        momentum = mass(one) * v[0, after, 0] + mass(two) * v[1, after, 0]
        np.testing.assert_allclose(momentum, mass(one) * one.vx, rtol=1e-6)
        restitution = (v[1, after, 0] - v[0, after, 0]) / one.vx
        np.testing.assert_allclose(restitution, one.elasticity * two.elasticity, rtol=1e-3)
        # The two never sink into one another by more than one substep's way.
        gap = np.abs(course.position_NT2[0, :, 0] - course.position_NT2[1, :, 0])
        touch = one.reach[2] + two.reach[0] if one.vx > 0 else one.reach[0] + two.reach[2]
        assert gap.min() > touch - abs(one.vx) * SUBSTEP - 0.001


def test_an_elastic_collision_of_equals_swaps_their_velocities() -> None:
    things = (
        Thing("shape", "ball", "red", "small", 0.1, 0.1, 0.5, vx=0.3, elasticity=1.0),
        Thing("shape", "ball", "blue", "small", 0.1, 0.5, 0.5, elasticity=1.0),
    )
    course = simulate(Scene("collision", things))
    np.testing.assert_allclose(course.velocity_NT2[:, -1, 0], [0, 0.3], atol=1e-9)
    assert course.contacts[0].time == pytest.approx(0.2 / 0.3, abs=2 * SUBSTEP)


def test_mirrored_scenes_go_mirrored() -> None:
    thing = Thing("shape", "triangle", "red", "small", 0.12, 0.3, 0.3, vx=0.25, vy=0.1)
    mirror = Thing("shape", "triangle", "red", "small", 0.12, 0.7, 0.3, vx=-0.25, vy=0.1)
    a, b = (simulate(Scene("x", (t,), gravity=GRAVITY), LONG).position_NT2[0] for t in (thing, mirror))
    np.testing.assert_allclose(a[:, 0], 1 - b[:, 0], atol=1e-9)
    np.testing.assert_allclose(a[:, 1], b[:, 1], atol=1e-9)


def test_things_that_are_not_solid_pass_through_all_and_fall_never() -> None:
    ghost = Thing("shape", "ball", "red", "small", 0.1, 0.2, 0.5, vx=0.5, solid=False)
    other = Thing("shape", "ball", "blue", "small", 0.1, 0.6, 0.5)
    course = simulate(Scene("x", (ghost, other), gravity=GRAVITY))
    np.testing.assert_allclose(
        course.position_NT2[0], np.stack([0.2 + 0.5 * TIMES, 0 * TIMES + 0.5], 1), atol=1e-9
    )
    np.testing.assert_allclose(course.velocity_NT2[1, :9, 1], GRAVITY * TIMES[:9], atol=1e-9)
    assert all(-1 in (c.one, c.two) for c in course.contacts)


@pytest.mark.parametrize("fps", [8.0, 7.5, 12.0, 24.0, 30.0])
def test_a_push_comes_once_and_in_time_at_any_rate(fps: float) -> None:
    """Its frame is in the middle of the clip, a time that is no sum of substeps at most rates."""
    clip = ClipSettings(frames=31, height=64, width=64, fps=fps)
    at = 15 / fps
    thing = Thing("shape", "ball", "red", "small", 0.1, 0.2, 0.5, solid=False, pushes=(Push(at, 0.1, 0.0),))
    course = simulate(Scene("order", (thing,)), clip)
    expected = 0.2 + 0.1 * np.maximum(np.arange(31) / fps - at, 0)
    np.testing.assert_allclose(course.position_NT2[0, :, 0], expected, atol=1e-9)


def test_the_order_of_two_motions() -> None:
    for seed in range(5):
        _, course = drawn("order", seed)
        half = duration(NATIVE_CLIP) / 2
        first, second = course.velocity_NT2[:, :, 0]
        assert (first[half + SUBSTEP > TIMES][:-1] != 0).all()
        assert (first[half < TIMES] == 0).all()
        assert (second[half > TIMES] == 0).all()
        assert (second[half < TIMES] != 0).all()


def test_a_world_that_a_camera_passes_over_has_no_edge() -> None:
    thing = Thing("shape", "ball", "red", "small", 0.1, 0.8, 0.5, vx=0.4)
    course = simulate(Scene("camera", (thing,), camera=Camera(vx=0.3), dots=((0.1, 0.1),)))
    assert course.position_NT2[0, -1, 0] == pytest.approx(0.8 + 0.4 * duration(NATIVE_CLIP))
    assert not course.contacts


def test_an_empty_scene_has_an_empty_course() -> None:
    course = simulate(Scene("hazard", ()))
    assert course.position_NT2.shape == (0, 16, 2)
    assert course.contacts == ()
