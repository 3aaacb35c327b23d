"""Planted copies: in the world, and of real clips by ImageNet features, each held against clips unlike it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from screentest.generators.reference.training.data import distinct_samples
from screentest.generators.worlds.plane import render
from screentest.harness.core.errors import MissingWeightsError
from screentest.harness.core.media import open_clip
from screentest.metrics import Encoder, EncoderOptions, Reference, make_encoder
from screentest.metrics.encoders.efficientnet import find_efficientnet
from screentest.safety.memorisation.hashes import VERSIONS
from screentest.safety.memorisation.search import nearest_clips
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
@pytest.mark.parametrize("feature", ["frame_hash", "motion_hash"])
def test_a_copied_film_is_nearest_to_its_own_among_other_clips_of_the_world(name: str, feature: str):
    samples = list(distinct_samples("base", 60))
    clips = {
        sample.name or f"training {k}": render(sample.scene, sample.clip)[0]
        for k, sample in enumerate(samples)
    }
    films = [sample.name for sample in samples if sample.name][::4]
    right = nearest_is_right(
        clips, films, name, make_encoder(feature), make_encoder(f"{feature}_queries"), lambda _: 8.0
    )
    assert right >= 8 / 9


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
