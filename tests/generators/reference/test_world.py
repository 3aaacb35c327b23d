from __future__ import annotations

import itertools

import numpy as np
import pytest
from screentest.generators.reference.reader import read_clip
from screentest.generators.reference.words import still_caption, vocabulary
from screentest.generators.reference.world import (
    COLORS,
    GRAVITY,
    MOTIONS,
    NATIVE_CLIP,
    SHAPES,
    SIZES,
    Truth,
    caption,
    render,
    sample_scene,
    world_clips,
)
from screentest.harness.errors import UsageError
from screentest.harness.keys import seeded_rng
from screentest.harness.suite import ClipSettings


def drawn_centroids(frames: np.ndarray, truth: Truth) -> np.ndarray:
    """Centroids of what differs from the ground, by how much of it there is."""
    ground = np.array(truth.scene.background, float)
    paint = np.array(COLORS[truth.color], float)
    weight = ((frames - ground) @ (paint - ground)) / ((paint - ground) @ (paint - ground))
    ys, xs = np.indices(weight.shape[1:])
    total = weight.sum((1, 2))
    return np.stack([(weight * xs).sum((1, 2)), (weight * ys).sum((1, 2))], 1) / total[:, None]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("clip", [NATIVE_CLIP, ClipSettings(frames=6, height=96, width=128, fps=4)])
def test_the_truth_is_where_the_pixels_are(shape: str, clip: ClipSettings) -> None:
    for size, motion in itertools.product(SIZES, MOTIONS):
        scene = sample_scene(seeded_rng("t", size, motion), clip, shape=shape, size=size, motion=motion)
        frames, truth = render(scene, clip)
        assert frames.shape == (clip.frames, clip.height, clip.width, 3)
        assert frames.dtype == np.uint8
        # A triangle's blunted corners shift its centroid by a fraction of a pixel.
        np.testing.assert_allclose(drawn_centroids(frames, truth), truth.position_T2, atol=0.15)


def test_a_fall_is_a_parabola_of_the_world_s_gravity() -> None:
    for seed in range(5):
        _, truth = render(sample_scene(seeded_rng(seed), motion="fall"))
        bend = np.diff(truth.position_T2[:, 1], 2)
        np.testing.assert_allclose(bend, GRAVITY * 64 / 8**2, rtol=1e-6)
        assert np.ptp(truth.position_T2[:, 0]) == 0


def test_a_bounce_comes_back_up_with_less_speed() -> None:
    _, truth = render(sample_scene(seeded_rng(3), motion="bounce"))
    down, up = truth.velocity_T2[:, 1].max(), -truth.velocity_T2[:, 1].min()
    assert 0.6 * down < up < down


def test_nothing_leaves_the_frame() -> None:
    for _, truth in world_clips(120, "inside"):
        assert truth.position_T2.min() > truth.radius * 0.6
        assert truth.position_T2.max() < 63 - truth.radius * 0.6


def test_a_clip_depends_on_its_seed_and_number_alone() -> None:
    few, more = list(world_clips(3, "a")), list(world_clips(5, "a"))
    for (frames, truth), (again, same) in zip(few, more, strict=False):
        assert (frames == again).all()
        assert (truth.caption, truth.scene) == (same.caption, same.scene)
    other = next(iter(world_clips(1, "b")))
    assert other[1].scene != few[0][1].scene


def test_what_is_given_is_kept_and_moves_nothing_else() -> None:
    free = sample_scene(seeded_rng(1))
    other = next(color for color in COLORS if color != free.color)
    fixed = sample_scene(seeded_rng(1), color=other)
    assert fixed.color == other
    assert (fixed.x, fixed.y, fixed.shape, fixed.motion) == (free.x, free.y, free.shape, free.motion)
    with pytest.raises(UsageError, match="unknown shape 'bal'; did you mean 'ball'"):
        sample_scene(seeded_rng(1), shape="bal")


def test_captions_vary_and_stay_within_the_vocabulary() -> None:
    words, rng = set(vocabulary()), seeded_rng("captions")
    texts = set()
    for shape, motion in itertools.product(SHAPES, MOTIONS):
        scene = sample_scene(rng, shape=shape, motion=motion)
        for _ in range(20):
            texts |= {caption(scene, rng), still_caption(scene, rng)}
            assert {*caption(scene, rng).split(), *still_caption(scene, rng).split()} <= words
    assert len(texts) > 200
    scene = sample_scene(rng, shape="ball", color="red", motion="fall")
    assert caption(scene) == "a red ball falls"
    assert caption(scene, seeded_rng(5)) == caption(scene, seeded_rng(5))


def test_the_reader_reads_the_truth_back() -> None:
    for frames, truth in world_clips(24, "reader"):
        seen = read_clip(frames)
        assert (seen.shape, seen.color, seen.motion) == (truth.shape, truth.color, truth.motion)
        np.testing.assert_allclose(seen.position_T2, truth.position_T2, atol=0.25)


def test_the_reader_says_nothing_of_noise_and_of_nothing() -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (16, 64, 64, 3)).astype(np.uint8)
    empty = np.full((16, 64, 64, 3), 30, np.uint8)
    assert read_clip(empty).color is None
    assert np.isnan(read_clip(empty).position_T2).all()
    assert read_clip(noise).fit < 0.8
    frames, _ = render(sample_scene(rng, motion="stay"))
    blinking = frames.copy()
    blinking[::2] = 30
    assert read_clip(blinking).shape is None
