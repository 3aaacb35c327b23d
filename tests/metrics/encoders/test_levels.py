"""The encoder ``levels`` against its definition."""

import numpy as np
import pytest
from screentest.metrics.encoders.levels import LEVELS_COLUMNS, LevelsEncoder


@pytest.mark.parametrize(("height", "width"), [(1, 1), (7, 5), (64, 96)])
@pytest.mark.parametrize(("low", "high"), [(0, 256), (0, 4), (120, 122), (200, 256)])
def test_levels_are_what_they_say(height: int, width: int, low: int, high: int):
    rng = np.random.default_rng(height + low)
    frames_THWC = rng.integers(low, high, (3, height, width, 3)).astype(np.uint8)
    told = LevelsEncoder().encode_frames(frames_THWC)
    assert told.shape == (3, len(LEVELS_COLUMNS))
    assert told.dtype == np.float64
    pixels_TNC = frames_THWC.reshape(3, -1, 3).astype(np.float64)
    expected = np.column_stack(
        [
            pixels_TNC.mean(axis=(1, 2)),
            pixels_TNC.std(axis=1).max(axis=1),
            ((pixels_TNC <= 3) | (pixels_TNC >= 252)).mean(axis=(1, 2)),
            (np.ptp(pixels_TNC, axis=2) > 128).mean(axis=1),
            pixels_TNC.mean(axis=1),
        ]
    )
    np.testing.assert_allclose(told, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "shape", [(1, 1, 1, 3), (5, 3, 100, 3), (16, 64, 64, 3), (1, 150, 150, 3), (11, 90, 160, 3)]
)
def test_squares_are_added_pixel_by_pixel_so_that_no_bit_depends_on_the_block(shape: tuple[int, ...]):
    rng = np.random.default_rng(shape[1])
    frames_THWC = rng.integers(0, 256, shape).astype(np.uint8)
    told = LevelsEncoder().encode_frames(frames_THWC)
    for row, frame_HWC in zip(told, frames_THWC, strict=True):
        pixels = frame_HWC.shape[0] * frame_HWC.shape[1]
        spreads = []
        for plane in frame_HWC.reshape(-1, 3).T:
            squares = np.square(plane - int(plane.sum()) / pixels)
            spreads.append(np.sqrt(np.add.accumulate(squares)[-1] / pixels))
        assert row[1] == max(spreads)
        assert np.array_equal(row, LevelsEncoder().encode_frames(frame_HWC[None])[0])


def test_one_color_has_no_spread_at_all():
    frames_THWC = np.full((1, 36, 64, 3), (255, 100, 0), np.uint8)
    expected = [355 / 3, 0.0, 2 / 3, 1.0, 255.0, 100.0, 0.0]
    np.testing.assert_array_equal(LevelsEncoder().encode_frames(frames_THWC), [expected])


def test_no_frames_give_no_rows():
    assert LevelsEncoder().encode_frames(np.zeros((0, 4, 4, 3), np.uint8)).shape == (0, len(LEVELS_COLUMNS))
