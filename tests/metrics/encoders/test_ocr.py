"""The encoder `text`: words are read where and when they are shown; plain pictures say nothing."""

import importlib.util

import cv2
import numpy as np
import pytest
from screentest.harness.core.errors import MissingWeightsError
from screentest.metrics import make_encoder
from screentest.metrics.encoders.base import Record
from screentest.metrics.encoders.ocr import OcrEncoder, TextReading

from ..helpers import encode, pan

needs_reader = pytest.mark.skipif(
    importlib.util.find_spec("rapidocr_onnxruntime") is None, reason="rapidocr-onnxruntime is not installed"
)


def written(text: str, frames: int = 8) -> np.ndarray:
    """Write a line on the second half of a clip of 96 x 240 pixels."""
    clip = np.full((frames, 96, 240, 3), 40, np.uint8)
    for frame in clip[frames // 2 :]:
        cv2.putText(frame, text, (20, 60), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (240, 240, 240), 2, cv2.LINE_AA)
    return clip


@needs_reader
def test_a_line_is_read_where_and_when_it_is_shown():
    record = encode(make_encoder("text"), written("ANNA 4711"), fps=8.0)
    reading = TextReading.from_record(record)
    assert reading.frames == (0, 4)
    assert reading.seconds == (0.0, 0.5)
    (line,) = reading.lines
    assert line.text.replace(" ", "") == "ANNA4711"
    assert (line.frame, line.seconds) == (4, 0.5)
    assert line.confidence > 0.8
    left, top = np.min(line.box, axis=0)
    right, bottom = np.max(line.box, axis=0)
    assert 5 < left < 30 < 150 < right < 235
    assert 20 < top < 45 < 55 < bottom < 80
    assert 0.2 < line.height < 0.55


def test_the_reader_gets_bgr():
    seen = []
    encoder = OcrEncoder()
    encoder.__dict__["_reader"] = lambda frame: seen.append(frame.copy()) or (None, None)
    frame = np.zeros((4, 4, 3), np.uint8)
    frame[..., 0] = 200  # red
    assert encoder.read_frame(frame) == []
    assert seen[0][0, 0].tolist() == [0, 0, 200]


@needs_reader
def test_plain_shapes_say_nothing():
    reading = TextReading.from_record(encode(make_encoder("text"), pan(5)))
    assert reading.lines == ()
    assert len(reading.frames) >= 1


@needs_reader
def test_the_windows_do_not_matter():
    clip = written("HELLO", 6)
    one, two = (encode(make_encoder("text"), clip, cuts=cuts) for cuts in ((), range(1, 6)))
    assert isinstance(one, Record)
    assert one.meta == two.meta
    for name, array in one.arrays.items():
        np.testing.assert_array_equal(array, two.arrays[name])


def test_without_the_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingWeightsError, match=r"pip install --no-deps rapidocr-onnxruntime"):
        OcrEncoder().identity()


def test_another_layout_is_refused():
    with pytest.raises(ValueError, match="layout 1"):
        TextReading.from_record(Record({}, {"layout": 0}))
