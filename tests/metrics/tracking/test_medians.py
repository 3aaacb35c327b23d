"""Medians and sums have the bits of numpy's."""

from __future__ import annotations

import numpy as np
import pytest
from screentest.metrics.tracking.medians import channel_sum, largest_channel, median_levels


@pytest.mark.parametrize("count", [1, 2, 5, 48])
def test_the_median_of_all_frames_is_that_of_numpy(count: int):
    frames = np.random.default_rng(count).integers(0, 256, (count, 70, 9, 3), np.uint8)
    np.testing.assert_array_equal(median_levels(frames), np.median(frames.astype(np.float32), axis=0))


@pytest.mark.parametrize("count", [1, 2, 5, 48])
def test_the_median_of_what_is_known_is_that_of_numpy_and_0_where_nothing_is(count: int):
    rng = np.random.default_rng(count)
    frames = rng.integers(0, 256, (count, 70, 9, 3), np.uint8)
    known = rng.random((count, 70, 9)) < 0.6
    known[:, 3, 4] = False
    values = np.where(known[..., None], frames, np.float32(np.nan)).astype(np.float32)
    values[0][~known.any(axis=0)] = 0
    found = median_levels(frames, known)
    np.testing.assert_array_equal(found, np.nanmedian(values, axis=0))
    assert (found[3, 4] == 0).all()


def test_sums_and_maxima_over_channels_are_those_of_numpy():
    rng = np.random.default_rng(0)
    picture = rng.normal(0, 90, (31, 17, 3)).astype(np.float32)
    np.testing.assert_array_equal(channel_sum(picture), picture.sum(axis=2))
    levels = rng.integers(0, 256, (31, 17, 3), np.uint8)
    np.testing.assert_array_equal(largest_channel(levels), levels.max(axis=2))
