"""Measures as torchmetrics metrics: the values of `score`, however the videos are dealt out."""

from __future__ import annotations

import doctest
import math
import pickle
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import screentest as st
import torch
from screentest.harness.api import metric as module
from screentest.harness.core.estimate import RunEstimate
from screentest.harness.core.media import write_clip
from screentest.metrics import MEASURES, RunSample, Value, set_measure
from torchmetrics import MetricCollection

PROMPTS = ["a red ball falls", "a blue square moves left", "a red ball falls", "a green ball rises"]
ENCODERS = {"clip": "reference", "video": "reference"}


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    rng = np.random.default_rng(7)
    rough = rng.integers(0, 256, (4, 16, 8, 8, 3), dtype=np.uint8)
    return rough.repeat(8, axis=2).repeat(8, axis=3)


@pytest.fixture(scope="module")
def options(frames, tmp_path_factory) -> dict[str, Any]:
    place = tmp_path_factory.mktemp("real")
    for number, clip in enumerate(frames[:, ::-1]):
        write_clip(place / f"{number}.mp4", clip, 8.0)
    return {"encoders": ENCODERS, "reference_set": place, "cache": tmp_path_factory.mktemp("cache")}


def test_the_examples_hold():
    found = doctest.testmod(module)
    assert found.attempted > 3
    assert found.failed == 0


@pytest.mark.parametrize(
    "name", ["motion.flicker", "alignment.clip", "fidelity.kvd", "motion.dynamic_degree"]
)
def test_the_value_and_its_interval_are_those_of_score(name, frames, options):
    scored = st.score(frames, PROMPTS, measures=name, **options)[name]
    made = st.metric(name, **options)
    made.update(torch.from_numpy(frames[:1]), PROMPTS[:1])
    made.update(torch.from_numpy(frames[1:]), PROMPTS[1:])
    value = made.compute()
    assert isinstance(value, torch.Tensor)
    assert float(value) == scored.value
    found = made.estimates()[""]
    assert (found.low, found.high, found.n, found.clusters, found.method) == (
        scored.low, scored.high, scored.n, scored.clusters, scored.method
    )  # fmt: skip


@pytest.fixture
def named_measure() -> Iterator[str]:
    """A set measure of two values, without a reference set."""
    values = {name: Value("neither", (None, None)) for name in ("mean", "largest")}
    bounds = (None, None)

    @set_measure(
        "toy.features",
        version=1,
        needs="video",
        better="neither",
        bounds=bounds,
        values=values,
        references=(),
    )
    def features(sample: RunSample) -> dict[str, RunEstimate]:
        """Mean and maximum of the features."""
        rows = sample.features["video"]
        taken = {"mean": float(rows.mean()), "largest": float(rows.max())}
        return {name: RunEstimate(value=value, n=len(rows)) for name, value in taken.items()}

    yield "toy.features"
    del MEASURES._entries["toy.features"]


def test_named_values_are_a_mapping(frames, options, named_measure):
    chosen = {"encoders": ENCODERS, "cache": options["cache"]}
    scored = st.score(frames, PROMPTS, measures=named_measure, **chosen)
    made = st.metric(named_measure, **chosen)
    made.update(frames, PROMPTS)
    found = made.compute()
    assert isinstance(found, dict)
    assert {f"toy.features.{name}": float(value) for name, value in found.items()} == {
        a.measure: a.value for a in scored.aggregates().aggregates if a.tag is None
    }


@pytest.mark.parametrize("name", ["motion.flicker", "fidelity.kvd"])
def test_shards_merge_to_the_whole(name, frames, options):
    whole, one, other = (st.metric(name, **options) for _ in range(3))
    whole.update(frames, PROMPTS)
    one.update(frames[:3], PROMPTS[:3])
    other.update(frames[3:], PROMPTS[3:])
    one.merge_state(other)
    assert float(one.compute()) == pytest.approx(float(whole.compute()), rel=1e-12)
    assert one.estimates()[""].n == 4

    def gathered(state: torch.Tensor, group: Any = None) -> list[torch.Tensor]:
        return [torch.cat(rank) for rank in states if rank] or [state]

    left, right = st.metric(name, **options), st.metric(name, **options)
    left.update(frames[:1], PROMPTS[:1])
    right.update(frames[1:], PROMPTS[1:])
    states = [getattr(left, left._state), getattr(right, right._state)]
    left.sync(dist_sync_fn=gathered, distributed_available=lambda: True)
    assert left.estimates()[""].value == float(whole.compute())


def test_a_collection_keeps_metrics_apart(frames, options):
    members: Any = {
        "flicker": st.metric("motion.flicker", **options),
        "slow": st.metric("motion.flicker", fps=4.0, **options),
        "alignment": st.metric("alignment.clip", **options),
    }
    collection = MetricCollection(members)
    collection.update(frames, PROMPTS)
    first = collection.compute()
    assert len(collection.compute_groups) == 3
    expected = st.score(frames, PROMPTS, measures=["motion.flicker", "alignment.clip"], **options)
    assert float(first["flicker"]) == expected["motion.flicker"].value
    assert float(first["alignment"]) == expected["alignment.clip"].value
    assert members["flicker"].higher_is_better


def test_the_collection_of_the_readme_works_as_shown(frames):
    text = (Path(__file__).parents[3] / "README.md").read_text()
    (code,) = re.findall(r"```python\n(metrics = MetricCollection.*?)```", text, re.S)
    names = {"st": st, "MetricCollection": MetricCollection, "videos": frames, "prompts": PROMPTS}
    exec(code, names)
    metrics: Any = names["metrics"]
    assert set(metrics.compute()) == {"flicker", "moves"}
    assert metrics["flicker"].estimates()[""].n == len(frames)


def test_reset_forgets_and_pickle_keeps(frames, options):
    made = st.metric("motion.flicker", **options)
    made.update(frames, PROMPTS)
    value, found = float(made.compute()), made.estimates()
    again = pickle.loads(pickle.dumps(made))
    assert float(again.compute()) == value
    assert again.estimates() == found
    made.reset()
    with pytest.raises(st.UsageError, match=r"has no value without a video; call update\(videos\) first"):
        made.estimates()
    made.update(frames, PROMPTS)
    assert made.estimates() == found


def test_forward_gives_the_value_of_the_batch_and_keeps_all(frames, options):
    made, alone = st.metric("motion.flicker", **options), st.metric("motion.flicker", **options)
    batch = made(frames[:2], PROMPTS[:2])
    alone.update(frames[:2], PROMPTS[:2])
    assert float(batch) == float(alone.compute())
    made(frames[2:], PROMPTS[2:])
    assert made.estimates()[""].n == 4
    assert made.estimates()[""].clusters == 3
    alone.update(frames[2:], PROMPTS[2:])
    assert float(made.compute()) == float(alone.compute())


def test_a_clip_without_a_value_is_left_out_and_none_is_no_zero(frames, options, tmp_path):
    made = st.metric("motion.flicker", **options)
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    made.update(tmp_path / "broken.mp4")
    value = made.compute()
    assert isinstance(value, torch.Tensor)
    assert math.isnan(float(value))
    assert made.estimates()[""].left_out["failed"] == 1
    made.update(frames[:1])
    assert made.estimates()[""].n == 1


def test_mistakes_are_one_sentence(frames, options):
    with pytest.raises(st.UsageError, match="did you mean 'motion.flicker'"):  # noqa: RUF043
        st.metric("motion.flickr")
    with pytest.raises(st.UsageError, match="unknown option 'encoder'; did you mean 'encoders'"):
        st.metric("alignment.clip", encoder={})
    with pytest.raises(st.UsageError, match="fps is 0"):
        st.metric("motion.flicker", fps=0)
    with pytest.raises(st.UsageError, match="compares a video with its prompt"):
        st.metric("alignment.clip", **options).update(frames)
    with pytest.raises(st.UsageError, match="4 videos and 3 prompts were given"):
        st.metric("motion.flicker").update(frames, PROMPTS[:3])


def _rank(rank: int, place: str, options: dict[str, Any]) -> None:
    """Score the videos of one process of three, of which the last has none."""
    torch.distributed.init_process_group("gloo", init_method=f"file://{place}/meet", rank=rank, world_size=3)
    frames = np.load(f"{place}/frames.npy")
    warnings.simplefilter("ignore", UserWarning)  # that a process without videos has made no update
    made = st.metric("alignment.clip", **options)
    mine = [[0, 1], [2, 3], []][rank]
    if mine:
        made.update(frames[mine], [PROMPTS[n] for n in mine])
    Path(f"{place}/{rank}.txt").write_text(f"{float(made.compute())!r} {made.estimates()[''].n}")
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_processes_give_the_value_of_one(frames, options, tmp_path):
    np.save(tmp_path / "frames.npy", frames)
    torch.multiprocessing.spawn(_rank, (str(tmp_path), options), nprocs=3)
    scored = st.score(frames, PROMPTS, measures="alignment.clip", **options)["alignment.clip"]
    for rank in range(3):
        value, n = (tmp_path / f"{rank}.txt").read_text().split()
        assert (float(value), int(n)) == (scored.value, 4)


@pytest.mark.parametrize("name", ["refusal.rate", "failure.rate"])
def test_a_measure_of_outcomes_is_no_metric_of_videos(name):
    with pytest.raises(st.UsageError, match="videos do not show it"):
        st.metric(name)
