"""Confidence intervals, one-sided bounds, tests and sample sizes.

Clips of one prompt are alike. So the unit that is resampled, counted and flipped is always the prompt (the
*cluster*), never the clip.

- `means`, `rates`, `differences`, `ratios`, `sets`: two-sided intervals, as they are shown;
- `bounds`: one-sided bounds of means and rates that hold for few prompts, for skew and for rare events, as
  gates read them;
- `significance`: tests of paired differences, and p-values adjusted for their number;
- `sequential`: the confidence of each look at a sample that grows;
- `power`: how many prompts it takes, and what a number of prompts can show.

All randomness is derived from the given seed. Clusters are sorted by name and sums do not use BLAS, so the
same table in any order gives the same number to the last bit.
"""

from __future__ import annotations

from .bounds import bounded_mean_interval, mean_bound, prompts_to_clear, rate_bound, unseen_prompts
from .clusters import spread_of_prompts
from .differences import Standing, newcombe_interval, paired_rate_interval, standing
from .interval import FEW, ROUGH, Bounds, Interval, difference_bounds
from .means import cluster_bootstrap, cluster_bootstrap_mean
from .power import (
    components,
    detectable_effect,
    mean_power,
    needed_at_rate,
    needed_without_failures,
    prompt_spread,
    prompts_for_effect,
    prompts_for_rate,
    rate_power,
    spread_of_interval,
    with_seeds,
)
from .ranks import Rank, Ranking, rank_runs
from .rates import effective_sample_size, rate_interval
from .ratios import jackknife_ratio, ratio_interval
from .sequential import look_confidences, spent
from .sets import jackknife_interval
from .significance import benjamini_hochberg, holm, sign_counts, sign_flip_test

__all__ = [
    "FEW",
    "ROUGH",
    "Bounds",
    "Interval",
    "Rank",
    "Ranking",
    "Standing",
    "benjamini_hochberg",
    "bounded_mean_interval",
    "cluster_bootstrap",
    "cluster_bootstrap_mean",
    "components",
    "detectable_effect",
    "difference_bounds",
    "effective_sample_size",
    "holm",
    "jackknife_interval",
    "jackknife_ratio",
    "look_confidences",
    "mean_bound",
    "mean_power",
    "needed_at_rate",
    "needed_without_failures",
    "newcombe_interval",
    "paired_rate_interval",
    "prompt_spread",
    "prompts_for_effect",
    "prompts_for_rate",
    "prompts_to_clear",
    "rank_runs",
    "rate_bound",
    "rate_interval",
    "rate_power",
    "ratio_interval",
    "sign_counts",
    "sign_flip_test",
    "spent",
    "spread_of_interval",
    "spread_of_prompts",
    "standing",
    "unseen_prompts",
    "with_seeds",
]
