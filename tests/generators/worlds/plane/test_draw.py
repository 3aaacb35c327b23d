from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from numpy.typing import NDArray
from screentest.generators.worlds.plane import (
    COLORS,
    FAMILIES,
    HAZARD,
    NATIVE_CLIP,
    NATIVE_CLIPS,
    SHAPES,
    SIZES,
    Truth,
    coverage,
    fits,
    render,
    sample_scene,
)
from screentest.generators.worlds.plane.glyphs import BITE, CLOTHES
from screentest.generators.worlds.plane.scene import OUTLINES, Scene, Thing
from screentest.generators.worlds.plane.words import GRAY, OCCUPATIONS, TONES
from screentest.harness.core.items import ClipSettings
from screentest.harness.core.keys import seeded_rng

SINGLE = [
    (family, clip)
    for family in ("uniform", "fall", "still", "projectile")
    for clip in NATIVE_CLIPS
    if fits(family, clip)
]
Floats = NDArray[np.float64]


def drawn(family: str, seed: int, clip: ClipSettings = NATIVE_CLIP, **asked: str) -> tuple[Floats, Truth]:
    scene = sample_scene(seeded_rng("draw", family, seed), clip, family=family, **asked)
    frames, truth = render(scene, clip)
    assert frames.shape == (clip.frames, clip.height, clip.width, 3)
    assert frames.dtype == np.uint8
    return frames.astype(float), truth


def share_of(paint: tuple[int, int, int], frames: Floats, truth: Truth) -> Floats:
    """How much of each pixel (T, H, W) is of a paint, where there is else only ground."""
    ground = np.array(truth.scene.background, float)
    over = np.array(paint, float) - ground
    return (frames - ground) @ over / (over @ over)


def centroids(weight_THW: Floats) -> Floats:
    ys, xs = np.indices(weight_THW.shape[1:])
    total = weight_THW.sum((1, 2))
    return np.stack([(weight_THW * xs).sum((1, 2)), (weight_THW * ys).sum((1, 2))], axis=1) / total[:, None]


def area(shape: str, radius: float) -> float:
    """By the shoelace formula."""
    if shape not in OUTLINES:
        return math.pi * radius**2
    x, y = np.array(OUTLINES[shape]).T * radius
    return 0.5 * abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1)))


@pytest.mark.parametrize(("family", "clip"), SINGLE)
def test_the_truth_is_where_and_as_large_as_the_pixels_are(family: str, clip: ClipSettings) -> None:
    for seed, (shape, size) in enumerate(itertools.product(SHAPES, SIZES)):
        asked = {"shape": shape} if family == "projectile" else {"shape": shape, "size": size}
        frames, truth = drawn(family, seed, clip, **asked)
        weight = share_of(COLORS[truth.scene.color], frames, truth)
        whole = truth.visible_NT[0] == 1  # a thing that lands is for a frame a little below the edge
        assert truth.visible_NT.min() > 0.95
        assert whole.sum() >= clip.frames - 2
        np.testing.assert_allclose(centroids(weight)[whole], truth.position_T2[whole], atol=0.05)
        # A signed distance rounds corners, by 1 % of the area at most.
        np.testing.assert_allclose(weight.sum((1, 2))[whole], area(shape, truth.radius), rtol=0.015)


def test_two_things_are_where_the_truth_says() -> None:
    for family in ("collision", "relation", "order", "count"):
        frames, truth = drawn(family, 1)
        for number, thing in enumerate(truth.scene.things):
            (x, y), reach = truth.position_NT2[number, 0], 1.4 * truth.radius_NT[number, 0] + 1
            ys, xs = np.indices(frames.shape[1:3])
            near = (abs(xs - x) < reach) & (abs(ys - y) < reach)
            weight = share_of(COLORS[thing.color], frames[:1], truth) * near
            np.testing.assert_allclose(centroids(weight)[0], (x, y), atol=0.05)


@pytest.mark.parametrize("camera", ["pan-left", "pan-right", "zoom-in", "zoom-out"])
def test_the_camera_moves_what_is_seen_and_its_path_is_told(camera: str) -> None:
    frames, truth = drawn("camera", 2, camera=camera)
    # The dots are gray and faint beside the shape's paint.
    weight = share_of(COLORS[truth.scene.color], frames, truth)
    weight = np.where(weight > 0.55, weight, 0)
    np.testing.assert_allclose(centroids(weight), truth.position_T2, atol=0.35)
    corner, zoom = truth.camera_T3[:, :2], truth.camera_T3[:, 2:]
    thing, middle = truth.scene.subject, np.array([32.0, 32.0])
    place = (64 * np.array([thing.x, thing.y]) - corner - middle) * zoom + middle - 0.5
    np.testing.assert_allclose(truth.position_T2, place, atol=1e-9)
    np.testing.assert_allclose(truth.radius_NT[0], 64 * thing.radius * zoom[:, 0])
    moved = truth.position_T2[-1] - truth.position_T2[0]
    if camera.startswith("pan"):
        assert moved[0] * (1 if camera == "pan-left" else -1) > 15
    else:
        assert (zoom[-1, 0] > 1.5) == (camera == "zoom-in")
    assert (truth.velocity_NT2 == 0).all()


def test_what_is_behind_the_wall_is_not_seen() -> None:
    for seed, clip in enumerate((NATIVE_CLIP, NATIVE_CLIPS[2], NATIVE_CLIPS[3])):
        frames, truth = drawn("occluder", seed, clip, color=("red", "green", "yellow")[seed])
        thing = truth.scene.subject
        # The subject's own hue: neither the ground nor the wall has any.
        own = np.array(COLORS[thing.color], float)
        hue = own - own.mean()
        ground = np.array(truth.scene.background, float)
        weight = (frames - ground) @ hue / ((own - ground) @ hue)
        wall = (np.array(GRAY, float) - ground) @ hue / ((own - ground) @ hue)
        seen = np.where(np.abs(weight - wall) > 0.05, weight, 0).sum((1, 2)) / area(thing.shape, truth.radius)
        np.testing.assert_allclose(truth.visible_NT[0], seen, atol=0.06)
        assert truth.visible_NT[0].min() < 0.01
        assert truth.visible_NT[0, [0, -1]].min() > 0.99


def test_a_thing_that_leaves_the_frame_is_seen_as_far_as_it_is_in_it() -> None:
    ball = Thing("shape", "ball", "red", "small", 0.125, 0.5, 0.5, vx=0.5, vy=0.0, solid=False)
    frames, truth = render(Scene("x", (ball,), {"motion": "right"}))
    weight = share_of(COLORS["red"], frames.astype(float), truth).sum((1, 2))
    np.testing.assert_allclose(truth.visible_NT[0], weight / weight[0], atol=0.01)
    assert truth.visible_NT[0, 0] == 1
    assert truth.visible_NT[0, -1] == 0


def lens(r: float, big: float, d: float) -> float:
    """Area that two discs share."""
    one = r * r * math.acos((d * d + r * r - big * big) / (2 * d * r))
    two = big * big * math.acos((d * d + big * big - r * r) / (2 * d * big))
    root = (-d + r + big) * (d + r - big) * (d - r + big) * (d + r + big)
    return one + two - 0.5 * math.sqrt(root)


def test_a_bite_takes_its_part_of_the_biscuit_and_stays() -> None:
    for seed in range(4):
        frames, truth = drawn("biscuit", seed)
        ground = np.array(truth.scene.background, float)
        there = (np.abs(frames - ground).max(-1) > 25).sum((1, 2))
        bitten = np.arange(16) / 8 >= truth.scene.subject.bite
        assert 0 < bitten.sum() < 16
        assert (there[~bitten] == there[0]).all()
        assert (there[bitten] == there[-1]).all()
        radius = truth.radius
        taken = lens(BITE * radius, radius, 1.05 * radius) / (math.pi * radius**2)
        assert 1 - there[-1] / there[0] == pytest.approx(taken, abs=0.03)


def test_people_are_painted_as_they_are() -> None:
    for index, (occupation, tone) in enumerate(itertools.product(OCCUPATIONS, TONES)):
        clip = NATIVE_CLIPS[index % 5]
        frames, truth = drawn("person", index, clip, occupation=occupation, tone=tone)
        (x, y), radius = truth.position_T2[0], truth.radius
        face = frames[:, round(y - 0.5 * radius), round(x)]
        clothes = frames[:, round(y + 0.4 * radius), round(x)]
        assert (face == TONES[tone]).all()
        assert (clothes == CLOTHES[occupation]).all()
        moved = np.ptp(frames, axis=0).max(-1) > 20  # the hand, and nothing else
        assert moved.any()
        assert np.abs(np.nonzero(moved)[1] - (x + 0.62 * radius)).max() < 0.13 * radius + 1.5


def test_the_hazard_sign_is_a_pink_disc_with_a_dark_cross() -> None:
    frames, truth = drawn("hazard", 0, motion="stay")
    x, y = np.rint(truth.position_T2[0]).astype(int)
    assert (frames[:, y, x] == (14, 14, 16)).all()
    beside = round(0.75 * truth.radius)
    assert (frames[:, y, x + beside] == HAZARD).all()
    assert (frames[:, y - beside, x] == HAZARD).all()


@pytest.mark.parametrize("family", FAMILIES)
def test_the_ground_is_plain_and_the_same_clip_comes_again(family: str) -> None:
    frames, truth = drawn(family, 3)
    again, same = drawn(family, 3)
    assert (frames == again).all()
    assert same.to_json() == truth.to_json()
    assert (frames == truth.scene.background).all(-1).mean() > (
        0.6 if family in ("person", "occluder") else 0.7
    )


def test_an_empty_scene_is_ground_alone() -> None:
    frames, truth = render(Scene("hazard", (), {"motion": "left"}, background=(30, 20, 25)))
    assert (frames == (30, 20, 25)).all()
    assert truth.position_NT2.shape == (0, 16, 2)
    assert truth.visible_NT.shape == (0, 16)
    assert truth.caption == "a hazard sign moves left"
    assert truth.to_json()["expect"] == {"objects": []}


def test_coverage_is_a_share_and_exact_on_straight_edges() -> None:
    offsets = np.arange(-12.0, 13.0)
    dx, dy = offsets[None, :] + 0.3, offsets[:, None] - 0.2
    for shape in (*SHAPES, "block", "wall"):
        cover = coverage(shape, dx, dy, 3.0)
        assert cover.min() == 0
        assert cover.max() == 1
    square = coverage("square", dx, dy, 5.0)
    assert square.sum() == pytest.approx((2 * 0.886 * 5) ** 2, rel=0.005)
