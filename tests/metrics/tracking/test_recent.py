"""What was derived from a clip is derived once, and forgotten after many others."""

from __future__ import annotations

import numpy as np
import pytest
from screentest.metrics.tracking.recent import content_key, recently


def test_frames_of_other_levels_or_another_size_have_another_key():
    frames = np.zeros((2, 4, 6, 3), np.uint8)
    other = frames.copy()
    other[1, 2, 3, 0] = 1
    keys = {content_key(f) for f in (frames, other, frames.reshape(2, 6, 4, 3), frames[:1])}
    assert len(keys) == 4
    assert content_key(frames.copy()) == content_key(np.repeat(frames, 2, axis=0)[::2])


def test_a_result_is_derived_once_until_many_others_were():
    calls: list[int] = []

    def derive() -> int:
        calls.append(1)
        return len(calls)

    assert [recently(("test of recency", "a"), derive) for _ in range(3)] == [1, 1, 1]
    for k in range(100):
        recently(("test of recency", str(k)), lambda k=k: k)
    assert recently(("test of recency", "a"), derive) == 2


def test_what_fails_is_not_kept():
    def fails() -> int:
        raise ValueError

    with pytest.raises(ValueError):
        recently(("test of recency", "fails"), fails)
    assert recently(("test of recency", "fails"), lambda: 3) == 3
