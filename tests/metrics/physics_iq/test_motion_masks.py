"""Motion masks and how they agree, against a batch computation in NumPy alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as npst
from screentest.harness.core.errors import MediaError
from screentest.metrics.physics_iq.motion_masks import MaskComparison, MotionMasks, to_grid


def block(frames: int, step: int, *, size: int = 48, level: int = 200) -> np.ndarray:
    """A block of 12 x 12 that moves to the right over a grey ground."""
    clip = np.full((frames, size, size, 3), 60, np.uint8)
    for t, frame in enumerate(clip):
        x = 4 + step * t
        frame[18:30, x : x + 12] = level
    return clip


def masks_of(clip: np.ndarray) -> np.ndarray:
    maker = MotionMasks()
    return np.stack([maker.next(frame) for frame in clip])


def test_the_first_frame_and_a_still_clip_show_no_motion():
    assert not masks_of(block(6, 0)).any()
    moving = masks_of(block(6, 3))
    assert not moving[0].any()
    assert all(mask.any() for mask in moving[1:])
    assert set(np.unique(moving)) == {0, 255}


def test_motion_is_marked_where_the_block_is_and_nowhere_else():
    clip = block(8, 4)
    for t, mask in enumerate(masks_of(clip)[1:], start=1):
        rows, columns = np.nonzero(mask)
        assert 12 <= rows.min() <= rows.max() <= 35
        # behind it the running average still holds where it was
        assert columns.max() <= 4 + 4 * t + 12 + 5
        assert mask[24, 4 + 4 * t + 11] == 255  # its leading edge


@pytest.mark.parametrize(("step", "seen"), [(14, False), (16, True)])
def test_the_threshold_is_over_ten_levels_from_the_running_average(step: int, seen: bool):
    """The average takes 0.3 of the step in: 14 is 10 from round(104.2), and 16 is 11 from round(104.8)."""
    clip = np.full((2, 40, 40, 3), 100, np.uint8)
    clip[1] += np.uint8(step)
    assert masks_of(clip)[1].any() == seen


def test_specks_are_opened_away_and_small_holes_are_closed():
    clip = np.full((2, 60, 60, 3), 30, np.uint8)
    clip[1, 5:7, 5:7] = 120  # under the 5 x 5 of the opening, even blurred
    clip[1, 20:50, 20:50] = 220
    clip[1, 34:36, 34:36] = 30  # a hole
    mask = masks_of(clip)[1]
    assert not mask[:15, :15].any()
    assert (mask[22:48, 22:48] == 255).all()


def batch(first: np.ndarray, second: np.ndarray, a: np.ndarray, b: np.ndarray) -> dict[str, float]:
    """The four agreements by their definitions, all frames at once."""

    def iou(x: np.ndarray, y: np.ndarray) -> float:
        union = np.logical_or(x, y).sum()
        return float(np.logical_and(x, y).sum() / union) if union else 1.0

    shares = first.mean(axis=0), second.mean(axis=0)
    larger = np.maximum(*shares).sum()
    return {
        "spatial": iou(first.any(axis=0), second.any(axis=0)),
        "spatiotemporal": float(np.mean([iou(x, y) for x, y in zip(first, second, strict=True)])),
        "weighted_spatial": float(np.minimum(*shares).sum() / larger) if larger else 1.0,
        "mse": float(np.mean((a / 255.0 - b / 255.0) ** 2)),
    }


SHAPE = (4, 3, 5)
masks = npst.arrays(np.bool_, SHAPE)
frames = npst.arrays(np.uint8, (*SHAPE, 3))


@settings(max_examples=60, deadline=None)
@given(first=masks, second=masks, a=frames, b=frames)
def test_the_streaming_agreements_are_those_of_the_definitions(first, second, a, b):
    comparison = MaskComparison()
    for t in range(len(first)):
        comparison.add((first[t], second[t]), (a[t], b[t]))
    expected = batch(first, second, a, b)
    assert vars(comparison.result()) == pytest.approx(expected, abs=1e-12)
    assert comparison.moving == (first.any(), second.any())


def test_a_clip_agrees_with_itself_and_nothing_with_no_frame():
    clip = block(6, 3)
    moving = masks_of(clip) > 0
    comparison = MaskComparison()
    for mask, frame in zip(moving, clip, strict=True):
        comparison.add((mask, mask), (frame, frame))
    assert vars(comparison.result()) == {
        "spatial": 1.0, "spatiotemporal": 1.0, "weighted_spatial": 1.0, "mse": 0.0,
    }  # fmt: skip
    with pytest.raises(MediaError, match="no frame"):
        MaskComparison().result()


def test_weighted_agreement_tells_a_swing_from_a_pass():
    """Two clips that move at the same places, one twice as often: 1 by place, 1/2 by how much."""
    place = np.zeros((2, 4, 4), np.bool_)
    place[:, 1:3, 1:3] = True
    often, once = place.copy(), place.copy()
    once[1] = False
    frame = np.zeros((4, 4, 3), np.uint8)
    comparison = MaskComparison()
    for t in range(2):
        comparison.add((often[t], once[t]), (frame, frame))
    agreement = comparison.result()
    assert (agreement.spatial, agreement.weighted_spatial, agreement.spatiotemporal) == (1.0, 0.5, 0.5)


def test_the_grid_keeps_an_image_of_its_size_and_averages_neighbours():
    image = np.arange(16, dtype=np.uint8).reshape(4, 4) * 10
    assert to_grid(image, (4, 4)) is image
    # At half the size the bilinear sample lies in the middle of four pixels.
    expected = image.reshape(2, 2, 2, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(to_grid(image, (2, 2)), expected, atol=0.5)
