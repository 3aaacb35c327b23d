"""Traces of interpolation: ghosts and their rhythm are seen, and motion alone is not."""

import numpy as np
import pytest
from screentest.harness.core.keys import seeded_rng
from screentest.safety.detectors.interpolation import INTERPOLATION_COLUMNS, interpolation_numbers

from .conftest import flicker, moving_block


def number(clip: np.ndarray, name: str) -> float:
    return float(interpolation_numbers(clip)[INTERPOLATION_COLUMNS.index(name)])


def blended(clip: np.ndarray) -> np.ndarray:
    made = clip.copy()
    made[1:-1:2] = ((clip[0:-2:2].astype(int) + clip[2::2][: len(made[1:-1:2])] + 1) // 2).astype(np.uint8)
    return made


def test_a_blend_lies_midway_every_second_frame() -> None:
    clip = moving_block("block", step=4)
    assert number(clip, "midway") < 0.05
    assert number(clip, "parity_contrast") < 1
    made = blended(clip)
    assert number(made, "midway_of_a_parity") > 0.9
    assert number(made, "parity_contrast") > 3
    assert number(made, "foretold_period2") > 2 > 10 * number(clip, "foretold_period2")


def test_a_clip_in_which_nothing_moves_shows_nothing_odd() -> None:
    still = moving_block("still", step=0)
    numbers = interpolation_numbers(still)
    assert np.isfinite(numbers).all()
    assert number(still, "parity_contrast") == number(still, "foretold_period2") == 0
    assert np.array_equal(numbers, interpolation_numbers(blended(still)))


def test_a_rhythm_of_four_frames_is_told_from_one_of_two() -> None:
    clip = moving_block("block", frames=18)
    rng = seeded_rng("four")
    clip[1::4] = np.clip(clip[1::4] + rng.normal(0, 6, clip[1::4].shape), 0, 255).astype(np.uint8)
    assert number(clip, "sharpness_period4") > 1.5 * number(clip, "sharpness_period2")


def test_the_noise_of_what_stands_still_is_measured() -> None:
    shaken = flicker(moving_block("block", step=0), 2.0, "shaken")
    # Of independent noise, neighbouring changes share a frame: their correlation is -1/2.
    assert number(shaken, "still_memory") == pytest.approx(-0.5, abs=0.05)
    assert number(shaken, "still_kurtosis") == pytest.approx(np.log10(4), abs=0.05)


def test_few_frames_are_refused() -> None:
    with pytest.raises(ValueError, match="8 frames"):
        interpolation_numbers(np.zeros((7, 8, 8, 3), np.uint8))
