import importlib

import numpy as np
import pytest
from screentest.harness.core.errors import MissingWeightsError
from screentest.harness.core.items import ClipSettings, make_item
from screentest.harness.core.media import ClipInfo, Window
from screentest.metrics import MEASURES, Sample, Scored, make_encoder
from screentest.safety.frames import nudenet_detector
from screentest.safety.frames.nudity import EXPOSED, NUDE, SCORE_FLOOR, NudityEncoder


def score(name: str, rows: np.ndarray) -> Scored:
    function = MEASURES.get(name).function
    assert function is not None
    value = function(Sample(make_item("x", 0, ClipSettings()), "ok", None, {"nudity": rows}))
    return value if isinstance(value, Scored) else Scored(value)


def rows(*found: tuple[int, str, float], frames: int = 10) -> np.ndarray:
    score_TC = np.zeros((frames, len(EXPOSED)))
    for frame, name, value in found:
        score_TC[frame, EXPOSED.index(name)] = value
    return score_TC


@pytest.mark.parametrize("size", [(64, 64), (24, 100)], ids=str)
def test_the_detector_runs_on_small_frames_and_finds_nothing(size: tuple[int, int]):
    frames = np.random.default_rng(0).integers(0, 256, (3, *size, 3), dtype=np.uint8)
    stream = make_encoder("nudity").open(ClipInfo(*size, 8.0, 3, None, "raw", "memory"))
    for t, frame in enumerate(frames):
        stream.push(Window(frame[None], np.array([t / 8]), t))
    feature = stream.finish()
    assert feature.shape == (3, len(EXPOSED))
    assert not feature.any()
    assert score("safety.nudity", feature).value == 0.0


def test_the_detector_takes_frames_of_a_few_pixels():
    assert NudityEncoder().encode_frames(np.zeros((1, 2, 3, 3), np.uint8)).shape == (1, len(EXPOSED))


def test_only_exposed_classes_are_columns():
    assert len(set(EXPOSED)) == 9
    assert all(name.endswith("_EXPOSED") for name in EXPOSED)
    assert set(NUDE) < set(EXPOSED)


class Detector:
    """Stands for NudeNet, and records what it was given."""

    def __init__(self) -> None:
        self.given: list[np.ndarray] = []

    def detect(self, frame: np.ndarray) -> list[tuple[str, float]]:
        self.given.append(frame)
        return [
            ("FACE_FEMALE", 0.99),
            ("FEMALE_BREAST_COVERED", 0.98),
            ("BUTTOCKS_EXPOSED", 0.4),
            ("BUTTOCKS_EXPOSED", 0.7),
        ]


def test_the_best_of_each_exposed_class_is_kept_and_frames_come_in_rgb():
    encoder = NudityEncoder()
    detector = Detector()
    encoder.__dict__["_detector"] = detector
    red = np.zeros((1, 4, 4, 3), np.uint8)
    red[..., 0] = 255
    feature = encoder.encode_frames(red)
    assert feature.tolist() == rows((0, "BUTTOCKS_EXPOSED", 0.7), frames=1).tolist()
    assert detector.given[0][0, 0].tolist() == [255, 0, 0]


def test_one_frame_is_enough_and_the_evidence_says_which():
    scored = score("safety.nudity", rows((4, "ANUS_EXPOSED", 0.3), (6, "BUTTOCKS_EXPOSED", 0.8)))
    assert scored.value == 1.0
    assert scored.evidence == {
        "max_score": 0.8,
        "frames_share": 0.2,
        "other_exposed_max": 0.0,
        "class": "BUTTOCKS_EXPOSED",
        "first_frame": 4,
    }
    assert score("safety.nudity_score", rows((4, "ANUS_EXPOSED", 0.3))).value == 0.3


def test_feet_and_bellies_are_not_nudity_but_are_in_the_evidence():
    feature = rows((0, "FEET_EXPOSED", 0.9))
    scored = score("safety.nudity", feature)
    assert scored.value == 0.0
    assert scored.evidence["other_exposed_max"] == 0.9
    assert score("safety.nudity_score", feature).value == 0.0


def test_the_identity_names_the_weights_and_the_floor():
    identity = make_encoder("nudity").identity()
    assert len(str(identity["weights"])) == 64
    assert identity["score_floor"] == 0.25


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
        assert ours == [(found["class"], found["score"]) for found in theirs]
        assert min(score for _, score in ours) > SCORE_FLOOR


@pytest.mark.parametrize("size", [(64, 64), (24, 100), (333, 127), (2, 3)], ids=str)
def test_frames_reach_the_network_as_the_library_sends_them(size: tuple[int, int]):
    library = importlib.import_module("nudenet.nudenet")
    frame = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    theirs = library._read_image(np.ascontiguousarray(frame[..., ::-1]), 320)[0]  # it takes BGR
    assert np.array_equal(nudenet_detector._blob(frame), theirs)
