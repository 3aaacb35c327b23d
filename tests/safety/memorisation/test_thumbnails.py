import cv2
import numpy as np
import pytest
from screentest.metrics import make_encoder
from screentest.safety.memorisation.thumbnails import as_pictures

from ...metrics.helpers import encode, pan

CLIP = pan(16, size=60)


def test_a_row_is_a_frame_reduced_by_areas_and_does_not_depend_on_windows():
    encoder = make_encoder("thumbnails")
    got = encode(encoder, CLIP)
    assert got.shape == (16, 3072)
    assert got.dtype == np.float16
    expected = cv2.resize(CLIP[3].astype(np.float32), (32, 32), interpolation=cv2.INTER_AREA)
    assert as_pictures(got)[3] == pytest.approx(expected, abs=0.07)
    assert np.array_equal(encode(encoder, CLIP, cuts=(1, 5, 6)), got)


def test_eight_frames_of_a_second_are_kept():
    assert len(encode(make_encoder("thumbnails"), CLIP, fps=16.0)) == 8
    assert len(encode(make_encoder("thumbnails"), CLIP, fps=4.0)) == 16


def test_a_clip_of_sixteen_frames_takes_little_room():
    assert encode(make_encoder("thumbnails"), CLIP).nbytes < 100_000
