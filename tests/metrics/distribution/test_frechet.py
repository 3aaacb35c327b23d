import copy
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from screentest.harness.core.errors import UsageError
from screentest.harness.core.estimate import RunEstimate
from screentest.harness.core.items import ClipSettings, Item
from screentest.metrics import MEASURES, NotApplicable, Reference, RunSample
from screentest.metrics.distribution.frechet import (
    SmallSetWarning,
    extrapolate_frechet,
    frechet_distance,
    frechet_distance_from_moments,
)
from screentest.metrics.distribution.groups import MAX_GROUPS
from screentest.metrics.encoders.base import Feature


def correlated(n: int, d: int, seed: int, shift: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(1000 + seed).standard_normal((d, d)) / np.sqrt(d) + np.eye(d)
    return rng.standard_normal((n, d)) @ mixing + shift


def by_square_root(x: np.ndarray, y: np.ndarray, ddof: int) -> float:
    """The textbook formula, sound for well-conditioned covariances."""
    from scipy.linalg import sqrtm

    s_x, s_y = np.cov(x.T, ddof=ddof), np.cov(y.T, ddof=ddof)
    gap = x.mean(axis=0) - y.mean(axis=0)
    return float(gap @ gap + np.trace(s_x + s_y - 2 * np.real(sqrtm(s_x @ s_y))))


@pytest.mark.parametrize("ddof", [0, 1])
def test_it_agrees_with_the_matrix_square_root(ddof):
    x, y = correlated(400, 12, 0), correlated(300, 12, 1, shift=0.5)
    expected = by_square_root(x, y, ddof)
    assert frechet_distance(x, y, ddof=ddof) == pytest.approx(expected, rel=1e-9)
    moments = [m for z in (x, y) for m in (z.mean(axis=0), np.cov(z.T, ddof=ddof))]
    assert frechet_distance_from_moments(*moments) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("n", "floor"), [(64, 545.0), (256, 297.0)])
def test_the_sample_size_floor_in_400_dimensions(n: int, floor: float):
    # N(0, I_400) against itself, computed anew from the definition
    rng = np.random.default_rng(n)
    with pytest.warns(SmallSetWarning, match=f"a set of {n} clips does not exceed the feature dimension 400"):
        distance = frechet_distance(*rng.standard_normal((2, n, 400)))
    assert distance == pytest.approx(floor, rel=0.02)


def test_gaussians_in_one_dimension_by_hand():
    # (m_x - m_y)^2 + (s_x - s_y)^2 with standard deviations 1 and 2 (n), means 0 and 3
    x, y = np.array([[-1.0], [1.0]]), np.array([[1.0], [5.0]])
    assert frechet_distance(x, y, ddof=0) == pytest.approx(9.0 + 1.0)
    assert frechet_distance(x, y, ddof=1) == pytest.approx(9.0 + 2.0)


@pytest.mark.filterwarnings("ignore::screentest.metrics.distribution.frechet.SmallSetWarning")
@pytest.mark.parametrize("n", [2, 5, 40])
def test_identical_sets_are_at_distance_zero_even_when_singular(n: int):
    x = correlated(n, 20, 3)
    assert frechet_distance(x, x) == pytest.approx(0.0, abs=1e-9)
    assert frechet_distance(x, x[::-1]) == pytest.approx(0.0, abs=1e-9)
    covariance = np.cov(x.T)
    assert frechet_distance_from_moments(x.mean(0), covariance, x.mean(0), covariance) == pytest.approx(
        0.0, abs=1e-9
    )


@pytest.mark.filterwarnings("ignore::screentest.metrics.distribution.frechet.SmallSetWarning")
@settings(max_examples=60, deadline=None)
@given(st.integers(2, 12), st.integers(2, 12), st.integers(1, 8), st.integers(0, 10**6), st.floats(1e-6, 1e6))
def test_it_is_never_negative_symmetric_and_scales_with_the_square(n, m, d, seed, scale):
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((n, d)), rng.standard_normal((m, d))
    distance = frechet_distance(x, y)
    assert distance >= 0.0
    assert frechet_distance(y, x) == pytest.approx(distance, rel=1e-6, abs=1e-9)
    assert frechet_distance(scale * x, scale * y) == pytest.approx(scale**2 * distance, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.ones((1, 3)), np.ones((5, 3)), "two clips in each set"),
        (np.ones((4, 3)), np.ones((5, 2)), "shapes"),
        (np.full((4, 3), np.nan), np.ones((5, 3)), "NaN"),
        (np.full((4, 3), 1e200) * np.arange(4)[:, None], np.ones((5, 3)), "beyond 1e"),
    ],
)
def test_bad_sets_are_refused_in_a_sentence(x, y, message):
    with pytest.raises(UsageError, match=message):
        frechet_distance(x, y)


def by_qr(x: np.ndarray, y: np.ndarray) -> float:
    """The distance from orthogonal decompositions of the rows alone, which no condition number harms."""
    factors = [np.linalg.qr((z - z.mean(axis=0)) / np.sqrt(len(z) - 1), mode="r") for z in (x, y)]
    nuclear = np.linalg.svd(factors[0] @ factors[1].T, compute_uv=False).sum()
    gap = x.mean(axis=0) - y.mean(axis=0)
    return float(gap @ gap + sum(np.square(f).sum() for f in factors) - 2 * nuclear)


@pytest.mark.parametrize("decades", [0, 2, 4, 6, 8, 10])
@pytest.mark.parametrize(("n", "m", "d"), [(40, 35, 12), (13, 14, 12), (12, 60, 12), (300, 200, 64)])
@pytest.mark.filterwarnings("ignore::screentest.metrics.distribution.frechet.SmallSetWarning")
def test_every_path_gives_the_same_value_whatever_the_condition(n: int, m: int, d: int, decades: int):
    rng = np.random.default_rng(d)
    turn = np.linalg.qr(rng.standard_normal((d, d)))[0]
    mixing = 10.0 ** -np.linspace(0, decades, d)[:, None] * turn
    x, y = rng.standard_normal((n, d)) @ mixing, 1.3 * rng.standard_normal((m, d)) @ mixing + 0.1
    assert frechet_distance(x, y) == pytest.approx(by_qr(x, y), rel=1e-9)


@pytest.mark.parametrize("fault", ["a constant feature", "a repeated feature", "repeated clips", "one clip"])
def test_singular_covariances_keep_their_digits(fault: str):
    x, y = correlated(60, 8, 0), correlated(50, 8, 1, shift=0.3)
    if fault == "a constant feature":
        x[:, 2] = y[:, 2] = 7.0
    elif fault == "a repeated feature":
        x[:, 2], y[:, 2] = x[:, 5], y[:, 5]
    elif fault == "repeated clips":
        x = np.tile(x[:4], (15, 1))
    else:
        x = np.tile(x[:1], (60, 1))
    assert frechet_distance(x, y) == pytest.approx(by_qr(x, y), rel=1e-9)
    assert frechet_distance(x, x) == pytest.approx(0.0, abs=1e-12)
    moments = [f(z) for z in (x, y) for f in (lambda z: z.mean(0), lambda z: np.cov(z.T))]
    assert frechet_distance_from_moments(*moments) == pytest.approx(by_qr(x, y), rel=1e-7)


@pytest.mark.parametrize("far", [1e2, 1e4, 1e6, 1e8])
def test_features_far_from_zero_keep_their_digits(far: float):
    x, y = correlated(200, 6, 0), correlated(150, 6, 1, shift=2.0)
    near = frechet_distance(x, y)
    # the features themselves are rounded to about far * 1e-16
    assert frechet_distance(x + far, y + far) == pytest.approx(near, rel=1e-15 * far + 1e-12)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 8), st.integers(10, 30))
def test_it_knows_no_order_and_no_axes(seed: int, d: int, n: int):
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((n, d)), rng.standard_normal((n + 3, d)) + 0.5
    turn = np.linalg.qr(rng.standard_normal((d, d)))[0]
    distance = frechet_distance(x, y)
    assert frechet_distance(rng.permutation(x), rng.permutation(y)) == pytest.approx(distance, rel=1e-9)
    assert frechet_distance(x @ turn + 3.0, y @ turn + 3.0) == pytest.approx(distance, rel=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update(mean=m["mean"][:2]), "shapes"),
        (lambda m: m["covariance"].__setitem__((0, 1), np.inf), "NaN or infinite"),
        (lambda m: m["covariance"].__setitem__((0, 1), 5.0), "not symmetric"),
        (lambda m: m["covariance"].__setitem__((0, 0), -5.0), "negative eigenvalue"),
    ],
)
def test_moments_of_no_set_are_refused(change, message):
    x = correlated(20, 3, 0)
    moments = {"mean": x.mean(axis=0), "covariance": np.cov(x.T)}
    good = list(copy.deepcopy(moments).values())
    change(moments)
    with pytest.raises(UsageError, match=message):
        frechet_distance_from_moments(*good, *moments.values())


def test_extrapolation_takes_most_of_the_floor_away():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 1024, 16))
    plain, endless = frechet_distance(x, y), extrapolate_frechet(x, y, rng=np.random.default_rng(1))
    assert endless.slope > 0
    assert abs(endless.value) < 0.35 * plain
    assert endless == extrapolate_frechet(x, y, rng=np.random.default_rng(1))
    with pytest.raises(UsageError, match="16 clips"):
        extrapolate_frechet(x[:9], y, rng=rng)


def test_an_extrapolation_without_a_cluster_is_of_nearly_the_same_subsets():
    x, y = correlated(80, 3, 0, shift=0.5), correlated(90, 3, 1)
    fit = extrapolate_frechet(x, y, rng=np.random.default_rng(0), clusters=clusters_of(40, 2))
    assert 2 <= len(fit.leave_one_out) <= 16
    assert fit.value == extrapolate_frechet(x, y, rng=np.random.default_rng(0)).value
    one = extrapolate_frechet(x, y, rng=np.random.default_rng(0), clusters=clusters_of(10, 8))
    assert len(one.leave_one_out) == 10
    redrawn = [extrapolate_frechet(x, y, rng=np.random.default_rng(seed)).value for seed in range(10)]
    assert np.std(list(one.leave_one_out.values())) < np.std(redrawn)
    assert extrapolate_frechet(x, y, rng=np.random.default_rng(0), clusters=["a"] * 80).leave_one_out == {}


def clusters_of(prompts: int, seeds: int) -> list[str]:
    return [f"prompt {p}" for p in range(prompts) for _ in range(seeds)]


def sample_of(x: Feature, clusters: Sequence[str], y: Feature, confidence: float = 0.95) -> RunSample:
    """Give a run of one clip a row, with a reference set."""
    clip = ClipSettings()
    items = [Item(f"{k}", cluster, cluster, k, clip) for k, cluster in enumerate(clusters)]
    names = [f"{k}" for k in range(len(y))]
    reference = Reference("default", {"video": y}, {"video": names}, len(y))
    return RunSample(items, {"video": x}, {"default": reference}, confidence)


def taken(name: str, sample: RunSample) -> RunEstimate:
    function = MEASURES.get(name).set_function
    assert function is not None
    found = function(sample)
    assert isinstance(found, RunEstimate)
    return found


def fvd(sample: RunSample) -> RunEstimate:
    return taken("fidelity.fvd", sample)


def test_the_measure_brackets_its_value_and_says_how_many_clips():
    x, y = correlated(60, 6, 0, shift=1.0), correlated(200, 6, 1)
    scored = fvd(sample_of(x, clusters_of(15, 4), y))
    assert scored.low is not None
    assert scored.high is not None
    assert scored.value is not None
    assert 0 <= scored.low < scored.value < scored.high
    assert scored.value == frechet_distance(x, y)
    assert "n = 60 generated and m = 200 reference" in scored.notes[0]
    assert not any("fewer clips" in note for note in scored.notes)
    wider = fvd(sample_of(x, clusters_of(15, 4), y, confidence=0.99))
    assert wider.high is not None
    assert wider.high > scored.high


def test_the_measure_warns_below_the_feature_dimension_and_refuses_one_clip():
    x = correlated(8, 12, 0)
    assert any("fewer clips than features" in note for note in fvd(sample_of(x, clusters_of(8, 1), x)).notes)
    with pytest.raises(NotApplicable, match="two clips"):
        fvd(sample_of(x[:1], ["a"], x))


@pytest.mark.parametrize("name", ["fidelity.fvd_infinity", "fidelity.kvd"])
def test_the_distances_without_sample_size_bracket_their_values(name: str):
    x, y = correlated(60, 6, 0, shift=1.0), correlated(200, 6, 1)
    sample = sample_of(x, clusters_of(15, 4), y)
    scored = taken(name, sample)
    assert scored.low is not None
    assert scored.high is not None
    assert scored.value is not None
    assert scored.low < scored.value < scored.high
    assert scored == taken(name, sample)
    assert "n = 60 generated and m = 200 reference" in scored.notes[0]
    assert len(scored.leave_one_out) == 15
    with pytest.raises(NotApplicable, match="clips in each set"):
        taken(name, sample_of(x[:1], ["a"], y))
    assert taken(name, sample_of(x, ["same"] * 60, y)).method == "none"


def test_one_cluster_gives_a_value_without_an_interval():
    x = correlated(8, 3, 0)
    scored = fvd(sample_of(x, ["same"] * 8, x + 1))
    assert scored.value == pytest.approx(3.0)
    assert (scored.low, scored.high, scored.method) == (None, None, "none")
    assert any("no interval" in note for note in scored.notes)


def test_the_jackknife_is_the_textbook_one_for_clusters():
    from scipy.stats import t as student

    x, y, clusters = correlated(12, 2, 0, shift=3.0), correlated(50, 2, 1), clusters_of(4, 3)
    value = frechet_distance(x, y)
    without = [frechet_distance(np.delete(x, range(3 * g, 3 * g + 3), axis=0), y) for g in range(4)]
    error = np.sqrt(3 / 4 * np.square(np.array(without) - np.mean(without)).sum())
    scored = fvd(sample_of(x, clusters, y, 0.9))
    assert sorted(scored.leave_one_out.values()) == pytest.approx(sorted(without))
    assert scored.high == pytest.approx(value + student.ppf(0.95, 3) * error)


def test_many_clusters_are_deleted_in_groups():
    x, y = correlated(150, 3, 0), correlated(50, 3, 1)
    scored = fvd(sample_of(x, clusters_of(150, 1), y))
    assert 2 <= len(scored.leave_one_out) <= MAX_GROUPS
    assert scored.method == f"jackknife over {len(scored.leave_one_out)} groups of 150 prompts"
    fewer = fvd(sample_of(x[:-1], clusters_of(150, 1)[:-1], y))
    assert set(fewer.leave_one_out) <= set(scored.leave_one_out)


@pytest.mark.slow
def test_the_jackknife_covers_and_the_percentile_bootstrap_does_not():
    """The distance at these n and m is known by simulation; nominal coverage is 90 %."""
    dimension, prompts, seeds, m = 8, 20, 2, 400
    y = np.random.default_rng(0).standard_normal((m, dimension))
    x_shift = 0.5

    def draw(rng: np.random.Generator) -> np.ndarray:
        offsets = np.repeat(rng.standard_normal((prompts, dimension)) * 0.5, seeds, axis=0)
        return rng.standard_normal((prompts * seeds, dimension)) * np.sqrt(0.75) + offsets + x_shift

    rng = np.random.default_rng(1)
    target = np.mean([frechet_distance(draw(rng), y) for _ in range(1000)])
    jackknife = bootstrap = 0
    trials = 150
    for _ in range(trials):
        x = draw(rng)
        scored = fvd(sample_of(x, clusters_of(prompts, seeds), y, 0.9))
        assert scored.low is not None
        assert scored.high is not None
        jackknife += scored.low <= target <= scored.high
        chosen = rng.integers(0, prompts, (200, prompts))
        resampled = [
            frechet_distance(x.reshape(prompts, seeds, dimension)[c].reshape(-1, dimension), y)
            for c in chosen
        ]
        low, high = np.quantile(resampled, [0.05, 0.95])
        bootstrap += low <= target <= high
    assert jackknife / trials > 0.8
    assert bootstrap / trials < jackknife / trials - 0.1
