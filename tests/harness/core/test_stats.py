"""Intervals and bounds: properties and published numbers."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from screentest.harness.core.stats import (
    benjamini_hochberg,
    bounded_mean_interval,
    cluster_bootstrap,
    cluster_bootstrap_mean,
    components,
    detectable_effect,
    effective_sample_size,
    holm,
    jackknife_interval,
    jackknife_ratio,
    mean_bound,
    mean_power,
    means,
    needed_at_rate,
    needed_without_failures,
    newcombe_interval,
    paired_rate_interval,
    prompt_spread,
    prompts_for_effect,
    prompts_for_rate,
    prompts_to_clear,
    rate_bound,
    rate_interval,
    rate_power,
    ratio_interval,
    sign_counts,
    sign_flip_test,
    standing,
    unseen_prompts,
)
from screentest.harness.core.stats.clusters import blocks

own = [str(i) for i in range(5000)]
"""A prompt for each clip."""

rows = st.lists(
    st.tuples(st.floats(0, 1, allow_subnormal=False), st.sampled_from("abcdefghijklmnop")),
    min_size=1,
    max_size=40,
)
bits = st.lists(
    st.tuples(st.sampled_from([0.0, 1.0]), st.sampled_from("abcdefghijkl")), min_size=1, max_size=40
)
signs = st.lists(
    st.tuples(st.sampled_from([-1.0, 0.0, 1.0]), st.sampled_from("abcdefghijkl")), min_size=1, max_size=40
)
examples = settings(max_examples=30, deadline=None)


def split(table):
    return [value for value, _ in table], [cluster for _, cluster in table]


# -- properties


@examples
@given(rows, st.randoms(use_true_random=False))
def test_mean_does_not_depend_on_order(table, rng: random.Random) -> None:
    shuffled = list(table)
    rng.shuffle(shuffled)
    first, second = (cluster_bootstrap_mean(*split(t), 0.95, seed="m") for t in (table, shuffled))
    assert first == second


@examples
@given(bits, st.randoms(use_true_random=False))
def test_rates_do_not_depend_on_order(table, rng: random.Random) -> None:
    shuffled = list(table)
    rng.shuffle(shuffled)
    assert rate_interval(*split(table), 0.95) == rate_interval(*split(shuffled), 0.95)
    for side in ("upper", "lower"):
        assert rate_bound(*split(table), 0.95, side) == rate_bound(*split(shuffled), 0.95, side)


@examples
@given(signs, st.randoms(use_true_random=False))
def test_paired_statistics_do_not_depend_on_order(table, rng: random.Random) -> None:
    shuffled = list(table)
    rng.shuffle(shuffled)
    assert paired_rate_interval(*split(table), 0.95) == paired_rate_interval(*split(shuffled), 0.95)
    assert sign_flip_test(*split(table), seed=1) == sign_flip_test(*split(shuffled), seed=1)


@examples
@given(rows)
def test_mean_interval_holds_the_value_and_keeps_to_the_range(table) -> None:
    interval = cluster_bootstrap_mean(*split(table), 0.95, seed="m", bounds=(0.0, 1.0))
    if len({c for _, c in table}) < 2:
        assert interval.low is None
        assert interval.high is None
        assert "one prompt" in interval.notes[0]
    else:
        assert interval.low <= interval.value <= interval.high
        # The mean of equal values may round one step past the range; the interval follows it.
        assert interval.low >= -1e-12
        assert interval.high <= 1 + 1e-12


@examples
@given(bits)
def test_rate_interval_holds_the_value_and_lies_in_0_1(table) -> None:
    interval = rate_interval(*split(table), 0.95)
    assert 0 <= interval.low <= interval.value <= interval.high <= 1
    lower, upper = (rate_bound(*split(table), 0.95, side) for side in ("lower", "upper"))
    assert 0 <= lower <= interval.value + 1e-12
    assert interval.value - 1e-12 <= upper <= 1
    assert 1 <= effective_sample_size(*split(table)) <= len(table)


@examples
@given(signs)
def test_paired_rate_interval_holds_the_value(table) -> None:
    interval = paired_rate_interval(*split(table), 0.95)
    if interval.low is not None:
        assert -1 <= interval.low <= interval.value <= interval.high <= 1
    p, _ = sign_flip_test(*split(table), seed=1)
    assert 0 < p <= 1


@examples
@given(bits)
def test_mirrored_rates_have_mirrored_bounds(table) -> None:
    values, clusters = split(table)
    mirrored = [1 - v for v in values]
    upper = rate_bound(values, clusters, 0.95, "upper")
    assert rate_bound(mirrored, clusters, 0.95, "lower") == pytest.approx(1 - upper, abs=1e-9)


def test_the_seed_decides_the_resamples() -> None:
    values = [((7 * i) % 11) / 11 for i in range(40)]
    one, same, other = (cluster_bootstrap_mean(values, own[:40], 0.95, seed=s) for s in ("a", "a", "b"))
    assert one == same
    assert (one.low, one.high) != (other.low, other.high)
    assert one.value == other.value


def test_resampling_in_blocks_is_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sum(blocks(3_000_000, 7)) == 7
    assert sum(blocks(12, means.RESAMPLES)) == means.RESAMPLES
    assert max(blocks(100_000, means.RESAMPLES)) <= 2


def test_a_wider_confidence_gives_a_wider_interval() -> None:
    values = [math.sin(i) for i in range(36)]
    narrow, wide = (cluster_bootstrap_mean(values, own[:36], c, seed="s") for c in (0.8, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_seeds_of_a_prompt_are_not_counted_as_independent() -> None:
    prompts = [f"p{i}" for i in range(15) for _ in range(8)]
    values = [math.sin(i // 8) for i in range(120)]
    clustered = cluster_bootstrap_mean(values, prompts, 0.95, seed="s")
    alone = cluster_bootstrap_mean(values, own[:120], 0.95, seed="s")
    assert clustered.high - clustered.low > 2 * (alone.high - alone.low)


# -- golden numbers


@pytest.mark.parametrize(("ceiling", "n"), [(0.05, 59), (0.01, 299), (0.005, 598), (0.001, 2995)])
def test_zero_failure_sample_sizes(ceiling: float, n: int) -> None:
    # The "success run" table, ln(0.05) / ln(1 - p); 59, 299, 598, 2995 are the usual published entries.
    assert needed_without_failures(ceiling, 0.95) == n
    assert rate_bound([0.0] * n, own[:n], 0.95, "upper") <= ceiling
    assert rate_bound([0.0] * (n - 1), own[: n - 1], 0.95, "upper") > ceiling
    assert needed_at_rate(0.0, ceiling, 0.95) == n


def test_a_whole_quotient_needs_no_clip_more() -> None:
    # (1 - 0.5)^2 is 0.25 exactly.
    assert needed_without_failures(0.5, 0.75) == 2


def test_needed_at_rate() -> None:
    n = needed_at_rate(0.02, 0.05, 0.95)
    assert n is not None
    assert scipy_stats.beta.ppf(0.95, 0.02 * n + 1, 0.98 * n) <= 0.05
    assert scipy_stats.beta.ppf(0.95, 0.02 * (n - 1) + 1, 0.98 * (n - 1)) > 0.05
    assert needed_at_rate(0.05, 0.05, 0.95) is None
    assert needed_at_rate(0.06, 0.05, 0.95) is None


@pytest.mark.parametrize(("k", "n"), [(0, 10), (1, 10), (3, 17), (16, 20), (20, 20), (5, 300)])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_clopper_pearson_agrees_with_scipy(k: int, n: int, confidence: float) -> None:
    values = [1.0] * k + [0.0] * (n - k)
    below = scipy_stats.binomtest(k, n, alternative="less").proportion_ci(confidence, "exact").high
    above = scipy_stats.binomtest(k, n, alternative="greater").proportion_ci(confidence, "exact").low
    assert rate_bound(values, own[:n], confidence, "upper") == pytest.approx(below, abs=1e-10)
    assert rate_bound(values, own[:n], confidence, "lower") == pytest.approx(above, abs=1e-10)


def test_clopper_pearson_published() -> None:
    # Two-sided 95 % for 4 of 20: 0.0573 to 0.4366 (Clopper and Pearson's method; Brown, Cai, DasGupta 2001).
    values = [1.0] * 4 + [0.0] * 16
    assert rate_bound(values, own[:20], 0.975, "lower") == pytest.approx(0.0573, abs=5e-5)
    assert rate_bound(values, own[:20], 0.975, "upper") == pytest.approx(0.4366, abs=5e-5)


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    # Newcombe 1998, Statistics in Medicine 17:857, table I, method 3 (score, without continuity correction).
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_published(k: int, n: int, low: float, high: float) -> None:
    interval = rate_interval([1.0] * k + [0.0] * (n - k), own[:n], 0.95)
    assert interval.low == pytest.approx(low, abs=5e-5)
    assert interval.high == pytest.approx(high, abs=5e-5)


def test_holm_published() -> None:
    # Holm 1979: the step-down products; the fourth value is R's p.adjust(c(.01,.02,.03,.005), "holm").
    assert holm([0.01, 0.02, 0.03, 0.005]) == pytest.approx([0.03, 0.04, 0.04, 0.02])
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]


@examples
@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_keeps_the_order_and_only_raises(ps) -> None:
    adjusted = holm(ps)
    assert all(p <= a <= 1 for p, a in zip(ps, adjusted, strict=True))
    order = sorted(range(len(ps)), key=lambda i: ps[i])
    assert [adjusted[i] for i in order] == sorted(adjusted)


def test_jackknife_of_the_mean_is_the_t_interval() -> None:
    x = np.array([3.1, 4.7, 2.2, 5.9, 4.4, 3.8, 4.1, 2.9, 5.0, 3.3, 4.6])
    without = {str(i): float(np.delete(x, i).mean()) for i in range(len(x))}
    interval = jackknife_interval(float(x.mean()), without, 0.95)
    low, high = scipy_stats.t.interval(0.95, len(x) - 1, x.mean(), x.std(ddof=1) / math.sqrt(len(x)))
    assert (interval.low, interval.high) == pytest.approx((low, high))


def test_few_prompts_fall_back_on_the_t_interval() -> None:
    x = [3.0, 1.0, 2.0, 5.0]
    interval = cluster_bootstrap_mean(x, own[:4], 0.95, seed="s")
    low, high = scipy_stats.t.interval(0.95, 3, np.mean(x), np.std(x, ddof=1) / 2)
    assert (interval.low, interval.high) == pytest.approx((low, high))
    assert "rough" in interval.notes[0]


def test_bonett_price_by_hand() -> None:
    # n = 30 pairs, 1 better and 6 worse: p12 = 2/32, p21 = 7/32; Bonett and Price 2012, equation 4.
    differences = [1.0] + [-1.0] * 6 + [0.0] * 23
    interval = paired_rate_interval(differences, own[:30], 0.95)
    p12, p21 = 2 / 32, 7 / 32
    half = 1.959964 * math.sqrt((p12 + p21 - (p12 - p21) ** 2) / 32)
    assert interval.low == pytest.approx(p12 - p21 - half, abs=1e-6)
    assert interval.high == pytest.approx(p12 - p21 + half, abs=1e-6)


def test_mcnemar_is_the_binomial_of_the_discordant_pairs() -> None:
    p, name = sign_flip_test([1.0] * 8 + [-1.0] + [0.0] * 20, own[:29], seed=1)
    assert p == pytest.approx(2 * 10 / 2**9)  # (C(9,0) + C(9,1)) / 2^9, two-sided
    assert name == "exact sign test, 9 prompts differ"


def test_sign_flips_are_exact_for_few_prompts() -> None:
    # Of the 16 sign patterns of (1, 2, 3, 4) only all-plus and all-minus reach 10.
    p, name = sign_flip_test([1.0, 2.0, 3.0, 4.0], own[:4], seed=1)
    assert p == 2 / 16
    assert name.startswith("exact")


def test_sign_flips_of_seeds_go_together() -> None:
    # Forty seeds of one prompt are one flip.
    assert sign_flip_test([0.5] * 40, ["one"] * 40, seed=1)[0] == 1.0
    assert sign_flip_test([0.0] * 5, own[:5], seed=1)[0] == 1.0


def test_sampled_sign_flips_agree_with_exact_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    differences = [float(v) for v in rng.normal(0.35, 1, 14)]
    exact, _ = sign_flip_test(differences, own[:14], seed=1)
    scipy_p = scipy_stats.permutation_test(
        (differences,), lambda x, axis: x.sum(axis=axis), permutation_type="samples", n_resamples=2**14
    ).pvalue
    assert exact == pytest.approx(scipy_p)
    padded = [*differences, 1e-9, -1e-9]
    sampled, name = sign_flip_test(padded, own[:16], seed=1)
    assert "9999 flips" in name
    assert sampled == pytest.approx(exact, abs=0.02)


# -- bounds


@pytest.mark.parametrize("n", [1, 3, 29, 30, 59, 300, 3000])
def test_the_bound_of_bits_is_clopper_and_pearsons(n: int) -> None:
    for k in sorted({0, 1, n // 7, n // 2, n - 1, n}):
        exact = scipy_stats.beta.ppf(0.95, k + 1, n - k) if k < n else 1.0
        found = mean_bound([1.0] * k + [0.0] * (n - k), own[:n], 0.95, "upper", (0.0, 1.0))
        assert found == pytest.approx(exact, abs=1e-9)


@pytest.mark.parametrize(("prompts", "seeds"), [(3, 1), (28, 3), (40, 2)])
def test_the_computed_bound_is_that_of_drawn_weights(prompts: int, seeds: int) -> None:
    rng = np.random.default_rng(prompts)
    sizes = rng.integers(1, seeds + 1, prompts)
    values = rng.beta(0.5, 2, sizes.sum())
    clusters = [name for name, size in zip(own, sizes, strict=False) for _ in range(size)]
    sums = np.add.reduceat(values, np.append(0, np.cumsum(sizes)[:-1]))
    weights = rng.exponential(size=(200_000, prompts + 1))
    above = weights[:, :-1] @ sums + weights[:, -1] * sizes.max()
    drawn = np.quantile(above / (weights[:, :-1] @ sizes + weights[:, -1] * sizes.max()), 0.95)
    found = mean_bound(values.tolist(), clusters, 0.95, "upper", (0.0, 1.0))
    assert found == pytest.approx(drawn, abs=0.004)


@examples
@given(rows, st.randoms(use_true_random=False))
def test_bounds_do_not_depend_on_order_and_enclose_the_mean(table, rng: random.Random) -> None:
    shuffled = list(table)
    rng.shuffle(shuffled)
    mean = math.fsum(v for v, _ in table) / len(table)
    for side, sign in (("upper", 1), ("lower", -1)):
        found = mean_bound(*split(table), 0.95, side, (0.0, 1.0))
        assert found == mean_bound(*split(shuffled), 0.95, side, (0.0, 1.0))
        assert sign * found >= sign * mean - 1e-9
        mirrored = mean_bound(
            [-v for v, _ in table], split(table)[1], 0.95, "lower" if sign > 0 else "upper", (-1.0, 0.0)
        )
        assert mirrored == pytest.approx(-found, abs=1e-9)


def test_a_mean_of_a_range_is_bounded_on_either_side_and_one_outlier_of_few_leaves_an_interval():
    found = bounded_mean_interval([1.0] * 11 + [0.5], own[:12], 0.95, (0.0, 1.0))
    assert found.value == pytest.approx(11.5 / 12)
    assert found.low == mean_bound([1.0] * 11 + [0.5], own[:12], 0.975, "lower", (0.0, 1.0))
    assert found.high == mean_bound([1.0] * 11 + [0.5], own[:12], 0.975, "upper", (0.0, 1.0))
    assert 0.6 < (found.low or 0) < 0.75
    equal = bounded_mean_interval([1.0] * 12, own[:12], 0.95, (0.0, 1.0))
    assert (equal.low, equal.high) == (pytest.approx(0.025 ** (1 / 12)), 1.0)  # the rule of three
    turned = bounded_mean_interval([0.0] * 11 + [0.5], own[:12], 0.95, (0.0, 1.0))
    assert (turned.low, turned.high) == (pytest.approx(1 - found.high), pytest.approx(1 - found.low))
    assert bounded_mean_interval([], [], 0.95, (0.0, 1.0)).low is None


@pytest.mark.slow
def test_the_bounds_on_either_side_cover_means_of_few_values_most_of_which_are_one():
    """Shares that are 1 but for one in eight, uniform there: truth 0.9375; 2000 samples of 6 and of 12."""
    rng = np.random.default_rng(7)
    for n in (6, 12):
        held = 0
        for _ in range(2000):
            values = np.where(rng.random(n) < 1 / 8, rng.random(n), 1.0)
            found = bounded_mean_interval(values.tolist(), own[:n], 0.95, (0.0, 1.0))
            held += (found.low or 0) <= 0.9375 <= (found.high or 0)
        assert held / 2000 >= 0.95


def test_a_mean_without_an_end_is_bounded_from_29_prompts_on() -> None:
    values = [math.sin(i) for i in range(29)]
    assert unseen_prompts(0.95) == 29
    assert unseen_prompts(0.99) == 44
    assert mean_bound(values[:28], own[:28], 0.95, "upper") is None
    bound = mean_bound(values, own[:29], 0.95, "upper")
    # The same as if the range ended where the sample does.
    assert bound == mean_bound(values, own[:29], 0.95, "upper", (None, max(values)))
    assert mean_bound([1.0] * 40, own[:40], 0.95, "upper") is None
    # An end on the side that is asked for is enough.
    assert mean_bound([0.5] * 10, own[:10], 0.95, "lower", (0.0, None)) == pytest.approx(0.5 * 0.05**0.1)
    with pytest.raises(ValueError, match="outside the measure's range"):
        mean_bound([0.5, 1.5], own[:2], 0.95, "upper", (0.0, 1.0))


@pytest.mark.parametrize("scale", [5e-324, 1e-300, 1e-9, 1.0, 1e9, 1e300])
def test_bounds_hold_at_any_scale(scale: float) -> None:
    found = mean_bound([0.0, 0.0, scale], own[:3], 0.95, "upper", (0.0, scale))
    exact = scipy_stats.beta.ppf(0.95, 2, 2)
    assert found == pytest.approx(exact * scale, rel=1e-9, abs=5e-324)
    near = mean_bound([0.0, 0.0, scale / 2], own[:3], 0.95, "lower", (0.0, None))
    assert near is not None
    assert 0 <= near <= scale
    assert prompts_to_clear([scale], own[:1], 0.95, "lower", 0.0, (0.0, None)) == 1


def test_prompts_to_clear_is_the_least_number() -> None:
    assert prompts_to_clear([0.0] * 5, own[:5], 0.95, "upper", 0.05, (0.0, 1.0)) == 59
    assert prompts_to_clear([0.0, 1.0], own[:2], 0.95, "upper", 0.5, (0.0, 1.0)) is None
    values = [0.2, 0.4]
    needed = prompts_to_clear(values, own[:2], 0.95, "upper", 0.4, (0.0, 1.0))
    assert needed is not None
    even = needed + needed % 2
    enough = mean_bound(values * (even // 2), own[:even], 0.95, "upper", (0.0, 1.0))
    assert enough is not None
    assert enough <= 0.4
    fewer = even - 4
    assert mean_bound(values * (fewer // 2), own[:fewer], 0.95, "upper", (0.0, 1.0)) > 0.4


# -- paired rates, standing, power


def test_newcombe_published() -> None:
    # Newcombe 1998, Statistics in Medicine 17:2635, table II, method 10: (a, b, c, d) of pairs.
    for (both, first, second, neither), ends in {
        (36, 12, 2, 0): (0.0569, 0.3404),
        (97, 0, 0, 0): (-0.0381, 0.0381),
    }.items():
        pairs = [(1, 1)] * both + [(1, 0)] * first + [(0, 1)] * second + [(0, 0)] * neither
        found = newcombe_interval(
            [float(y) for _, y in pairs], [float(x) for x, _ in pairs], own[: len(pairs)], 0.95
        )
        assert (found.low, found.high) == pytest.approx(ends, abs=2e-4)


def test_newcombe_refuses_values_that_are_no_pairs() -> None:
    with pytest.raises(ValueError, match="cannot be paired"):
        newcombe_interval([1.0], [1.0, 0.0], ["a", "b"], 0.95)
    assert newcombe_interval([], [], [], 0.95).value is None
    assert newcombe_interval([1.0, 0.0], [1.0, 1.0], ["a", "a"], 0.95).low is None


def test_standing() -> None:
    assert standing(0.1, 0.3, "higher") == "superior"
    assert standing(0.1, 0.3, "lower") == "inferior"
    assert standing(-0.1, 0.3, "lower") == "not shown"
    assert standing(-0.3, -0.1, "lower") == "superior"
    assert standing(-0.05, 0.3, "higher", 0.1) == "non-inferior"
    assert standing(-0.3, -0.15, "higher", 0.1) == "inferior"
    assert standing(-0.3, 0.2, "higher", 0.1) == "not shown"
    assert standing(None, 0.2, "higher", 0.1) == standing(math.nan, 0.2, "higher") == "not shown"
    with pytest.raises(ValueError, match="margin"):
        standing(0.0, 1.0, "higher", -0.1)


def test_benjamini_hochberg_published() -> None:
    # Benjamini and Hochberg 1995, section 2.2: four of these fifteen are found at 0.05.
    ps = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719]
    ps += [0.6528, 0.7590, 1.0]
    assert sum(p <= 0.05 for p in benjamini_hochberg(ps)) == 4
    assert sum(p <= 0.05 for p in holm(ps)) == 3
    assert benjamini_hochberg([]) == []
    with pytest.raises(ValueError, match="p-value"):
        benjamini_hochberg([-0.1])


def test_power_of_means_is_that_of_the_t_test() -> None:
    # Cohen 1988: a one-sided one-sample t test at 5 %, d = 0.5, power 0.8 takes 27.
    assert prompts_for_effect(0.5, 1.0, 0.95) == 27
    effect = detectable_effect(2.0, 27, 0.95)
    assert 0.9 < effect <= 1.0
    assert mean_power(effect, 2.0, 27, 0.95) == pytest.approx(0.8)
    assert mean_power(0.0, 1.0, 10, 0.95) == pytest.approx(0.05)
    assert prompts_for_effect(0.0, 1.0, 0.95) is None
    with pytest.raises(ValueError, match="spread"):
        mean_power(0.1, 0.0, 10, 0.95)


def test_power_of_rates_counts_the_samples_that_pass() -> None:
    n, most = 93, 1
    assert rate_bound([1.0] * most + [0.0] * (n - most), own[:n], 0.95, "upper") <= 0.05
    assert rate_bound([1.0] * (most + 1) + [0.0] * (n - most - 1), own[:n], 0.95, "upper") > 0.05
    assert rate_power(0.01, 0.05, n, 0.95) == pytest.approx(scipy_stats.binom.cdf(most, n, 0.01))
    assert rate_power(0.05, 0.05, n, 0.95) <= 0.05
    needed = prompts_for_rate(0.01, 0.05, 0.95)
    assert needed is not None
    assert rate_power(0.01, 0.05, needed, 0.95) >= 0.8
    assert rate_power(0.01, 0.05, needed - 1, 0.95) < 0.8
    assert prompts_for_rate(0.05, 0.05, 0.95) is None


def test_components_tell_prompts_from_seeds() -> None:
    rng = np.random.default_rng(2)
    sizes = rng.integers(2, 7, 2000)
    values = np.repeat(rng.normal(50, 3, 2000), sizes) + rng.normal(0, 2, sizes.sum())
    clusters = [name for name, size in zip(own, sizes, strict=False) for _ in range(size)]
    between, within = components(values.tolist(), clusters)
    assert (between, within) == (pytest.approx(3, rel=0.05), pytest.approx(2, rel=0.05))
    assert prompt_spread(3.0, 2.0, 4) == math.sqrt(10)


# -- edges


def test_nothing_gives_nothing() -> None:
    assert cluster_bootstrap_mean([], [], 0.95, seed="s").value is None
    assert rate_interval([], [], 0.95).value is None
    assert paired_rate_interval([], [], 0.95).value is None
    assert sign_flip_test([], [], seed=1) is None
    with pytest.raises(ValueError, match="0 or 1"):
        rate_bound([], [], 0.95, "upper")


def test_one_prompt_gives_no_interval() -> None:
    for interval in (
        cluster_bootstrap_mean([0.2, 0.4], ["p", "p"], 0.95, seed="s"),
        paired_rate_interval([0.0, 1.0], ["p", "p"], 0.95),
        jackknife_interval(1.0, {"p": 1.0}, 0.95),
    ):
        assert interval.value is not None
        assert interval.low is None
        assert interval.high is None
    # A rate in one prompt is one trial: the whole of what one trial can say.
    assert rate_bound([0.0] * 50, ["p"] * 50, 0.95, "upper") == pytest.approx(0.95)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite_are_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="left out"):
        cluster_bootstrap_mean([0.1, bad], ["a", "b"], 0.95, seed="s")
    with pytest.raises(ValueError, match="left out"):
        rate_interval([0.0, bad], ["a", "b"], 0.95)
    with pytest.raises(ValueError, match="finite"):
        jackknife_interval(1.0, {"a": 1.0, "b": bad}, 0.95)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 1.5, -1.0, math.nan])
def test_a_confidence_outside_0_1_is_refused(confidence: float) -> None:
    with pytest.raises(ValueError, match="confidence"):
        cluster_bootstrap_mean([0.1, 0.2], ["a", "b"], confidence, seed="s")
    with pytest.raises(ValueError, match="confidence"):
        rate_bound([0.0], ["a"], confidence, "upper")
    with pytest.raises(ValueError, match="confidence"):
        needed_without_failures(0.05, confidence)


def test_a_rate_of_other_values_is_refused() -> None:
    with pytest.raises(ValueError, match="0 or 1"):
        rate_interval([0.5, 1.0], ["a", "b"], 0.95)


@pytest.mark.parametrize("ceiling", [0.0, 1.0, -0.1, math.nan])
def test_a_ceiling_outside_0_1_is_refused(ceiling: float) -> None:
    with pytest.raises(ValueError, match="ceiling"):
        needed_without_failures(ceiling, 0.95)


def test_holm_refuses_what_is_no_p() -> None:
    with pytest.raises(ValueError, match="p-value"):
        holm([0.1, math.nan])


def test_equal_values_are_bounded_by_the_rule_of_three() -> None:
    prompts = [f"p{i}" for i in range(12) for _ in range(4)]
    share = 1 - 0.025 ** (1 / 12)
    interval = cluster_bootstrap_mean([0.8] * 48, prompts, 0.95, seed="s", bounds=(0.0, 1.0))
    assert interval.value == pytest.approx(0.8)
    assert interval.low == pytest.approx(0.8 - share * 0.8)
    assert interval.high == pytest.approx(0.8 + share * 0.2)
    without_end = cluster_bootstrap_mean([0.8] * 48, prompts, 0.95, seed="s", bounds=(0.0, None))
    assert without_end.low is None


def test_all_zero_counts_each_prompt_once() -> None:
    prompts = [f"p{i}" for i in range(12) for _ in range(4)]
    assert effective_sample_size([0.0] * 48, prompts) == 12
    assert effective_sample_size([1.0] * 48, prompts) == 12
    assert rate_bound([0.0] * 48, prompts, 0.95, "upper") == pytest.approx(1 - 0.05 ** (1 / 12))
    assert rate_interval([0.0] * 48, prompts, 0.95).low == 0.0
    assert rate_interval([1.0] * 48, prompts, 0.95).high == 1.0


@pytest.mark.parametrize("prompts", [5, 12, 29, 60])
@pytest.mark.parametrize("seeds", [1, 4, 16])
def test_a_failure_never_brings_the_bound_down(prompts: int, seeds: int) -> None:
    clusters = [f"p{i:03}" for i in range(prompts) for _ in range(seeds)]
    none = [0.0] * len(clusters)
    one = [1.0, *none[1:]]
    assert rate_bound(one, clusters, 0.95, "upper") >= rate_bound(none, clusters, 0.95, "upper")
    assert rate_interval(one, clusters, 0.95).high >= rate_interval(none, clusters, 0.95).high


def test_prompts_that_agree_are_one_trial_each() -> None:
    # All seeds of a prompt alike: four seeds are worth no more than one, but for what t costs at few prompts.
    clusters = [f"p{i:03}" for i in range(100) for _ in range(4)]
    values = [float(i % 3 == 0) for i in range(100) for _ in range(4)]
    assert 90 < effective_sample_size(values, clusters) <= 100


# -- statistics of sums


def mean_of(sums: np.ndarray) -> np.ndarray:
    return sums[..., 0] / sums[..., 1]


@pytest.mark.parametrize("groups", [3, 30])
def test_prompts_of_equal_means_have_an_interval_of_some_width(groups: int) -> None:
    names = [str(g) for g in range(groups) for _ in range(2)]
    bounded = cluster_bootstrap_mean([0.1, 0.4] * groups, names, 0.95, seed=0, bounds=(0.0, 1.0))
    alike = cluster_bootstrap_mean([0.25] * groups, names[::2], 0.95, seed=0, bounds=(0.0, 1.0))
    assert bounded.value == pytest.approx(0.25)
    assert (bounded.low, bounded.high) == pytest.approx((alike.low, alike.high))
    assert bounded.notes == ("all prompts have the same mean: the sample shows no spread",)
    free = cluster_bootstrap_mean([0.1, 0.4] * groups, names, 0.95, seed=0)
    assert (free.low, free.high) == (None, None)


@pytest.mark.parametrize("groups", [2, 4])
def test_few_clusters_have_one_interval_for_means_and_for_statistics_of_sums(groups: int) -> None:
    values = [float(v) for v in np.random.default_rng(1).uniform(0, 1, groups)]
    names = [f"{i:03}" for i in range(groups)]
    totals = np.array([[value, 1.0] for value in values])
    general = cluster_bootstrap(totals, mean_of, 0.95, seed="s", bounds=(0.0, 1.0))
    special = cluster_bootstrap_mean(values, names, 0.95, seed="s", bounds=(0.0, 1.0))
    assert (general.value, general.low, general.high) == pytest.approx(
        (special.value, special.low, special.high), abs=1e-9
    )
    assert general.method == special.method


def test_the_bootstrap_covers_a_ratio_of_means() -> None:
    """A ratio of two sums of 30 clusters, truth 2: 95 % intervals hold it in 91 to 98 % of 300 samples."""

    def ratio(sums: np.ndarray) -> np.ndarray:
        return sums[..., 0] / sums[..., 1]

    rng, held = np.random.default_rng(7), 0
    for k in range(300):
        below = rng.gamma(4.0, 0.25, 30)
        interval = cluster_bootstrap(
            np.stack([2 * below + rng.normal(0, 0.5, 30), below], axis=1), ratio, 0.95, seed=k
        )
        held += interval.low <= 2.0 <= interval.high  # type: ignore[operator]
    assert 0.91 <= held / 300 <= 0.98


def test_statistics_that_are_not_there_have_no_interval() -> None:
    def share(sums: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(sums[..., 1] > 0, sums[..., 0] / sums[..., 1], np.nan)

    nothing = cluster_bootstrap(np.zeros((3, 2)), share, 0.95, seed=0)
    assert (nothing.value, nothing.low, nothing.notes) == (None, None, ("the value is not defined",))
    one_of_two = cluster_bootstrap(np.array([[1.0, 2.0], [0.0, 0.0]]), share, 0.95, seed=0)
    assert (one_of_two.value, one_of_two.low) == (0.5, None)
    assert cluster_bootstrap(np.ones((1, 2)), share, 0.95, seed=0).low is None
    assert cluster_bootstrap(np.empty((0, 2)), share, 0.95, seed=0).value is None
    equal = cluster_bootstrap(np.ones((20, 2)), share, 0.95, seed=0, bounds=(0.0, 1.0))
    assert (equal.value, equal.high) == (1.0, 1.0)
    assert 0.7 < equal.low < 1.0  # type: ignore[operator]
    with pytest.raises(ValueError, match="finite totals"):
        cluster_bootstrap(np.array([[np.nan, 1.0]]), share, 0.95, seed=0)


# -- ratios


def test_a_ratio_is_the_exponential_of_the_mean_log_ratio() -> None:
    a, b, clusters = [1.0, 2.0, 4.0], [2.0, 2.0, 1.0], ["p", "q", "r"]
    found = ratio_interval(a, b, clusters, 0.9, seed="r")
    logs = cluster_bootstrap_mean(
        [math.log(y / x) for x, y in zip(a, b, strict=True)], clusters, 0.9, seed="r"
    )
    assert found.value == pytest.approx((2.0 * 1.0 * 0.25) ** (1 / 3))
    assert (found.low, found.high) == pytest.approx((math.exp(logs.low), math.exp(logs.high)))
    assert found.method.startswith("log ratio, ")


def test_a_ratio_needs_positive_values() -> None:
    with pytest.raises(ValueError, match=r"0\.0 is not above 0"):
        ratio_interval([0.0], [1.0], ["p"], 0.95, seed=0)
    with pytest.raises(ValueError, match="is not above 0"):
        jackknife_ratio(1.0, -1.0, {"p": (1.0, 1.0), "q": (1.0, 1.0)}, 0.95)


def test_a_ratio_turned_round_has_the_inverse_ends() -> None:
    rng = np.random.default_rng(4)
    a, b = np.exp(rng.normal(size=20)).tolist(), np.exp(rng.normal(0.5, 1.0, size=20)).tolist()
    clusters = [str(k) for k in range(20)]
    there = ratio_interval(a, b, clusters, 0.95, seed=1)
    back = ratio_interval(b, a, clusters, 0.95, seed=1)
    assert back.value == pytest.approx(1 / there.value)
    # The resamples are the same, so that only the quantile's side differs.
    assert (1 / back.high, 1 / back.low) == pytest.approx((there.low, there.high), rel=0.02)


def test_signs_are_counted_by_prompt() -> None:
    assert sign_counts([1.0, -3.0, 2.0, 0.0, 5.0], ["a", "a", "b", "c", "d"]) == (2, 1)
    assert sign_counts([], []) == (0, 0)
