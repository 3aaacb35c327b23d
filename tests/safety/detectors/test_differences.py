"""Differences of neighbouring frames: flicker where nothing moves is seen apart from motion."""

import numpy as np
import pytest
from screentest.safety.detectors.differences import DIFFERENCE_COLUMNS, difference_numbers

from .conftest import flicker, moving_block


def number(clip: np.ndarray, name: str) -> float:
    return float(difference_numbers(clip)[DIFFERENCE_COLUMNS.index(name)])


def test_a_still_clip_does_not_change() -> None:
    still = moving_block("still", step=0)
    assert number(still, "still") == number(still, "quiet") == 1
    assert number(still, "mean") == pytest.approx(-2)  # log of the least that is told, 0.01 of a level
    assert np.isfinite(difference_numbers(still)).all()


def test_flicker_is_seen_in_the_quiet_half_and_motion_is_not() -> None:
    clip = moving_block("block")
    shaken = flicker(clip, 3.0, "shaken")
    assert number(clip, "quiet_texture") == pytest.approx(-2)
    assert number(shaken, "quiet_texture") > 0
    # Of independent noise, second differences are sqrt(3) times as large as first ones.
    assert number(shaken, "second_ratio") == pytest.approx(np.log10(3) / 2, abs=0.02)


def test_mean_is_the_log_of_the_mean_change() -> None:
    clip = np.zeros((5, 8, 8, 3), np.uint8)
    clip[1::2] = 10
    assert number(clip, "mean") == pytest.approx(np.log10(10.01))
    assert number(clip, "alternation") == pytest.approx(0)


def test_blended_frames_alternate() -> None:
    clip = moving_block("block")
    doubled = clip[np.repeat(np.arange(8), 2)]
    assert abs(number(doubled, "alternation")) > 1


def test_few_frames_are_refused() -> None:
    with pytest.raises(ValueError, match="4 frames"):
        difference_numbers(np.zeros((3, 8, 8, 3), np.uint8))
