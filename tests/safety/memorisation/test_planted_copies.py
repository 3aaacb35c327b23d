"""Planted copies: in the world, and of real clips by ImageNet features, each held against clips unlike it."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from screentest.generators.reference.training.data import distinct_clips, distinct_samples
from screentest.generators.worlds.plane import render
from screentest.harness.core.errors import MissingWeightsError
from screentest.harness.core.media import open_clip
from screentest.metrics import Encoder, EncoderOptions, Reference, make_encoder
from screentest.metrics.encoders.efficientnet import find_efficientnet
from screentest.safety.memorisation.hashes import VERSIONS
from screentest.safety.memorisation.search import nearest_clips
from screentest.safety.memorisation.training_sets import HELD_OUT, THUMBNAILS, TRAIN, TrainingSets
from screentest.safety.memorisation.transformations import TRANSFORMATIONS, transform_clip

from ...metrics.helpers import Frames, encode

CLIPS = Path(__file__).parents[4] / "shared" / "data" / "clips"
"""Beside the checkout, where they are."""


def nearest_is_right(
    clips: dict[str, Frames],
    copied: list[str],
    name: str,
    index: Encoder,
    query: Encoder,
    fps: Callable[[str], float],
) -> float:
    """Share of copies whose nearest clip is the one that was copied."""
    versions = len(VERSIONS) if query.name.endswith("_queries") else 1
    rows = {clip: encode(index, frames, fps=fps(clip)) for clip, frames in clips.items()}
    names = [clip for clip, of in rows.items() for _ in of]
    reference = Reference(
        "train", {index.name: np.concatenate(list(rows.values()))}, {index.name: names}, len(rows)
    )
    queries = [encode(query, transform_clip(clips[clip], name, clip), fps=fps(clip)) for clip in copied]
    found = nearest_clips([q.reshape(versions, -1, q.shape[1]) for q in queries], reference, index.name)
    return float(np.mean([match.clip == clip for match, clip in zip(found, copied, strict=True)]))


@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_the_motion_of_a_copied_film_is_nearest_to_its_own_among_other_clips_of_the_world(name: str):
    samples = list(distinct_samples("base", 60))
    clips = {
        sample.name or f"training {k}": render(sample.scene, sample.clip)[0]
        for k, sample in enumerate(samples)
    }
    films = [sample.name for sample in samples if sample.name][::4]
    right = nearest_is_right(
        clips, films, name, make_encoder("motion_hash"), make_encoder("motion_hash_queries"), lambda _: 8.0
    )
    assert right >= 8 / 9


def recall_in_the_world(
    folder: Path, clips: int, copied: Sequence[int], names: Sequence[str]
) -> dict[str, tuple[float, float]]:
    """Of planted copies of training clips: share above the threshold, and whose nearest clip is right."""
    sets = {
        TRAIN: list(distinct_clips("base", clips)),
        HELD_OUT: list(distinct_clips("base", clips, held_out=True)),
    }
    encoder = make_encoder(THUMBNAILS)

    def load(which: str, feature: str) -> tuple[np.ndarray, list[str]]:
        assert feature == THUMBNAILS
        rows = {name: encode(encoder, frames, fps=fps) for name, frames, fps in sets[which]}
        return np.concatenate(list(rows.values())), [name for name, of in rows.items() for _ in of]

    held = TrainingSets(load, {one: one.ljust(64, "0") for one in sets}, {THUMBNAILS: encoder.digest}, folder)
    threshold = held.calibration(THUMBNAILS).threshold
    found: dict[str, tuple[float, float]] = {}
    for name in names:
        near = {
            clip: held.nearest(THUMBNAILS, encode(encoder, transform_clip(frames, name, clip), fps=fps))
            for clip, frames, fps in (sets[TRAIN][k] for k in copied)
        }
        above = [one.relative > threshold for one in near.values()]
        right = [one.match.clip == clip for clip, one in near.items()]
        found[name] = float(np.mean(above)), float(np.mean(right))
    return found


def test_planted_copies_are_above_the_threshold(tmp_path: Path):
    found = recall_in_the_world(tmp_path, 64, range(0, 64, 8), ["crop", "border", "re-encode"])
    assert all(above >= 7 / 8 and right == 1 for above, right in found.values()), found


@pytest.mark.slow
@pytest.mark.parametrize("copied", [range(36), range(36, 300, 7)], ids=["films", "others"])
def test_planted_copies_of_a_larger_set_are_above_the_threshold(tmp_path: Path, copied: range):
    found = recall_in_the_world(tmp_path, 300, copied, list(TRANSFORMATIONS))
    assert all(above >= 0.95 and right >= 0.97 for above, right in found.values()), found


@pytest.mark.slow
@pytest.mark.parametrize("name", ["re-encode", "crop", "flip", "time shift"])
def test_a_copied_real_clip_is_nearest_to_its_own(name: str):
    try:
        find_efficientnet()
    except MissingWeightsError as why:
        pytest.skip(str(why))
    files = sorted((CLIPS / "animatediff").glob("*.gif"))[:8]
    if not files:
        pytest.skip(f"there are no clips in {CLIPS}")
    clips = {
        file.stem: np.concatenate([w.frames_THWC for w in open_clip(file).windows()])[:16] for file in files
    }
    encoder = make_encoder("image", "efficientnet-lite0?fps=8,frames=2", EncoderOptions("cpu"))
    assert nearest_is_right(clips, list(clips), name, encoder, encoder, lambda _: 25.0) == 1.0
