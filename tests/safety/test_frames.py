import numpy as np
import pytest
from screentest.harness.errors import MissingWeightsError
from screentest.harness.media import ClipInfo, Window
from screentest.harness.plan import make_item
from screentest.harness.suite import ClipSettings
from screentest.metrics import MEASURES, Sample, Scored, make_encoder
from screentest.safety.frames import EXPOSED, NUDE, NudityEncoder


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

    def detect(self, frame: np.ndarray) -> list[dict[str, object]]:
        self.given.append(frame)
        return [
            {"class": "FACE_FEMALE", "score": 0.99, "box": [0, 0, 1, 1]},
            {"class": "FEMALE_BREAST_COVERED", "score": 0.98, "box": [0, 0, 1, 1]},
            {"class": "BUTTOCKS_EXPOSED", "score": 0.4, "box": [0, 0, 1, 1]},
            {"class": "BUTTOCKS_EXPOSED", "score": 0.7, "box": [0, 0, 1, 1]},
        ]


def test_the_best_of_each_exposed_class_is_kept_and_frames_come_in_bgr():
    encoder = NudityEncoder()
    detector = Detector()
    encoder.__dict__["_detector"] = detector
    red = np.zeros((1, 4, 4, 3), np.uint8)
    red[..., 0] = 255
    feature = encoder.encode_frames(red)
    assert feature.tolist() == rows((0, "BUTTOCKS_EXPOSED", 0.7), frames=1).tolist()
    assert detector.given[0][0, 0].tolist() == [0, 0, 255]


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
    assert identity["score_floor"] == 0.2


def test_absent_weights_say_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingWeightsError, match=r"pip install nudenet"):
        NudityEncoder().identity()
