"""The arithmetic that is shared with VBench, held to what its own functions give on the same input.

The numbers are of `cal_score` (vbench/temporal_flickering.py), `background_consistency` (in the file of its
name), and `DynamicDegree.get_score` and `check_move` (vbench/dynamic_degree.py) of Vchitect/VBench, on arrays
that NumPy draws from the seeds below.
"""

import numpy as np
import pytest
from screentest.metrics.encoders.flow import top_motion
from screentest.metrics.encoders.registry import make_encoder
from screentest.metrics.quality.consistency import frame_consistency
from screentest.metrics.quality.motion import DYNAMIC_THRESHOLD

from ..helpers import encode, score

LEVELS = np.full((6, 4), [100.0, 50.0, 0.0, 0.0])
TOPS = [
    0.572192, 0.695337, 0.835674, 0.985251, 1.124422, 1.271934, 1.382955, 1.531595, 1.666454, 1.831904,
    1.933307, 2.107379, 2.271906, 2.383562, 2.520794,
]  # fmt: skip


def test_temporal_flickering():
    frames = np.random.default_rng(2024).integers(0, 256, (6, 24, 40, 3), dtype=np.uint8)
    pixels = encode(make_encoder("pixels"), frames)
    value = score("motion.flicker", {"pixels": pixels, "levels": LEVELS}).value
    assert value == pytest.approx(0.6649858661726409, abs=1e-7)


def test_subject_and_background_consistency():
    features = np.random.default_rng(7).standard_normal((9, 16)).astype(np.float32)
    assert frame_consistency(features).value == pytest.approx(0.1656282795011066, abs=1e-6)


def test_the_strength_of_flow_and_the_decision_of_dynamic_degree():
    rng = np.random.default_rng(11)
    flows = [(rng.standard_normal((48, 64, 2)) * (0.2 + 0.05 * k)).astype(np.float32) for k in range(15)]
    motion = np.array([top_motion(flow) for flow in flows])
    assert motion * 48 == pytest.approx(TOPS, abs=2e-6)
    assert DYNAMIC_THRESHOLD * 48 == 1.125  # its `thres` for frames of 48 x 64 at 8 frames a second or more
    features = {"dynamics": np.column_stack([motion, np.full(15, 1 / 8)]), "levels": LEVELS}
    found = score("motion.dynamic_degree", features)
    assert (found.value, found.evidence["needed_pairs"], found.evidence["moving_pairs"]) == (1.0, 4, 10)
    still = {"dynamics": features["dynamics"] * [[0.5, 1.0]], "levels": LEVELS}
    halves = sum(top / 2 > 1.125 for top in TOPS)
    assert score("motion.dynamic_degree", still).value == float(halves >= 4)
    assert halves == 3
