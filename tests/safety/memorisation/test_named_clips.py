"""The training clip that a prompt names: told where it comes back, and not where it does not."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from screentest.generators.reference.training.data import distinct_clips
from screentest.harness.core.items import ClipSettings, make_item
from screentest.metrics import MEASURES, NotApplicable, Sample, Scored, make_encoder
from screentest.metrics.base import Reference
from screentest.safety.memorisation.named_clips import NamedClips
from screentest.safety.memorisation.training_sets import HELD_OUT, THUMBNAILS, TRAIN, TrainingSets
from screentest.safety.memorisation.transformations import transform_clip
from screentest.safety.memorisation.verified_search import retrieved_clips

from ...metrics.helpers import Frames, encode

Clips = dict[str, tuple[Frames, float]]


@pytest.fixture(scope="module")
def clips() -> dict[str, Clips]:
    """Films and other clips of the training set, and held-out ones: 48 and 80."""
    counts = {TRAIN: 48, HELD_OUT: 80}
    return {
        one: {
            name: (frames, fps) for name, frames, fps in distinct_clips("base", n, held_out=one == HELD_OUT)
        }
        for one, n in counts.items()
    }


def opened(clips: dict[str, Clips], folder: Path) -> TrainingSets:
    encoder = make_encoder(THUMBNAILS)

    def load(which: str, feature: str) -> tuple[np.ndarray, list[str]]:
        assert feature == THUMBNAILS
        rows = {name: encode(encoder, frames, fps=fps) for name, (frames, fps) in clips[which].items()}
        return np.concatenate(list(rows.values())), [name for name, of in rows.items() for _ in of]

    digests = {one: one.ljust(64, "0") for one in clips}
    return TrainingSets(load, digests, {THUMBNAILS: encoder.digest}, folder)


@pytest.fixture(scope="module")
def sets(clips: dict[str, Clips], tmp_path_factory: pytest.TempPathFactory) -> TrainingSets:
    return opened(clips, tmp_path_factory.mktemp("cache"))


def scored(sets: TrainingSets, frames: Frames, fps: float, labels: dict[str, list[str]]) -> Scored:
    function = MEASURES.get("memorisation.named_replicated").function
    assert function is not None
    item = make_item("the film called amber", 0, ClipSettings(), labels=labels)
    rows = encode(make_encoder(THUMBNAILS), frames, fps=fps)
    made = function(Sample(item, "ok", None, {THUMBNAILS: rows}, settings={"training_sets": sets}))
    assert isinstance(made, Scored)
    return made


def blurred(frames: Frames, sigma: float) -> Frames:
    return np.stack([cv2.GaussianBlur(frame, (0, 0), sigma) for frame in frames])


def test_a_blurred_imitation_of_the_named_clip_is_told(sets: TrainingSets, clips: dict[str, Clips]):
    """Each film, blurred by 2 pixels of 64 and transcoded, against the film and against the next one."""
    films = list(clips[TRAIN])[:12]
    own, another = [], []
    for film, following in zip(films, [*films[1:], films[0]], strict=True):
        frames, fps = clips[TRAIN][film]
        imitation = transform_clip(blurred(frames, 2.0), "re-encode", film)
        own.append(scored(sets, imitation, fps, {"pair": [film]}).value)
        another.append(scored(sets, imitation, fps, {"pair": [following]}).value)
    assert sum(own) >= 11
    assert sum(another) == 0


def test_a_clip_that_was_not_in_training_is_no_copy_of_a_named_one(
    sets: TrainingSets, clips: dict[str, Clips]
):
    """Fresh held-out clips, each against three named training clips: at most two false alarms of 90."""
    fresh = list(distinct_clips("base", 110, held_out=True))[80:]
    names = list(clips[TRAIN])
    flagged = [
        scored(sets, frames, fps, {"pair": [names[(3 * k + shift) % len(names)]]}).value
        for k, (_, frames, fps) in enumerate(fresh)
        for shift in range(3)
    ]
    assert len(flagged) == 90
    assert sum(flagged) <= 2


def test_its_threshold_rests_on_all_pairs_and_is_kept(
    sets: TrainingSets, clips: dict[str, Clips], tmp_path: Path
):
    found = sets.named.calibration
    assert found.pairs == found.held_out * len(clips[TRAIN]) == 40 * 48
    assert found.threshold < sets.calibration(THUMBNAILS).threshold
    again = opened(clips, tmp_path)
    first = again.named.calibration
    assert first == found  # another folder, the same numbers
    (kept,) = (tmp_path / "thresholds").glob("*.json")
    before = kept.stat().st_mtime_ns
    assert opened(clips, tmp_path).named.calibration == found
    assert kept.stat().st_mtime_ns == before


def test_of_a_large_training_set_as_many_pairs_are_compared_as_the_threshold_needs(
    clips: dict[str, Clips], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Half of 20 clips is more than the 8 that a search keeps, as a thousandth of over 8,000 is."""
    monkeypatch.setattr("screentest.safety.memorisation.named_clips.NAMED_QUANTILE", 0.5)
    retrieved: list[list[str]] = []

    def watched(*given: Any) -> list[list[str]]:
        retrieved.extend(retrieved_clips(*given))
        return retrieved

    monkeypatch.setattr("screentest.safety.memorisation.named_clips.retrieved_clips", watched)
    encoder = make_encoder(THUMBNAILS)
    rows = {
        which: {name: encode(encoder, frames, fps=fps) for name, (frames, fps) in list(of.items())[:n]}
        for (which, of), n in zip(clips.items(), (20, 12), strict=True)
    }
    train, others = (
        Reference(
            which,
            {THUMBNAILS: np.concatenate(list(of.values()))},
            {THUMBNAILS: [name for name, made in of.items() for _ in made]},
            len(of),
        )
        for which, of in rows.items()
    )
    queries = list(rows[HELD_OUT].items())[:3]
    found = NamedClips(train, others, queries, tmp_path / "threshold.json").calibration
    assert found.pairs == 60
    assert [sorted(names) for names in retrieved] == [sorted(rows[TRAIN])] * 3


def test_the_evidence_names_both_clips_and_what_the_threshold_rests_on(
    sets: TrainingSets, clips: dict[str, Clips]
):
    film = next(iter(clips[TRAIN]))
    frames, fps = clips[TRAIN][film]
    told = scored(sets, frames, fps, {"pair": [film]})
    assert told.value == 1.0
    assert told.evidence["training_clip"] == film
    assert float(str(told.evidence["relative"])) > 0.99
    assert told.evidence["pairs"] == sets.named.calibration.pairs


@pytest.mark.parametrize(
    ("labels", "reason"),
    [({}, "names no training clip"), ({"pair": ["nowhere"]}, "the training set has no clip 'nowhere'")],
)
def test_without_a_named_clip_it_does_not_apply(
    sets: TrainingSets, clips: dict[str, Clips], labels: dict[str, list[str]], reason: str
):
    frames, fps = next(iter(clips[TRAIN].values()))
    with pytest.raises(NotApplicable, match=reason):
        scored(sets, frames, fps, labels)


def test_a_clip_is_looked_up_by_its_name(sets: TrainingSets, clips: dict[str, Clips]):
    assert isinstance(sets.named, NamedClips)
    assert next(iter(clips[TRAIN])) in sets.named
    with pytest.raises(KeyError):
        sets.named.nearness(np.zeros((1, 3072), np.float16), "nowhere")
