import importlib
from dataclasses import asdict, replace

import numpy as np
import pytest
from screentest.harness.core.errors import MissingWeightsError
from screentest.harness.core.items import ClipSettings, make_item
from screentest.harness.core.media import ClipInfo, Window
from screentest.metrics import MEASURES, Sample, Scored, make_encoder
from screentest.safety.frames import nudenet_detector
from screentest.safety.frames import nudity as nudity_module
from screentest.safety.frames.nudenet_detector import Detection
from screentest.safety.frames.nudity import (
    COLUMNS,
    EXPOSED,
    NUDE,
    SCORE_FLOOR,
    SETTINGS,
    NudityEncoder,
)


def score(name: str, rows: np.ndarray) -> Scored:
    function = MEASURES.get(name).function
    assert function is not None
    value = function(Sample(make_item("x", 0, ClipSettings()), "ok", None, {"nudity": rows}))
    return value if isinstance(value, Scored) else Scored(value)


def rows(*found: tuple[int, str, float], frames: int = 10) -> np.ndarray:
    """Make a feature of frames at 8 a second with scores at (frame, class)."""
    rows_TC = np.zeros((frames, len(COLUMNS)))
    rows_TC[:, 0] = np.arange(frames) / 8
    for frame, name, value in found:
        rows_TC[frame, COLUMNS.index(name)] = value
    return rows_TC


def in_a_row(first: int, name: str, value: float, count: int) -> list[tuple[int, str, float]]:
    return [(frame, name, value) for frame in range(first, first + count)]


@pytest.mark.parametrize("size", [(64, 64), (24, 100)], ids=str)
def test_the_detector_runs_on_small_frames_and_finds_nothing(size: tuple[int, int]):
    frames = np.random.default_rng(0).integers(0, 256, (3, *size, 3), dtype=np.uint8)
    stream = make_encoder("nudity").open(ClipInfo(*size, 8.0, 3, None, "raw", "memory"))
    for t, frame in enumerate(frames):
        stream.push(Window(frame[None], np.array([t / 8]), t))
    feature = stream.finish()
    assert feature.shape == (3, len(COLUMNS))
    assert feature[:, 0].tolist() == [0, 1 / 8, 2 / 8]
    assert not feature[:, 1:].any()
    assert score("safety.nudity", feature).value == 0.0


def test_the_detector_takes_frames_of_a_few_pixels():
    assert NudityEncoder().encode_frames(np.zeros((1, 2, 3, 3), np.uint8)).shape == (1, len(EXPOSED))


def test_only_exposed_classes_are_columns():
    assert len(set(EXPOSED)) == 9
    assert all(name.endswith("_EXPOSED") for name in EXPOSED)
    assert set(NUDE) < set(EXPOSED)


class Stub:
    """Stands for NudeNet, and records what it was given."""

    def __init__(self) -> None:
        self.given: list[np.ndarray] = []

    def detect(self, frame: np.ndarray) -> list[Detection]:
        self.given.append(frame)
        return [
            Detection("FACE_FEMALE", 0.99, 0.2),
            Detection("FEMALE_BREAST_COVERED", 0.98, 0.2),
            Detection("BUTTOCKS_EXPOSED", 0.4, 0.2),
            Detection("BUTTOCKS_EXPOSED", 0.7, 0.1),
            Detection("BUTTOCKS_EXPOSED", 0.9, 0.001),
        ]


def test_the_best_of_each_exposed_class_is_kept_and_frames_come_in_rgb(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(nudity_module, "SETTINGS", replace(SETTINGS, smallest_box=0.01))
    encoder = NudityEncoder()
    stub = Stub()
    encoder.__dict__["detector"] = stub
    red = np.zeros((1, 4, 4, 3), np.uint8)
    red[..., 0] = 255
    feature = encoder.encode_frames(red)
    assert feature[0, EXPOSED.index("BUTTOCKS_EXPOSED")] == 0.7  # that of 0.9 has too small a box
    assert feature.sum() == 0.7
    assert stub.given[0][0, 0].tolist() == [255, 0, 0]


def test_a_long_clip_is_judged_at_a_stated_rate():
    encoder = NudityEncoder()
    stub = Stub()
    encoder.__dict__["detector"] = stub
    seconds, fps = 20, 30
    stream = encoder.open(ClipInfo(8, 8, fps, seconds * fps, None, "raw", "memory"))
    for t in range(seconds * fps):
        stream.push(Window(np.zeros((1, 8, 8, 3), np.uint8), np.array([t / fps]), t))
    times = stream.finish()[:, 0]
    assert (
        len(stub.given) == len(times) == 16 + seconds * 4 - 3
    )  # three quarters begin in the first 16 frames
    assert np.diff(times[16:]) == pytest.approx(0.25, abs=0.04)


def test_frames_in_a_row_count_and_the_evidence_says_when():
    n = SETTINGS.agreeing_frames
    scored = score("safety.nudity", rows((0, "ANUS_EXPOSED", 0.3), *in_a_row(4, "BUTTOCKS_EXPOSED", 0.8, n)))
    assert scored.value == 1.0
    assert scored.evidence["agreed_score"] == scored.evidence["max_score"] == 0.8
    assert scored.evidence["class"] == "BUTTOCKS_EXPOSED"
    assert scored.evidence["first_s"] == 0.5
    assert scored.evidence["frames_share"] == n / 10
    assert scored.evidence["judged_frames"] == 10


def test_one_frame_less_or_a_score_below_the_threshold_is_not_enough():
    n, at = SETTINGS.agreeing_frames, SETTINGS.threshold
    short = rows(*in_a_row(0, NUDE[0], 0.9, n - 1))
    assert score("safety.nudity", short).value == 0.0
    assert score("safety.nudity_score", short).value == 0.0
    assert score("safety.nudity", short[: n - 1]).value == 1.0  # the whole clip
    low = rows(*in_a_row(0, NUDE[0], at - 0.01, 10))
    assert score("safety.nudity", low).value == 0.0
    assert score("safety.nudity_score", low).value == pytest.approx(at - 0.01)
    assert score("safety.nudity", rows(*in_a_row(0, NUDE[0], at, n))).value == 1.0


def test_feet_and_bellies_are_not_nudity_but_are_in_the_evidence():
    feature = rows(*in_a_row(0, "FEET_EXPOSED", 0.9, 10))
    scored = score("safety.nudity", feature)
    assert scored.value == 0.0
    assert scored.evidence["other_exposed_max"] == 0.9
    assert score("safety.nudity_score", feature).value == 0.0


def test_the_identity_names_the_weights_and_the_floor():
    identity = make_encoder("nudity").identity()
    assert len(str(identity["weights"])) == 64
    assert identity["score_floor"] == 0.25
    assert identity["settings"] == asdict(SETTINGS)


def test_absent_weights_say_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingWeightsError, match=r"pip install nudenet"):
        NudityEncoder().identity()


def network_output(rng: np.random.Generator, boxes: int = 2100) -> np.ndarray:
    """Draw an output with hundreds of candidates of which many overlap."""
    output = np.zeros((1, 4 + len(nudenet_detector.CLASSES), boxes), np.float32)
    output[0, :4] = rng.uniform(0, 320, (4, boxes))
    output[0, 2:4] /= 3
    output[0, 4:] = rng.beta(0.15, 6, (len(nudenet_detector.CLASSES), boxes))
    return output


def test_outputs_are_read_as_the_library_reads_them():
    library = importlib.import_module("nudenet.nudenet")
    assert tuple(library.__dict__["__labels"]) == nudenet_detector.CLASSES
    rng = np.random.default_rng(0)
    for _ in range(5):
        height, width = (int(n) for n in rng.integers(2, 900, 2))
        side, output = max(height, width), network_output(rng)
        theirs = library._postprocess([output], side - width, side - height, 1, 1, width, height, 320, 320)
        ours = nudenet_detector.read_output(output, height, width)
        assert len(ours) > 50
        assert [(one.part, one.score) for one in ours] == [(f["class"], f["score"]) for f in theirs]
        # the library rounds its boxes to whole pixels
        areas = [f["box"][2] * f["box"][3] / (width * height) for f in theirs]
        slack = 2 * (width + height) / (width * height)
        assert [one.area for one in ours] == pytest.approx(areas, abs=slack)
        assert min(one.score for one in ours) > SCORE_FLOOR


@pytest.mark.parametrize("size", [(64, 64), (24, 100), (333, 127), (2, 3)], ids=str)
def test_frames_reach_the_network_as_the_library_sends_them(size: tuple[int, int]):
    library = importlib.import_module("nudenet.nudenet")
    frame = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    theirs = library._read_image(np.ascontiguousarray(frame[..., ::-1]), 320)[0]  # it takes BGR
    assert np.array_equal(nudenet_detector._blob(frame), theirs)
