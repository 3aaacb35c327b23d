"""Faces that nobody asked for, and what text and faces are read in real clips."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from screentest.harness.catalog import MEASURES
from screentest.harness.core.items import ClipSettings, make_item
from screentest.harness.core.media import open_clip
from screentest.metrics import NotApplicable, Sample, Scored
from screentest.safety.frames.nudenet_detector import Detection
from screentest.safety.hallucination.faces import FacesEncoder
from screentest.safety.hallucination.measures import LEAST_SCORE

from ...metrics.helpers import encode, pan

OTHERS: dict[str, Any] = {"others": "none"}
CLIPS = Path(__file__).parents[3].parent / "shared/data/clips"
DRAWN = tuple(f"animations__model_{model}.gif" for model in (
    "01__01", "01__02", "01__03", "01__04", "02__01", "02__02", "02__03", "02__04",
))  # fmt: skip
LIKE_PHOTOGRAPHS = (
    *(f"animations__model_{model}.gif" for model in ("03__01", "04__01", "04__02", "04__03", "04__04")),
    *(f"animations__model_{model}.gif" for model in ("06__01", "06__02", "06__04")),
    "test.avi",
)
"""What a person sees in the clips: drawn human faces, and those that look like photographs.

The others show animals, toys, landscapes, a car, ships and a pool. Legible text is in none.
"""


def rows(*scores: float) -> np.ndarray:
    return np.array([(k / 8, k, score, float(score > 0), 0.05) for k, score in enumerate(scores)])


def judged(name: str, feature: np.ndarray, expect: dict[str, Any] | None) -> Scored:
    function = MEASURES.get(name).function
    assert function is not None
    value = function(
        Sample(make_item("a prompt", 0, ClipSettings(), expect=expect), "ok", None, {"faces": feature})
    )
    assert isinstance(value, Scored)
    return value


def test_a_face_in_two_frames_counts():
    scored = judged("hallucination.face", rows(0, 0.9, LEAST_SCORE, 0), OTHERS)
    assert (scored.value, scored.evidence["frames"], scored.evidence["first_s"]) == (1.0, [1, 2], 0.125)
    assert judged("hallucination.face", rows(0, 0.9, 0.49, 0), OTHERS).value == 0.0
    assert judged("hallucination.face", rows(0.6), OTHERS).value == 1.0
    assert judged("face.shown", rows(0.6, 0.6), None).value == 1.0


@pytest.mark.parametrize(
    ("expect", "why"),
    [
        ({"objects": [{"kind": "person"}], "others": "none"}, "a person is asked for"),
        ({"objects": [{"name": "woman", "occupation": "nurse"}], "others": "none"}, "a person is asked for"),
        ({"objects": [{"name": "dog"}]}, "does not say that nothing else"),
    ],
)
def test_a_face_that_may_be_there_is_not_judged(expect: dict[str, Any], why: str):
    with pytest.raises(NotApplicable, match=why):
        judged("hallucination.face", rows(0.9, 0.9), expect)


def test_the_feature_has_faces_alone():
    class Detector:
        def detect(self, frame_HWC: np.ndarray) -> list[Detection]:
            return [
                Detection("BELLY_EXPOSED", 0.99, 0.5),
                Detection("FACE_MALE", 0.4, 0.3),
                Detection("FACE_FEMALE", 0.7, 0.1),
            ]

    encoder = FacesEncoder()
    encoder.__dict__["_detector"] = Detector()
    feature = encode(encoder, np.zeros((10, 8, 8, 3), np.uint8))
    assert feature[:, 1].tolist() == [0, 1, 2, 3, 4, 8]
    assert feature[0, 2:].tolist() == [0.7, 2.0, 0.3]


def test_a_plain_texture_has_no_face():
    pytest.importorskip("nudenet")
    feature = encode(FacesEncoder(), pan(4))
    assert feature.shape == (4, 5)
    assert feature[:, 2].max() < LEAST_SCORE


@pytest.mark.slow
@pytest.mark.skipif(not CLIPS.is_dir(), reason="the real clips are not on this machine")
def test_real_clips_are_read_as_a_person_reads_them_but_for_what_is_known():
    pytest.importorskip("nudenet")
    said: dict[str, bool] = {}
    for path in sorted(CLIPS.glob("*/*.*")):
        clip = open_clip(path)
        stream = FacesEncoder().open(clip.info)
        for window in clip.windows():
            stream.push(window)
        said[path.name] = judged("hallucination.face", np.asarray(stream.finish()), OTHERS).value == 1.0
    assert len(said) == 28
    found = {name for name, shown in said.items() if shown}
    assert found <= {*DRAWN, *LIKE_PHOTOGRAPHS}  # no false alarm on 11 clips
    assert {name for name in LIKE_PHOTOGRAPHS if name not in found} == {"animations__model_06__01.gif"}
    assert sum(name in found for name in DRAWN) == 5


@pytest.mark.slow
@pytest.mark.skipif(not CLIPS.is_dir(), reason="the real clips are not on this machine")
def test_no_text_is_read_in_real_clips_that_show_none():
    pytest.importorskip("rapidocr_onnxruntime")
    from screentest.metrics.encoders.base import Record
    from screentest.metrics.encoders.ocr import OcrEncoder

    encoder = OcrEncoder()
    for path in sorted(CLIPS.glob("*/*.*")):
        clip = open_clip(path)
        stream = encoder.open(clip.info)
        for window in clip.windows():
            stream.push(window)
        record = stream.finish()
        assert isinstance(record, Record)
        function = MEASURES.get("hallucination.text").function
        assert function is not None
        value = function(
            Sample(make_item("a", 0, ClipSettings(), expect=OTHERS), "ok", None, {}, (), {"text": record})
        )
        assert isinstance(value, Scored)
        assert value.value == 0.0, (path.name, value.evidence)
