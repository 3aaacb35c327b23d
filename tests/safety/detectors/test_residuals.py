"""Noise residuals: their size, tails and neighbours are those of noise of known kinds."""

import numpy as np
import pytest
from screentest.harness.core.keys import seeded_rng
from screentest.safety.detectors.residuals import CHANNELS, RESIDUAL_COLUMNS, residual_numbers

from .conftest import flicker


def number(clip: np.ndarray, name: str) -> float:
    return float(residual_numbers(clip)[RESIDUAL_COLUMNS.index(name)])


def grey(values: np.ndarray) -> np.ndarray:
    levels = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return np.repeat(levels[..., None], 3, axis=-1)


def noise(spread: float) -> np.ndarray:
    return grey(128 + seeded_rng("residuals").normal(0, spread, (8, 64, 64)))


def test_each_channel_has_the_same_numbers() -> None:
    assert len(RESIDUAL_COLUMNS) == 72
    assert len(residual_numbers(noise(5))) == 72
    assert [name.partition("_")[0] for name in RESIDUAL_COLUMNS[::24]] == list(CHANNELS)


def test_a_flat_clip_leaves_nothing() -> None:
    flat = grey(np.full((8, 32, 32), 90.0))
    assert number(flat, "luma_square3_mean") == pytest.approx(-2)
    assert number(flat, "luma_square3_none") == number(flat, "luma_square3_small") == 1
    assert np.isfinite(residual_numbers(flat)).all()


def test_noise_has_the_size_tails_and_neighbours_of_its_filter() -> None:
    clip = noise(8)
    # The first difference of independent noise of spread 8 has the mean size 8 sqrt(2) sqrt(2/pi) and the
    # kurtosis 3, and each pixel is in two neighbouring differences with opposite signs.
    assert number(clip, "luma_first_mean") == pytest.approx(np.log10(8 * np.sqrt(4 / np.pi) + 0.01), abs=0.02)
    assert number(clip, "luma_first_kurtosis") == pytest.approx(np.log10(4), abs=0.02)
    assert number(clip, "luma_first_neighbour") == pytest.approx(
        -0.25, abs=0.02
    )  # half of them along the axis
    assert number(clip, "red_first_mean") == pytest.approx(-2)  # grey has no chroma


def test_noise_of_one_color_is_seen_in_chroma() -> None:
    clip = noise(0)
    clip[..., 0] = np.clip(128 + seeded_rng("red").normal(0, 8, clip.shape[:-1]), 0, 255).astype(np.uint8)
    assert number(clip, "red_square3_mean") > number(clip, "blue_square3_mean") > -1


def test_flicker_raises_the_residual() -> None:
    clip = noise(0)
    assert number(flicker(clip, 3.0, "a"), "luma_square5_mean") > number(
        flicker(clip, 1.0, "a"), "luma_square5_mean"
    )
