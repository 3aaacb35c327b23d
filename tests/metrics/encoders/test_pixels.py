import numpy as np
from screentest.metrics import make_encoder

from ..helpers import encode, noise


def test_differences_are_exact_on_constructed_frames():
    frames = np.zeros((3, 4, 4, 3), np.uint8)
    frames[1] = 10
    frames[2, :2] = 255  # half of the frame by 245 up, half by 10 down
    assert encode(make_encoder("pixels"), frames).tolist() == [[10.0], [(245 + 10) / 2]]


def test_uint8_does_not_wrap():
    frames = np.stack([np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 255, np.uint8)])
    assert encode(make_encoder("pixels"), frames).item() == 255
    assert encode(make_encoder("pixels"), frames[::-1]).item() == 255


def test_one_frame_has_no_pair():
    assert encode(make_encoder("pixels"), noise(1)).shape == (0, 1)
