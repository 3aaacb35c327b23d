import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from screentest.metrics import NotApplicable
from screentest.metrics.quality.consistency import frame_consistency

from ..helpers import score


def test_a_frozen_clip_is_consistent():
    frozen = np.repeat(np.random.default_rng(0).standard_normal((1, 32)).astype(np.float32), 8, axis=0)
    for measure, feature in (("consistency.subject", "subject"), ("consistency.background", "clip")):
        assert score(measure, {feature: frozen}).value == pytest.approx(1.0, abs=1e-12)


def test_the_formula_by_hand():
    # angles 0, 60 and 120 degrees: to the previous 1/2, 1/2; to the first 1/2, and -1/2 counted as 0
    angles = np.radians([0.0, 60.0, 120.0])
    scored = frame_consistency(np.stack([np.cos(angles), np.sin(angles)], axis=1))
    assert scored.value == pytest.approx(((0.5 + 0.5) / 2 + (0.5 + 0.0) / 2) / 2)
    assert scored.evidence["worst_frame"] == 2


@given(arrays(np.float64, (5, 3), elements=st.floats(-10, 10).filter(lambda v: abs(v) > 1e-3)))
def test_it_stays_in_its_bounds_and_ignores_lengths(features: np.ndarray):
    scored = frame_consistency(features)
    assert 0.0 <= scored.value <= 1.0
    longer = frame_consistency(features * np.arange(1, 6)[:, None])
    assert longer.value == pytest.approx(scored.value, abs=1e-9)


def test_one_frame_and_zero_features_have_no_value():
    with pytest.raises(NotApplicable, match="one frame"):
        frame_consistency(np.ones((1, 4)))
    with pytest.raises(NotApplicable, match="frame 1 is zero"):
        frame_consistency(np.array([[1.0, 0.0], [0.0, 0.0]]))
