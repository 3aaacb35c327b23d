"""Simulate how often bounds and intervals hold; write docs/statistics.md.

Run as ``python tests/harness/core/statistics_simulation.py > docs/statistics.md``. Every row has a seed of
its own, so that `test_stats_simulation` can take any one of them again.
"""

from __future__ import annotations

import math
import sys
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from screentest.harness.core.stats import (
    cluster_bootstrap_mean,
    jackknife_interval,
    look_confidences,
    newcombe_interval,
    paired_rate_interval,
    prompts_to_clear,
    rank_runs,
    rate_interval,
)
from screentest.harness.core.stats.bounds import _exceeds, _sample
from screentest.metrics import frechet_distance, polynomial_mmd, vendi_score
from screentest.metrics.distribution.frechet import leave_one_out
from screentest.metrics.distribution.kernel import mmd_leave_one_out, polynomial_kernel
from screentest.metrics.distribution.vendi import vendi_leave_one_out

Draw = Callable[[np.random.Generator, np.ndarray], tuple[np.ndarray, float]]
"""Sizes of prompts (G,) to the means of their clips (G,), or their values, and the true mean."""


def normal(rng, sizes):
    return (
        math.sqrt(0.7) * rng.normal(size=len(sizes))
        + math.sqrt(0.3) * rng.normal(size=len(sizes)) / np.sqrt(sizes),
        0.0,
    )


def exponential(rng, sizes):
    return math.sqrt(0.7) * rng.exponential(size=len(sizes)) + math.sqrt(0.3) * rng.gamma(
        sizes, 1.0
    ) / sizes, math.sqrt(0.7) + math.sqrt(0.3)


def rare(share: float, reach: float):
    """Make a share of the prompts lie ``reach`` standard deviations of a prompt's noise further out."""

    def draw(rng, sizes):
        far = rng.random(len(sizes)) < share
        return far * reach + rng.normal(size=len(sizes)) / np.sqrt(sizes), share * reach

    return draw


def bad(share: float):
    """Give bounded values: a share of the prompts holds 1, all others 0."""
    return lambda rng, sizes: ((rng.random(len(sizes)) < share).astype(float), share)


def steady(share: float):
    """Give bounded values near 0.1 but for a share of prompts at 1."""
    return lambda rng, sizes: (
        np.where(rng.random(len(sizes)) < share, 1.0, rng.uniform(0.05, 0.15, len(sizes))),
        share + (1 - share) * 0.1,
    )


def beta(a: float, b: float):
    return lambda rng, sizes: (rng.beta(a, b, len(sizes)), a / (a + b))


UNBOUNDED = {
    "normal": normal,
    "exponential": exponential,
    "10 % rare, 3 sd out": rare(0.1, 3),
    "10 % rare, 10 sd out": rare(0.1, 10),
    "15 % rare, 5 sd out": rare(0.15, 5),
}
BOUNDED = {
    "15 % bad": bad(0.15),
    "2 % bad": bad(0.02),
    "steady, 5 % at the end": steady(0.05),
    "beta(0.5, 4)": beta(0.5, 4),
    "beta(8, 2)": beta(8, 2),
}
SIZES = ("4 seeds", "1 to 8 seeds")
ONE_SIZE = ("1 seed", "8 seeds")


def sizes_of(rng: np.random.Generator, kind: str, prompts: int) -> np.ndarray:
    return rng.integers(1, 9, prompts) if kind == "1 to 8 seeds" else np.full(prompts, int(kind.split()[0]))


def named(sizes: np.ndarray) -> list[str]:
    return [f"{g:03}" for g, size in enumerate(sizes) for _ in range(size)]


def bits(rng: np.random.Generator, sizes: np.ndarray, rate: float, correlation: float) -> np.ndarray:
    """Draw beta-binomial clips (n,): each prompt has a rate of its own around ``rate``."""
    if rate in (0.0, 1.0):
        return np.full(sizes.sum(), rate)
    scale = (1 - correlation) / correlation
    own = rng.beta(rate * scale, (1 - rate) * scale, len(sizes))
    return (rng.random(sizes.sum()) < np.repeat(own, sizes)).astype(float)


def paired(rng: np.random.Generator, sizes: np.ndarray, what: str) -> tuple[np.ndarray, float]:
    """Draw the differences (n,) of two runs, which share what is easy and hard of a prompt.

    Run b changes each prompt by an amount of its own, drawn as ``what``, and each clip has its own noise.
    """
    easy = np.repeat(3 * rng.normal(size=len(sizes)), sizes)
    change, truth = UNBOUNDED[what](rng, sizes)
    first = easy + rng.normal(size=sizes.sum())
    second = easy + rng.normal(size=sizes.sum()) + np.repeat(change, sizes)
    return second - first, truth


@dataclass(frozen=True)
class Row:
    """One line of a table: what was drawn, how many samples, and shares in %."""

    table: str
    what: str
    prompts: int
    seeds: str

    def rng(self) -> np.random.Generator:
        return np.random.default_rng(zlib.crc32(repr(self).encode()))


def trials(row: Row) -> int:
    return 2000 if row.prompts <= 60 else 1000


def bound_rows() -> list[Row]:
    rows = [Row("bounded", what, n, s) for what in BOUNDED for s in SIZES for n in (3, 10, 30, 300)]
    rows += [Row("unbounded", what, n, s) for what in UNBOUNDED for s in SIZES for n in (3, 29, 60, 300)]
    rows += [
        Row("rate", f"{rate:g}, correlation {rho:g}", n, s)
        for rate in (0.05, 0.3)
        for rho in (0.1, 0.8)
        for s in SIZES
        for n in (10, 30, 60)
    ]
    rows += [
        Row("paired rate", f"margin {rate:g}", n, s)
        for rate in (0.1, 0.2)
        for s in SIZES
        for n in (10, 30, 60)
    ]
    return rows


def passes(values: list[float], names: list[str], side: str, truth: float, bounds) -> bool:
    """Say whether the bound clears the truth, without the search for the bound itself."""
    sample = _sample(values, names, 0.95, side, bounds)
    limit = truth - 1e-9 if side == "upper" else -truth - 1e-9
    return sample is not None and _exceeds(sample, limit) <= 0.05


def false_passes(row: Row) -> tuple[float, float]:
    """Give how often, in %, a rule at its limit passes: a ceiling and a floor at the true mean."""
    rng, total = row.rng(), trials(row)
    high = low = 0
    for _ in range(total):
        sizes = sizes_of(rng, row.seeds, row.prompts)
        bounds: tuple[float | None, float | None] = (0.0, 1.0)
        if row.table in ("bounded", "unbounded"):
            found, truth = (BOUNDED | UNBOUNDED)[row.what](rng, sizes)
            values = np.repeat(found, sizes)
            bounds = bounds if row.table == "bounded" else (None, None)
        elif row.table == "rate":
            truth, rho = (float(v) for v in row.what.split(", correlation "))
            values = bits(rng, sizes, truth, rho)
        else:
            # As in .3 against .5: the difference is the margin.
            truth, bounds = float(row.what.split()[1]), (-1.0, 1.0)
            values = bits(rng, sizes, 0.3 + truth, 0.3) - bits(rng, sizes, 0.3, 0.3)
        high += passes(values.tolist(), named(sizes), "upper", truth, bounds)
        low += passes(values.tolist(), named(sizes), "lower", truth, bounds)
    return 100 * high / total, 100 * low / total


def interval_rows() -> list[Row]:
    rows = [
        Row("mean", what, n, s)
        for what in ("normal", "exponential", "10 % rare, 3 sd out")
        for s in SIZES
        for n in (5, 10, 30, 100, 300)
    ]
    rows += [
        Row("mean", what, n, s) for what in ("normal", "exponential") for s in ONE_SIZE for n in (10, 100)
    ]
    rows += [
        Row("mean in [0, 1]", what, n, s)
        for what in ("beta(0.5, 4)", "beta(8, 2)")
        for s in SIZES
        for n in (10, 30, 100, 300)
    ]
    rows += [
        Row("rate interval", f"{rate:g}, correlation {rho:g}", n, s)
        for rate in (0.05, 0.3)
        for rho in (0.1, 0.8)
        for s in SIZES
        for n in (10, 30, 100, 300)
    ]
    rows += [
        Row("rate interval", f"{rate:g}, correlation 0.3", n, s)
        for rate in (0.0, 0.01, 0.99, 1.0)
        for s in ("1 seed", *SIZES)
        for n in (10, 30, 300)
    ]
    rows += [
        Row("paired mean", what, n, s)
        for what in ("normal", "exponential", "10 % rare, 3 sd out")
        for s in ("1 seed", *SIZES)
        for n in (10, 30, 100, 300)
    ]
    rows += [
        Row(kind, f"{rate:g} against 0.3", n, s)
        for kind in ("Bonett-Price", "Newcombe")
        for rate in (0.3, 0.5)
        for s in ("1 seed", "4 seeds")
        for n in (10, 30, 100)
    ]
    return rows


def covered(row: Row) -> float:
    """Give how often, in %, the two-sided 95 % interval holds the truth."""
    rng, total = row.rng(), 1000
    hits = 0
    for trial in range(total):
        sizes = sizes_of(rng, row.seeds, row.prompts)
        names = named(sizes)
        if row.table == "mean":
            means, truth = UNBOUNDED[row.what](rng, sizes)
            found = cluster_bootstrap_mean(np.repeat(means, sizes).tolist(), names, 0.95, seed=trial)
        elif row.table == "mean in [0, 1]":
            means, truth = BOUNDED[row.what](rng, sizes)
            values = np.repeat(means, sizes).tolist()
            found = cluster_bootstrap_mean(values, names, 0.95, seed=trial, bounds=(0.0, 1.0))
        elif row.table == "paired mean":
            changes, truth = paired(rng, sizes, row.what)
            found = cluster_bootstrap_mean(changes.tolist(), names, 0.95, seed=trial)
        elif row.table == "rate interval":
            truth, rho = (float(v) for v in row.what.split(", correlation "))
            found = rate_interval(bits(rng, sizes, truth, rho).tolist(), names, 0.95)
        else:
            rate = float(row.what.split()[0])
            truth = rate - 0.3
            first, second = bits(rng, sizes, 0.3, 0.3), bits(rng, sizes, rate, 0.3)
            found = (
                newcombe_interval(first.tolist(), second.tolist(), names, 0.95)
                if row.table == "Newcombe"
                else paired_rate_interval((second - first).tolist(), names, 0.95)
            )
        hits += found.low is not None and found.low <= truth + 1e-12 and truth - 1e-12 <= found.high
    return 100 * hits / total


WIDTH, REFERENCE = 6, 200
"""Features of a clip, and clips of the reference set, which is held fixed as in the measures."""
REAL = np.random.default_rng(0).standard_normal((REFERENCE, WIDTH))

OfSet = Callable[[np.ndarray, list[str]], tuple[float, Mapping[str, float]]]
"""Features (n, D) and the prompts of the rows to the value, and the value without each prompt."""


def kernel(x: np.ndarray, names: list[str]) -> tuple[float, Mapping[str, float]]:
    return polynomial_mmd(x, REAL), mmd_leave_one_out(x, REAL, names, polynomial_kernel())


SETS: dict[str, OfSet] = {
    "Frechet distance": lambda x, names: (frechet_distance(x, REAL), leave_one_out(x, REAL, names)),
    "kernel distance": kernel,
    "vendi": lambda x, names: (vendi_score(x), vendi_leave_one_out(x, names)),
}


def features(rng: np.random.Generator, sizes: np.ndarray, shift: float, prompts: np.ndarray) -> np.ndarray:
    """Draw clips (n, D); those of a prompt are alike, and ``prompts`` (G, D) is what two runs share."""
    own = np.repeat(0.5 * prompts, sizes, axis=0)
    return rng.standard_normal((sizes.sum(), WIDTH)) * math.sqrt(0.75) + own + shift


def set_rows() -> list[Row]:
    return [Row("set, b - a", what, n, s) for what in SETS for s in SIZES for n in (20, 60)]


def of_two_sets(row: Row, rng: np.random.Generator) -> tuple[float, Mapping[str, float]]:
    """Draw two runs of the same prompts: their difference, and the differences without each prompt."""
    sizes = sizes_of(rng, row.seeds, row.prompts)
    prompts, names = rng.standard_normal((row.prompts, WIDTH)), named(sizes)
    a, b = (SETS[row.what](features(rng, sizes, shift, prompts), names) for shift in (0.5, 0.3))
    return b[0] - a[0], {group: value - a[1][group] for group, value in b[1].items()}


def set_covered(row: Row) -> float:
    """Give how often, in %, the jackknife's 95 % interval holds the expected difference of such sets."""
    rng, total = row.rng(), 1000
    found = [of_two_sets(row, rng) for _ in range(total)]
    truth = math.fsum(value for value, _ in found) / total
    intervals = [jackknife_interval(value, without, 0.95) for value, without in found]
    hits = sum(i.low is not None and i.high is not None and i.low <= truth <= i.high for i in intervals)
    return 100 * hits / total


def set_line(row: Row) -> str:
    return f"| {row.table} | {row.what} | {row.prompts} | {row.seeds} | {set_covered(row):.1f} |"


LOOKS = {"25, 50, 75, 100 %": (0.25, 0.5, 0.75, 1.0), "50, 100 %": (0.5, 1.0)}


def look_rows() -> list[Row]:
    return [
        Row("looks", f"{what}; {looks}", n, "4 seeds")
        for what in ("normal", "exponential", "beta(0.5, 4)")
        for looks in LOOKS
        for n in (120, 240)
    ]


def passes_of_looks(row: Row) -> tuple[float, float]:
    """Give how often, in %, a ceiling at its limit passes at any look: by the looks' rule, and at 95 %."""
    rng, total = row.rng(), 1000
    what, looks = row.what.split("; ")
    shares = LOOKS[looks]
    taken = look_confidences(shares, 0.95)
    bounds = (0.0, 1.0) if what in BOUNDED else (None, None)
    spent = plain = 0
    for _ in range(total):
        values, truth = (BOUNDED | UNBOUNDED)[what](rng, np.full(row.prompts, 4))
        chances: list[float] = []
        for share in shares:
            there = values[: round(share * row.prompts)].tolist()
            sample = _sample(there, [f"{g:03}" for g in range(len(there))], 0.95, "upper", bounds)
            chances.append(1.0 if sample is None else _exceeds(sample, truth - 1e-9))
        spent += any(p <= 1 - c for p, c in zip(chances, taken, strict=True))
        plain += any(p <= 0.05 for p in chances)
    return 100 * spent / total, 100 * plain / total


PLANNED = {
    "normal": 0.3,
    "exponential": math.sqrt(0.7) + math.sqrt(0.3) + 0.3,
    "10 % rare, 3 sd out": 0.6,
    "beta(0.5, 4)": 0.16,
    "15 % bad": 0.25,
}
"""Distribution over prompts -> a ceiling for it."""


def plan_rows() -> list[Row]:
    return [Row("planned", what, planned_prompts(what), "4 seeds") for what in PLANNED]


def planned_prompts(what: str) -> int:
    """Count the prompts that a plan asks for, from a pilot as large as to leave no doubt of the spread."""
    rng = np.random.default_rng(7)
    values, truth = (BOUNDED | UNBOUNDED)[what](rng, np.full(3000, 4))
    values = (
        np.clip(values + truth - values.mean(), 0, 1) if what in BOUNDED else values + truth - values.mean()
    )
    bounds = (0.0, 1.0) if what in BOUNDED else (None, None)
    names = [f"{g:04}" for g in range(len(values))]
    found = prompts_to_clear(values.tolist(), names, 0.95, "upper", PLANNED[what], bounds, power=0.8)
    assert found is not None
    return found


def passes_as_planned(row: Row) -> float:
    """Give how often, in %, a run of the planned size passes."""
    rng, total = row.rng(), 1000
    bounds = (0.0, 1.0) if row.what in BOUNDED else (None, None)
    hits = 0
    for _ in range(total):
        values, _ = (BOUNDED | UNBOUNDED)[row.what](rng, np.full(row.prompts, 4))
        sample = _sample(values.tolist(), [f"{g:03}" for g in range(row.prompts)], 0.95, "upper", bounds)
        hits += sample is not None and _exceeds(sample, PLANNED[row.what]) <= 0.05
    return 100 * hits / total


GAPS = {"far apart": (0.0, 0.5, 1.0), "near": (0.0, 0.1, 0.2)}
"""Means of three runs, in standard deviations of a prompt's noise."""


def rank_rows() -> list[Row]:
    return [Row("rank", what, n, "1 seed") for what in GAPS for n in (10, 30, 100)]


def ranks_covered(row: Row) -> float:
    """Give how often, in %, the interval of the middle run's rank holds its true rank."""
    rng, total = row.rng(), 300
    hits = 0
    for trial in range(total):
        prompts = rng.normal(size=(row.prompts, 1))
        values = prompts + rng.normal(size=(row.prompts, 3)) + np.array(GAPS[row.what])
        table = {f"{p:03}": [tuple(of)] for p, of in enumerate(values.tolist())}
        middle = rank_runs({"m": table}, {"m": "higher"}, 0.95, seed=trial).by_measure["m"][1]
        hits += middle.low <= 2 <= middle.high
    return 100 * hits / total


def rank_line(row: Row) -> str:
    return f"| {row.table} | {row.what} | {row.prompts} | {row.seeds} | {ranks_covered(row):.1f} |"


def look_line(row: Row) -> str:
    spent, plain = passes_of_looks(row)
    return f"| {row.table} | {row.what} | {row.prompts} | {row.seeds} | {spent:.1f} | {plain:.1f} |"


def plan_line(row: Row) -> str:
    return f"| {row.table} | {row.what} | {row.prompts} | {row.seeds} | {passes_as_planned(row):.1f} |"


def bound_line(row: Row) -> str:
    high, low = false_passes(row)
    return f"| {row.table} | {row.what} | {row.prompts} | {row.seeds} | {high:.1f} | {low:.1f} |"


def interval_line(row: Row) -> str:
    return f"| {row.table} | {row.what} | {row.prompts} | {row.seeds} | {covered(row):.1f} |"


HEAD = """# How often bounds and intervals hold

Written by `tests/harness/core/statistics_simulation.py`; a slow test takes rows of it again.

## False passes of a rule at its limit, in %

The limit is the true mean, the confidence 95 %: at most 5 % may pass, give or take the error of a simulation
of 2,000 samples (1,000 at 300 prompts), 0.5 points (0.7) at 5 %. *Ceiling* is a `max` rule, *floor* a `min`
rule. A mean without an end to its range has no bound under 29 prompts and then never passes; prompts that are
rarer than a tenth and lie far out can be missed by it at any number.

| values | distribution over prompts | prompts | clips a prompt | ceiling | floor |
|---|---|---|---|---|---|"""
MIDDLE = """
## Coverage of the 95 % intervals that are shown, in %

1,000 samples a row, a standard error of 0.7 points at 95 %. *Correlation* is that of the clips of a prompt.
Under about 30 prompts no interval of a mean can hold what the sample has not shown: rare and far values. A
rate of exactly 0 or 1 is always held, and one of 0.01 or 0.99 by 10 prompts of one clip in 91 % of samples: a
single clip of the rare kind is 10 % of them. *Paired mean* is the mean difference of two runs of the same
prompts, *set, b - a* that of a measure of sets (6 features, 200 reference clips; single sets are in
[validity.md](validity.md)).

| interval | distribution over prompts | prompts | clips a prompt | covers |
|---|---|---|---|---|"""

LAST = """
## False passes of a rule that is judged while its run grows, in %

A ceiling at the true mean, judged at each of the looks; it counts as passed if any look passes. *Spending*
takes the confidence of each look from the Lan-DeMets rule (`looks` of a policy) and may pass 5 %, give or
take 0.7; *95 % each* is what comes of judging every look at 95 %. 1,000 samples a row.

| rule | distribution over prompts; looks | prompts | clips a prompt | spending | 95 % each |
|---|---|---|---|---|---|"""
PLANS = """
## How often a run of the planned size passes, in %

`gate --plan` asked for so many prompts to pass with 80 % probability; a standard error of 1.3 points. Where
values are skewed towards the limit, the normal approximation of a plan asks for a few prompts too few.

| rule | distribution over prompts | prompts | clips a prompt | passes |
|---|---|---|---|---|"""

RANKS = """
## Coverage of the 95 % intervals of ranks, in %

The middle one of three runs on the same prompts; *near* is 0.1 standard deviations of a prompt's noise
apart, *far apart* 0.5. 300 samples a row. Ranks are whole numbers, so that their intervals cover more than
is asked.

| interval | runs | prompts | clips a prompt | covers |
|---|---|---|---|---|"""

if __name__ == "__main__":
    from screentest.harness.core.stats import means

    means.RESAMPLES = 1999
    lines = [HEAD, *map(bound_line, bound_rows()), MIDDLE, *map(interval_line, interval_rows())]
    lines += map(set_line, set_rows())
    lines += [LAST, *map(look_line, look_rows()), PLANS, *map(plan_line, plan_rows())]
    lines += [RANKS, *map(rank_line, rank_rows())]
    sys.stdout.write("\n".join(lines) + "\n")
