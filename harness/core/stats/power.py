"""Sample sizes and power: how many prompts are needed, and what a number of prompts can show.

Means use Student's t over prompts; rates use the exact bound with one clip per prompt. More seeds reduce only
the variance among clips of one prompt: `components` separates the two variances of a sample, and
`prompt_spread` gives the spread of prompt means for a number of seeds. Bounds that hold for skew and rare
events need more prompts than Student's t; `prompts_to_clear` says how many for a given sample.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from .clusters import by_cluster
from .interval import Bounds, check_confidence

__all__ = [
    "components",
    "detectable_effect",
    "mean_power",
    "needed_at_rate",
    "needed_without_failures",
    "prompt_spread",
    "prompts_for_effect",
    "prompts_for_rate",
    "rate_power",
    "spread_of_interval",
    "upper_at_rate",
    "with_seeds",
]

MOST = 10_000_000
"""Largest number of prompts that is reported as needed."""


def needed_without_failures(ceiling: float, confidence: float) -> int:
    """Count the independent clips, none of them failing, that show a rate to be under ``ceiling``.

    Raises:
        ValueError: the ceiling or the confidence is not in (0, 1).

    Example:
        >>> [needed_without_failures(p, 0.95) for p in (0.05, 0.01, 0.005, 0.001)]
        [59, 299, 598, 2995]
    """
    if not 0 < ceiling < 1:
        raise ValueError(f"a ceiling of {ceiling} is not between 0 and 1")
    check_confidence(confidence)
    # Where the quotient is a whole number, rounding must not ask for one clip more.
    return max(1, math.ceil(math.log1p(-confidence) / math.log1p(-ceiling) - 1e-9))


def needed_at_rate(rate: float, ceiling: float, confidence: float) -> int | None:
    """Count the independent clips that show a rate to be under ``ceiling`` if they fail at ``rate``.

    None if no number under ten million would: the rate is at the ceiling, above it, or just below it.
    """
    check_confidence(confidence)
    if not 0 <= rate < ceiling or upper_at_rate(rate, MOST, confidence) > ceiling:
        return None
    few, enough = 0, MOST
    while enough - few > 1:
        middle = (few + enough) // 2
        if upper_at_rate(rate, middle, confidence) <= ceiling:
            enough = middle
        else:
            few = middle
    return enough


def upper_at_rate(rate: float, n: float, confidence: float) -> float:
    """Compute the Clopper-Pearson upper bound of a rate seen in ``n`` trials; n need not be whole."""
    if rate >= 1:
        return 1.0
    if rate <= 0:
        return -math.expm1(math.log1p(-confidence) / n)
    from scipy import stats

    return float(stats.beta.ppf(confidence, rate * n + 1, n - rate * n))


def rate_power(rate: float, ceiling: float, prompts: int, confidence: float) -> float:
    """Compute the probability that ``prompts`` independent clips show a rate to be under ``ceiling``.

    Args:
        rate: at which they truly fail, in [0, 1].
        ceiling: in (0, 1).
        prompts: at least 1, one clip each.
        confidence: of the exact one-sided bound.

    Example:
        >>> round(rate_power(0.0, 0.05, 59, 0.95), 3), rate_power(0.0, 0.05, 58, 0.95)
        (1.0, 0.0)
    """
    check_confidence(confidence)
    if not 0 <= rate <= 1:
        raise ValueError(f"a rate of {rate} is not between 0 and 1")
    if not 0 < ceiling < 1:
        raise ValueError(f"a ceiling of {ceiling} is not between 0 and 1")
    if prompts < 1:
        raise ValueError(f"{prompts} prompts show nothing: at least 1 is needed")
    from scipy import stats

    # The most failures that pass: as likely at the ceiling as 1 - confidence allows.
    most = int(stats.binom.ppf(1 - confidence, prompts, ceiling))
    while most >= 0 and stats.binom.cdf(most, prompts, ceiling) > (1 - confidence) * (1 + 1e-12):
        most -= 1
    return float(stats.binom.cdf(most, prompts, rate)) if most >= 0 else 0.0


def prompts_for_rate(rate: float, ceiling: float, confidence: float, power: float = 0.8) -> int | None:
    """Count the prompts, one clip each, with which a generator that fails at ``rate`` passes with ``power``.

    More prompts may have a little less power (a binomial goes in steps); this is the least number. None
    where the rate is not under the ceiling, or over a million prompts would be needed.
    """
    check_confidence(power)
    if not 0 <= rate < ceiling:
        return None
    # A normal approximation finds the neighbourhood, the exact power the number.
    least = needed_without_failures(ceiling, confidence)
    if rate_power(rate, ceiling, least, confidence) >= power:
        return least
    from scipy import stats

    z, y = float(stats.norm.ppf(confidence)), float(stats.norm.ppf(power))
    root = z * math.sqrt(ceiling * (1 - ceiling)) + y * math.sqrt(rate * (1 - rate))
    guess = (root / (ceiling - rate)) ** 2
    if guess > MOST / 10:
        return None
    start = max(least, int(guess * 0.5))
    for prompts in range(start, int(guess * 2) + 2 * least + 10):
        if rate_power(rate, ceiling, prompts, confidence) >= power:
            return prompts
    return None


def components(values: Sequence[float], clusters: Sequence[str]) -> tuple[float, float]:
    """Compute the standard deviations of values between prompts and among the clips of a prompt.

    The estimates of the one-way analysis of variance for clusters of unequal size (Searle, Casella and
    McCulloch 1992, section 3.6), 0 where it is negative. With one clip a prompt all spread counts as between.

    Raises:
        ValueError: there are fewer than two prompts, or a value is not finite.
    """
    sums, counts = by_cluster(values, clusters)
    groups, n = len(sums), len(values)
    if groups < 2:
        raise ValueError("a spread between prompts needs at least two prompts")
    mean = math.fsum(values) / n
    between = math.fsum(counts * (sums / counts - mean) ** 2) / (groups - 1)
    if n == groups:
        return math.sqrt(between), 0.0
    # Of deviations, not of raw squares, which would lose the digits of a mean far from 0.
    means = dict(zip(sorted(set(clusters)), sums / counts, strict=True))
    within = math.fsum((v - means[c]) ** 2 for v, c in zip(values, clusters, strict=True)) / (n - groups)
    size = (n - math.fsum(counts**2) / n) / (groups - 1)
    return math.sqrt(max(0.0, (between - within) / size)), math.sqrt(within)


def prompt_spread(between: float, within: float, seeds: int) -> float:
    """Compute the standard deviation of prompt means with ``seeds`` clips per prompt."""
    if seeds < 1:
        raise ValueError(f"{seeds} seeds a prompt: at least 1 is needed")
    return math.sqrt(between**2 + within**2 / seeds)


def with_seeds(
    values: Sequence[float], clusters: Sequence[str], seeds: int, bounds: Bounds = (None, None)
) -> list[float]:
    """Give the means that the prompts of a sample would have with ``seeds`` clips each, one value a prompt.

    Their mean is that of the sample's prompts; their distances from it are scaled so that the spread among
    the clips of a prompt counts as it does for so many clips, and are cut to the measure's range.

    Raises:
        ValueError: the sample has no two clips of one prompt, so that nothing is known of that spread.
    """
    sums, counts = by_cluster(values, clusters)
    between, within = components(values, clusters)
    now = len(counts) / math.fsum(1 / counts)  # harmonic: the variance of a prompt's mean goes with 1 / clips
    if counts.max() < 2:
        raise ValueError("one clip a prompt says nothing of more seeds")
    spread = prompt_spread(between, within, 1) and prompt_spread(between, within, seeds) / math.sqrt(
        between**2 + within**2 / now
    )
    means = sums / counts
    centre = math.fsum(means) / len(means)
    low, high = (-math.inf if bounds[0] is None else bounds[0], math.inf if bounds[1] is None else bounds[1])
    return [min(high, max(low, centre + spread * (float(mean) - centre))) for mean in means]


def spread_of_interval(value: float, low: float, high: float, prompts: int, confidence: float) -> float:
    """Compute the spread of prompts from a two-sided t interval that lies evenly around ``value``.

    An interval that is cut to the range of a measure on one side is read from its other side.

    Args:
        prompts: at least 2.
        confidence: of the interval, in (0, 1).

    Example:
        >>> round(spread_of_interval(5.0, 4.2847, 5.7153, 10, 0.95), 3)
        1.0
    """
    check_confidence(confidence)
    from scipy import stats

    reach = float(stats.t.ppf(1 - (1 - confidence) / 2, prompts - 1))
    return max(value - low, high - value) / reach * math.sqrt(prompts)


def mean_power(effect: float, spread: float, prompts: int, confidence: float) -> float:
    """Compute the probability that a one-sided t bound of a mean over prompts clears a limit ``effect`` away.

    Args:
        effect: distance of the true mean (or paired difference) from the limit, on the good side.
        spread: standard deviation of prompt means (or of their paired differences), over 0.
        prompts: at least 2.
        confidence: one-sided, in (0, 1).
    """
    check_confidence(confidence)
    _check_spread(spread)
    if prompts < 2:
        raise ValueError(f"{prompts} prompts show no spread: at least 2 are needed")
    from scipy import stats

    reach = float(stats.t.ppf(confidence, prompts - 1))
    centre = effect * math.sqrt(prompts) / spread
    # The noncentral t underflows to NaN where the power is 1 to the last bit.
    return 1.0 if centre > reach + 30 else float(stats.nct.sf(reach, prompts - 1, centre))


def detectable_effect(spread: float, prompts: int, confidence: float, power: float = 0.8) -> float:
    """Compute the least distance from a limit that ``prompts`` prompts show with probability ``power``.

    Example:
        >>> round(detectable_effect(1.0, 30, 0.95), 3)
        0.465
    """
    check_confidence(power)
    if mean_power(0.0, spread, prompts, confidence) >= power:
        return 0.0
    from scipy import optimize

    high = spread
    while mean_power(high, spread, prompts, confidence) < power:
        high *= 2

    def excess(effect: float) -> float:
        return mean_power(effect, spread, prompts, confidence) - power

    return float(optimize.root_scalar(excess, bracket=(0.0, high), method="brentq").root)


def prompts_for_effect(effect: float, spread: float, confidence: float, power: float = 0.8) -> int | None:
    """Count the prompts with which a mean ``effect`` away from its limit clears it.

    With probability ``power``. None where over ten million would be needed.

    Example:
        >>> prompts_for_effect(0.5, 1.0, 0.95)
        27
    """
    check_confidence(power)
    check_confidence(confidence)
    _check_spread(spread)
    if effect <= 0:
        return None
    few, enough = 1, 2
    while mean_power(effect, spread, enough, confidence) < power:
        few, enough = enough, 2 * enough
        if enough > MOST:
            return None
    while enough - few > 1:
        middle = (few + enough) // 2
        if mean_power(effect, spread, middle, confidence) >= power:
            enough = middle
        else:
            few = middle
    return enough


def _check_spread(spread: float) -> None:
    if not (math.isfinite(spread) and spread > 0):
        raise ValueError(f"a spread of {spread} is not a number over 0")
