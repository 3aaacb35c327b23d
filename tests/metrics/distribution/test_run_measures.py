"""Set measures of a run: their values are those of the functions, with n, interval and refusals."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from screentest.harness.core.errors import UsageError
from screentest.harness.core.estimate import RunEstimate
from screentest.harness.core.items import ClipSettings, Item
from screentest.metrics import MEASURES, NotApplicable, Reference, RunSample, set_measure, vendi_score
from screentest.metrics.distribution.diversity import within_prompts
from screentest.metrics.distribution.frechet import frechet_distance
from screentest.metrics.distribution.kernel import cmmd, jedi_distance
from screentest.metrics.distribution.neighbours import precision_recall_density_coverage

OF_SETS = ["fidelity.jedi", "fidelity.cmmd", "fidelity.frame_frechet", "fidelity.prdc"]
OF_ONE = ["diversity.vendi", "diversity.per_prompt"]
FEATURE = {"fidelity.cmmd": "clip", "fidelity.frame_frechet": "image"}


def clusters_of(prompts: int, seeds: int) -> list[str]:
    return [f"prompt {p}" for p in range(prompts) for _ in range(seeds)]


def sample_of(name: str, x: np.ndarray, clusters: Sequence[str], y: np.ndarray, frames: int = 1) -> RunSample:
    """A run, and a reference set, of clips with so many rows each."""
    feature = FEATURE.get(name, "video")
    items = [Item(f"{k // frames}", c, c, k, ClipSettings()) for k, c in enumerate(clusters)]
    names = [f"{k // frames}" for k in range(len(y))]
    reference = Reference("default", {feature: y}, {feature: names}, len(set(names)))
    return RunSample(items, {feature: x}, {"default": reference} if name in OF_SETS else {})


def taken(name: str, sample: RunSample) -> dict[str, RunEstimate]:
    function = MEASURES.get(name).set_function
    assert function is not None
    found = function(sample)
    return {"": found} if isinstance(found, RunEstimate) else dict(found)


def draw(n: int, d: int = 4, seed: int = 0, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, d)) + shift


def values_of(x: np.ndarray, y: np.ndarray, clusters: Sequence[str]) -> dict[str, dict[str, float]]:
    return {
        "fidelity.jedi": {"": jedi_distance(x, y)},
        "fidelity.cmmd": {"": cmmd(x, y)},
        "fidelity.frame_frechet": {"": frechet_distance(x, y)},
        "fidelity.prdc": precision_recall_density_coverage(y, x)._asdict(),
        "diversity.vendi": {"": vendi_score(x)},
        "diversity.per_prompt": {"": float(np.mean(list(within_prompts(x, clusters).values())))},
    }


@pytest.mark.parametrize("name", [*OF_SETS, *OF_ONE])
def test_a_measure_gives_its_function_with_an_interval_and_n(name: str):
    x, y, clusters = draw(40, shift=1.0), draw(60, seed=1), clusters_of(10, 4)
    found = taken(name, sample_of(name, x, clusters, y))
    expected = values_of(x, y, clusters)[name]
    assert set(found) == set(expected)
    for value, one in found.items():
        assert one.value == pytest.approx(expected[value], rel=1e-12)
        assert one.low is not None
        assert one.high is not None
        assert one.low <= one.value <= one.high
        assert one.low < one.high
        assert (one.n, one.clusters, one.confidence) == (40, 10, 0.95)
        assert one.n_reference == (60 if name in OF_SETS else None)
        assert "n = 40 generated" in one.notes[0]
        assert len(one.leave_one_out) == 10


@pytest.mark.parametrize("name", [*OF_SETS, *OF_ONE])
def test_without_a_prompt_is_the_value_of_the_rest(name: str):
    x, y, clusters = draw(40, shift=1.0), draw(60, seed=1), clusters_of(10, 4)
    found = taken(name, sample_of(name, x, clusters, y))
    rest = values_of(x[4:], y, clusters[4:])[name]
    for value, one in found.items():
        assert one.leave_one_out["prompt 0"] == pytest.approx(rest[value], rel=1e-9)


@pytest.mark.parametrize("name", [*OF_SETS, *OF_ONE])
def test_the_order_of_the_clips_does_not_matter(name: str):
    x, y, clusters = draw(24, shift=1.0), draw(30, seed=1), clusters_of(8, 3)
    order = np.random.default_rng(2).permutation(24)
    one = taken(name, sample_of(name, x, clusters, y))
    other = taken(name, sample_of(name, x[order], [clusters[k] for k in order], y[::-1]))
    for value in one:
        assert other[value].value == pytest.approx(one[value].value, rel=1e-9)
        assert other[value].low == pytest.approx(one[value].low, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", ["fidelity.jedi", "fidelity.cmmd", "fidelity.frame_frechet"])
def test_a_set_is_at_no_distance_from_itself_and_never_below(name: str):
    x = draw(30, shift=2.0)
    assert taken(name, sample_of(name, x, clusters_of(10, 3), x))[""].value == pytest.approx(0.0, abs=1e-9)
    near = taken(name, sample_of(name, x, clusters_of(10, 3), draw(30, seed=3, shift=2.0)))[""]
    assert near.value is not None
    assert near.low is not None
    assert near.value > 0
    assert near.low >= 0


@pytest.mark.parametrize("name", [*OF_SETS, *OF_ONE])
def test_one_clip_and_values_that_are_not_finite_are_refused(name: str):
    x, y = draw(40), draw(60, seed=1)
    with pytest.raises(NotApplicable, match="clips"):
        taken(name, sample_of(name, x[:1], ["a"], y))
    bad = x.copy()
    bad[3, 1] = np.nan
    with pytest.raises(UsageError, match="NaN or infinite"):
        taken(name, sample_of(name, bad, clusters_of(10, 4), y))


@pytest.mark.parametrize("name", ["fidelity.cmmd", "fidelity.frame_frechet"])
def test_frames_are_rows_and_clips_are_counted(name: str):
    x, y = draw(40, shift=1.0), draw(60, seed=1, shift=0.8)
    found = taken(name, sample_of(name, x, clusters_of(5, 8), y, frames=4))[""]
    assert (found.n, found.n_reference) == (10, 15)
    assert found.notes[0].startswith(
        "n = 10 generated clips (40 frames) and m = 15 reference clips (60 frames), 4 features"
    )
    with pytest.raises(NotApplicable, match="two clips in each set; there are 1 and 15"):
        taken(name, sample_of(name, x[:4], ["a"] * 4, y, frames=4))


def test_fewer_frames_than_features_are_said():
    name = "fidelity.frame_frechet"
    x = draw(8, d=12, shift=1.0)
    assert any(
        "fewer frames than features" in note
        for note in taken(name, sample_of(name, x, clusters_of(4, 2), x))[""].notes
    )


def test_the_diversity_of_prompts_by_hand():
    x = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [3.0, 0.0], [1.0, 1.0]])
    clusters = ["a", "a", "b", "b", "c"]
    assert within_prompts(x, clusters) == {"a": pytest.approx(1.0), "b": 0.0}
    found = taken("diversity.per_prompt", sample_of("diversity.per_prompt", x, clusters, x))[""]
    assert found.value == pytest.approx(0.5)
    assert "over 2 prompts with two clips or more" in found.notes
    assert "1 prompt with one clip left out" in found.notes
    with pytest.raises(NotApplicable, match="no prompt has two clips"):
        taken("diversity.per_prompt", sample_of("diversity.per_prompt", x, list("abcde"), x))


@settings(max_examples=25, deadline=None)
@given(seeds=st.integers(2, 6), d=st.integers(1, 5), seed=st.integers(0, 99), scale=st.floats(1e-3, 1e3))
def test_the_diversity_of_a_prompt_is_the_mean_over_its_pairs(seeds: int, d: int, seed: int, scale: float):
    x = draw(seeds, d, seed)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    pairs = [1 - unit[i] @ unit[j] for i in range(seeds) for j in range(i)]
    found = within_prompts(x * scale, ["a"] * seeds)["a"]
    assert found == pytest.approx(np.mean(pairs), abs=1e-9)
    assert 0 <= found <= 2
    assert within_prompts(np.repeat(x[:1], seeds, axis=0), ["a"] * seeds)["a"] == pytest.approx(
        0.0, abs=1e-12
    )


def test_a_value_at_the_end_of_its_range_has_no_interval_of_no_width():
    x = draw(40)
    found = taken("fidelity.prdc", sample_of("fidelity.prdc", x, clusters_of(10, 4), x))["precision"]
    assert (found.value, found.low, found.high) == (1.0, None, None)
    assert any("shows no spread" in note for note in found.notes)


def test_rows_of_frames_are_of_one_feature():
    with pytest.raises(UsageError, match="rows of frames are of one feature"):
        set_measure(
            "test.two", version=1, needs=("clip", "image"), better="lower", bounds=(0, None), rows="frame"
        )
