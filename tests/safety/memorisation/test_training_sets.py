import hashlib
from pathlib import Path

import numpy as np
import pytest
from screentest.harness.core.errors import UsageError
from screentest.harness.core.items import ClipSettings, make_item
from screentest.metrics import MEASURES, NotApplicable, Sample, Scored
from screentest.safety.memorisation.relative import Nearest
from screentest.safety.memorisation.training_sets import (
    HELD_OUT,
    TRAIN,
    Calibration,
    TrainingSets,
    check_held_out,
)
from screentest.safety.memorisation.verified_search import VerifiedMatch
from screentest.safety.memorisation.windows import Window

WIDTH = 48


def unit(rng: np.random.Generator, *shape: int) -> np.ndarray:
    rows = rng.normal(size=shape).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


class Sets:
    """A training set and a held-out set of random clips, four rows each, of one common look."""

    def __init__(self, cache: Path, train: int = 60, held_out: int = 120, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.clips = {TRAIN: unit(rng, train, 4, WIDTH), HELD_OUT: unit(rng, held_out, 4, WIDTH)}
        self.names = {TRAIN: [f"t{k}" for k in range(train)], HELD_OUT: [f"h{k}" for k in range(held_out)]}
        self.loads = 0
        self.cache = cache

    def load(self, which: str, feature: str) -> tuple[np.ndarray, list[str]]:
        assert feature == "image"
        self.loads += 1
        return self.clips[which].reshape(-1, WIDTH), [name for name in self.names[which] for _ in range(4)]

    def open(self) -> TrainingSets:
        digests = {name: hashlib.sha256(clips.tobytes()).hexdigest() for name, clips in self.clips.items()}
        return TrainingSets(self.load, digests, {"image": "e" * 64}, self.cache)


def sample(sets: TrainingSets, rows: np.ndarray) -> Sample:
    item = make_item("a ball", 0, ClipSettings())
    return Sample(item, "ok", None, {"image": rows}, settings={"training_sets": sets})


def scored(name: str, sets: TrainingSets, rows: np.ndarray) -> Scored:
    function = MEASURES.get(name).function
    assert function is not None
    made = function(sample(sets, rows))
    assert isinstance(made, Scored)
    return made


def test_a_copy_is_told_from_a_new_clip(tmp_path: Path):
    made = Sets(tmp_path)
    sets = made.open()
    rng = np.random.default_rng(7)
    near = made.clips[TRAIN][5] + 0.05 * unit(rng, 4, WIDTH)
    near /= np.linalg.norm(near, axis=1, keepdims=True)
    copy = scored("memorisation.replicated", sets, near[2:])
    assert copy.value == 1.0
    assert copy.evidence["training_clip"] == "t5"
    assert copy.evidence["training_row"] in (2, 3)
    assert scored("memorisation.similarity", sets, near).value > 0.9
    flags = [scored("memorisation.replicated", sets, unit(rng, 4, WIDTH)).value for _ in range(40)]
    assert sum(flags) <= 2


def test_a_held_out_clip_is_as_near_to_other_clips(tmp_path: Path):
    made = Sets(tmp_path, train=60, held_out=120)
    sets = made.open()
    values = [
        scored("memorisation.similarity", sets, clip).value
        for clip in unit(np.random.default_rng(3), 50, 4, WIDTH)
    ]
    assert abs(float(np.median(values))) < 0.1


def test_a_clip_that_is_often_in_the_training_set_does_not_hide_itself(tmp_path: Path):
    made = Sets(tmp_path)
    made.clips[TRAIN][:30] = made.clips[TRAIN][0]
    assert scored("memorisation.replicated", made.open(), made.clips[TRAIN][0]).value == 1.0


def test_the_threshold_is_the_quantile_or_the_maximum_and_says_so(tmp_path: Path):
    calibration = Sets(tmp_path).open().calibration("image")
    assert calibration.threshold == calibration.largest
    assert calibration.n + calibration.others == 120
    assert "fewer than 1,000 do not show a 99.9th percentile" in calibration.note
    assert "at 95 % confidence up to 4" in calibration.note or "up to 5" in calibration.note
    enough = Calibration(0.9, 2000, 2000, 0.0, 0.95)
    assert enough.note == "99.9th percentile of 2,000 held-out clips"


def test_false_alarms_on_new_real_clips_are_as_rare_as_the_bound_says(tmp_path: Path):
    sets = Sets(tmp_path, train=100, held_out=200, seed=5).open()
    new = unit(np.random.default_rng(11), 300, 4, WIDTH)
    flags = [scored("memorisation.replicated", sets, clip).value for clip in new]
    assert np.mean(flags) < 0.03  # the bound for about 100 clips


def test_the_threshold_is_kept_on_disk(tmp_path: Path):
    made = Sets(tmp_path)
    first = made.open().calibration("image")
    loads = made.loads
    assert made.open().calibration("image") == first
    assert made.loads == loads
    other = Sets(tmp_path, seed=1)
    assert other.open().digest != made.open().digest
    assert other.open().calibration("image") != first


def test_sets_that_share_a_clip_are_refused(tmp_path: Path):
    made = Sets(tmp_path)
    made.names[HELD_OUT][3] = "t8"
    with pytest.raises(UsageError, match="1 clip is in the reference sets 'train' and 'held_out'"):
        made.open().prepare()


def test_too_few_held_out_clips_are_refused(tmp_path: Path):
    with pytest.raises(
        UsageError, match=r"'held_out' has 30 clips .*, 1\d of them in .* 20 are needed in each"
    ):
        Sets(tmp_path, held_out=30).open().prepare()


def test_the_number_of_held_out_clips_is_checked_by_itself():
    check_held_out(40)
    with pytest.raises(
        UsageError, match="'held_out' has 39 clips, and at least 40 are needed, 20 for each half"
    ):
        check_held_out(39)


def test_a_clip_without_rows_is_not_applicable(tmp_path: Path):
    with pytest.raises(NotApplicable, match="no frame has the feature"):
        scored("memorisation.replicated", Sets(tmp_path).open(), np.empty((0, WIDTH), np.float32))


def test_the_held_out_clips_that_set_the_threshold_are_named(tmp_path: Path):
    made = Sets(tmp_path)
    calibration = made.open().calibration("image")
    assert len(calibration.values) == calibration.n
    name, like, relative = calibration.closest[0]
    assert relative == calibration.largest == max(calibration.values)
    assert name in made.names[HELD_OUT]
    assert like in made.names[TRAIN]
    assert [one[2] for one in calibration.closest] == sorted(calibration.values, reverse=True)[:5]


def test_what_preparing_takes_is_said_before(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    made = Sets(tmp_path)
    sizes = {TRAIN: 60, HELD_OUT: 120}
    digests = {name: name.ljust(64, "0") for name in sizes}
    for _ in range(2):  # the second time it is in the cache
        TrainingSets(made.load, digests, {"image": "e" * 64}, tmp_path, sizes).prepare()
    said = capsys.readouterr().err
    assert said.count("60 (train) and 120 (held_out) reference clips are encoded and compared once") == 1


def test_residuals_make_a_relative_similarity_of_how_much_is_left_and_how_much_less():
    def match(residual: float) -> VerifiedMatch:
        return VerifiedMatch("a", 1 / (1 + residual), 0, 0, 0, residual, Window())

    assert Nearest(match(0.0), match(2.0)).relative == 1.0
    assert Nearest(match(0.2), match(2.0)).relative == pytest.approx(1 - 0.04 / 2.05)
    assert Nearest(match(0.2), match(0.2)).relative < Nearest(match(0.2), match(2.0)).relative
    assert Nearest(match(3.0), match(1.0)).relative == -1.0
    assert Nearest(match(np.inf), match(np.inf)).relative == -1.0
