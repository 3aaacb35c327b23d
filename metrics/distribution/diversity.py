"""Set measures of fidelity and diversity apart, and of how different the clips of one prompt are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...harness.core.counts import counted
from ...harness.core.errors import UsageError
from ...harness.core.estimate import RunEstimate
from ..base import NotApplicable, RunSample, Value, set_measure
from ..encoders.base import Feature
from .groups import groups_of
from .kernel import unit_rows
from .neighbours import Prdc, prdc_leave_one_out, precision_recall_density_coverage
from .run_values import both_sets, estimate_of, one_set
from .vendi import vendi_leave_one_out, vendi_score

__all__ = ["NEAREST", "prdc", "prompt_diversity", "vendi", "within_prompts"]

VIDEO = "video"
NEAREST = 5
"""The neighbour that balls reach to, as in Naeem et al. 2020."""
_SHARE, _UP = (0.0, 1.0), (0.0, None)
_VALUES = {
    "precision": Value("higher", _SHARE),
    "recall": Value("higher", _SHARE),
    "density": Value("higher", _UP),
    "coverage": Value("higher", _SHARE),
}


@set_measure("fidelity.prdc", version=1, needs=VIDEO, better="higher", bounds=(0.0, None), values=_VALUES)
def prdc(sample: RunSample) -> dict[str, RunEstimate]:
    """Precision, recall, density and coverage of generated clips against the reference set.

    Naeem et al. 2020, with the 5th neighbour: precision and density are of fidelity, recall and coverage of
    diversity. They are of the sets' sizes, too, so compare them at equal n and m.
    In simulation the 95 % intervals of density held in 91 to 95 % of draws, and those of precision and
    coverage at 20 prompts in 91 to 97 %: they are somewhat too narrow (docs/validity.md).

    Raises:
        NotApplicable: either set has fewer than six clips.
    """
    x, y = both_sets(sample, VIDEO, NEAREST + 1)
    whole = precision_recall_density_coverage(y, x, nearest_k=NEAREST)
    without = prdc_leave_one_out(y, x, sample.clusters, nearest_k=NEAREST)
    return {
        name: estimate_of(
            sample,
            VIDEO,
            getattr(whole, name),
            {group: getattr(values, name) for group, values in without.items()},
            bounds=_VALUES[name].bounds,
        )
        for name in Prdc._fields
    }


@set_measure(
    "diversity.vendi",
    version=1,
    needs=VIDEO,
    better="higher",
    bounds=(1.0, None),
    references=(),
    unit="clips",
    sees={"modes": "falls", "duplicates": "falls"},
)
def vendi(sample: RunSample) -> RunEstimate:
    """Effective number of different clips in the run (Friedman and Dieng 2023), from cosines of features.

    It grows with n: compare runs of one suite. Clips that are broken in many ways are diverse, too.
    In simulation its 95 % intervals held in 97 to 100 % of draws (docs/validity.md).

    Raises:
        NotApplicable: fewer than two clips.
    """
    x = one_set(sample, VIDEO, 2, "a Vendi score")
    replicates = vendi_leave_one_out(x, sample.clusters)
    return estimate_of(sample, VIDEO, vendi_score(x), replicates, bounds=(1.0, None))


@set_measure(
    "diversity.per_prompt", version=1, needs=VIDEO, better="higher", bounds=(0.0, 2.0), references=()
)
def prompt_diversity(sample: RunSample) -> RunEstimate:
    """Difference between the clips of a prompt: 1 - cosine, over pairs of its seeds, then over prompts.

    0 for a generator that gives a prompt the same clip whatever the seed. Prompts with one clip are left out.
    In simulation its 95 % intervals held in 94 to 96 % of draws (docs/validity.md).

    Raises:
        NotApplicable: no prompt has two clips.
    """
    x = one_set(sample, VIDEO, 2, "the diversity of a prompt")
    spread = within_prompts(x, sample.clusters)
    if not spread:
        raise NotApplicable("no prompt has two clips that can be compared; give the suite two seeds or more")
    alone = sum(count == 1 for count in Counter(sample.clusters).values())
    notes = [f"over {counted(len(spread), 'prompt')} with two clips or more"]
    if alone:
        notes.append(f"{counted(alone, 'prompt')} with one clip left out")
    value = float(np.mean(list(spread.values())))
    return estimate_of(sample, VIDEO, value, _without_each(spread), notes, bounds=(0.0, 2.0))


def within_prompts(x: Feature, clusters: Sequence[str]) -> dict[str, float]:
    """Return prompt -> the mean of 1 - cosine over pairs of its clips, in [0, 2].

    Prompts with one clip have none.

    Args:
        x: features, (n, D).
        clusters: the prompt of each row.

    Raises:
        UsageError: a value is not finite, or a feature is all zeros.

    Example:
        >>> within_prompts(np.array([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]]), ["a", "a", "b"])
        {'a': 1.0}
    """
    if not np.isfinite(x).all():
        raise UsageError("a feature is NaN or infinite, so the clips cannot be compared")
    rows, of_row = unit_rows(x), np.array(clusters)
    found: dict[str, float] = {}
    for prompt in sorted(set(clusters)):
        mine: NDArray[np.float64] = rows[of_row == prompt]
        n = len(mine)
        if n > 1:  # half the mean squared distance of pairs: identical clips are at exactly 0
            spread = np.square(mine - mine.mean(axis=0)).sum()
            found[prompt] = float(np.clip(spread / (n - 1), 0.0, 2.0))
    return found


def _without_each(spread: dict[str, float]) -> dict[str, float]:
    """Give the mean without each prompt, or each group of prompts."""
    names = list(spread)
    values, groups = np.array(list(spread.values())), np.array(groups_of(names))
    if len(set(groups)) < 2:
        return {}
    return {str(group): float(values[groups != group].mean()) for group in sorted(set(groups.tolist()))}
