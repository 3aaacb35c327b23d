"""Deliveries are deterministic, and do to a clip what their names say."""

import numpy as np
import pytest
from screentest.harness.core.errors import UsageError
from screentest.safety.detectors.delivery import DELIVERIES, TRANSCODES, deliver
from screentest.safety.detectors.preparation import Segment

from .conftest import flicker, moving_block

SEGMENT = Segment(flicker(moving_block("one"), 3.0, "noise"), 8.0)


def error(one: Segment) -> float:
    return float(np.abs(one.frames_THWC.astype(int) - SEGMENT.frames_THWC).mean())


@pytest.mark.parametrize("name", DELIVERIES)
def test_a_delivery_gives_the_same_frames_twice_and_others_than_before(name: str) -> None:
    one, two = deliver(name, SEGMENT), deliver(name, SEGMENT)
    assert np.array_equal(one.frames_THWC, two.frames_THWC)
    assert one.frames_THWC.dtype == np.uint8
    assert len(one.frames_THWC) == len(SEGMENT.frames_THWC)
    assert one.fps == SEGMENT.fps
    assert not np.array_equal(one.frames_THWC, SEGMENT.frames_THWC)


def test_a_higher_rate_factor_takes_more_away() -> None:
    errors = [error(deliver(f"crf{factor}", SEGMENT)) for factor in (18, 23, 28, 34, 40)]
    assert errors == sorted(errors)
    assert errors[0] < errors[-1]


def test_resized_clips_are_smaller() -> None:
    assert deliver("resize0.5", SEGMENT).frames_THWC.shape == (16, 32, 32, 3)
    assert deliver("resize0.75", SEGMENT).frames_THWC.shape == (16, 48, 48, 3)


def test_half_the_frames_are_shown_twice() -> None:
    frames = deliver("half-rate", SEGMENT).frames_THWC
    assert np.array_equal(frames[::2], frames[1::2])
    assert np.array_equal(frames[::2], SEGMENT.frames_THWC[::2])


def test_a_gif_has_256_colors_a_frame() -> None:
    frames = deliver("gif", SEGMENT).frames_THWC
    assert max(len(np.unique(frame.reshape(-1, 3), axis=0)) for frame in frames) <= 256


def test_odd_sizes_can_be_delivered() -> None:
    odd = Segment(SEGMENT.frames_THWC[:, :61, :63], 8.0)
    assert deliver("crf28", odd).frames_THWC.shape == (16, 62, 64, 3)


def test_an_unknown_delivery_is_named_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="unknown delivery 'crf29'; did you mean"):
        deliver("crf29", SEGMENT)
    assert set(TRANSCODES) <= set(DELIVERIES)
