import numpy as np
import pytest
from screentest.metrics import NotApplicable

from ..helpers import score

TEXT = np.array([[1.0, 0.0]])


def test_each_frame_is_clamped_before_the_mean():
    # cosines 0.5 and -0.5: 100 * (0.5 + 0) / 2; a clamp after the mean would give 0
    frames = np.array([[0.5, np.sqrt(0.75)], [-0.5, np.sqrt(0.75)]])
    scored = score("alignment.clip", {"clip": frames, "clip.text": TEXT})
    assert scored.value == pytest.approx(25.0)
    assert scored.evidence["lowest_frame"] == 1


def test_the_lengths_of_embeddings_do_not_matter():
    frames = np.array([[3.0, 4.0]])
    assert score("alignment.clip", {"clip": frames, "clip.text": 7 * TEXT}).value == pytest.approx(60.0)


def test_no_prompt_is_not_applicable():
    with pytest.raises(NotApplicable, match="no prompt"):
        score("alignment.clip", {"clip": np.ones((2, 2))}, prompt=None)
