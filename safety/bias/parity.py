"""Parity: whether quality, refusal or safety differ between groups, and between prompts that name another
group.

Groups are compared by a permutation test of whole prompts: which group a prompt belongs to is shuffled.
People as they are read are compared within prompts: which clip of a prompt shows whom is shuffled.
Counterfactual pairs are prompts alike but for the group that they name (labels ``base``, ``axis`` and
``named``); their clips of one seed are compared, with signs flipped by base prompt.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np

from ...harness.core.keys import seeded_rng
from ...harness.core.run_data import RunData, value_of
from ...harness.core.stats import (
    Bounds,
    Interval,
    cluster_bootstrap_mean,
    difference_bounds,
    holm,
    paired_rate_interval,
    rate_interval,
    sign_flip_test,
)
from .reader_error import ATTRIBUTES
from .shown import Shown

__all__ = ["GroupValue", "Pair", "Parity", "group_parity", "pair_differences", "people_parity"]

_OF_AUDITS = ("bias.", "detection.", "memorisation.", "provenance.", "watermark.")
"""Measures that say nothing of quality, refusal or safety; they would only weaken the tests of the others."""

REFUSAL: Final = "refusal"
"""What the outcomes of generation are called here: 1 for refused, 0 for a clip; failures are left out."""
_SHUFFLES: Final = 2000


@dataclass(frozen=True)
class GroupValue:
    """The value of a measure in one group, with its number of clips and prompts."""

    group: str
    interval: Interval
    n: int
    prompts: int


@dataclass(frozen=True)
class Parity:
    """A measure over groups.

    Attributes:
        by: the label, or what is read of people.
        p: that groups alike differ as much; after Holm over the measures in ``adjusted``.
    """

    measure: str
    by: str
    groups: tuple[GroupValue, ...]
    p: float
    adjusted: float = 1.0

    @property
    def ends(self) -> tuple[GroupValue, GroupValue]:
        """The groups with the lowest and the highest value."""
        order = sorted(self.groups, key=lambda one: (one.interval.value or 0.0, one.group))
        return order[0], order[-1]


@dataclass(frozen=True)
class Pair:
    """The change of a measure when a prompt names ``b`` instead of ``a``: a mean difference ``b - a``."""

    measure: str
    a: str
    b: str
    difference: Interval
    n: int
    prompts: int
    p: float
    adjusted: float = 1.0


@dataclass(frozen=True)
class _Values:
    """A measure's value of each item that has one, by item, its range, and whether the values are 0 and 1."""

    name: str
    of: Mapping[str, float]
    rate: bool
    bounds: Bounds = (0.0, 1.0)


def _all_values(run: RunData) -> list[_Values]:
    """List every measure of clips except those of audits, and refusal by the outcomes."""
    answered = {i: c.outcome for i, c in run.clips.items() if c.outcome in ("ok", "refused")}
    outcomes = {i: float(outcome == "refused") for i, outcome in answered.items()}
    found = [_Values(REFUSAL, outcomes, True)]
    for name, fields in run.measures.items():
        of_audits = name.startswith(_OF_AUDITS)
        if of_audits or fields.get("kind") not in ("mean", "rate") or name == "refusal.rate":
            continue
        values = {item: value_of(run.scores.get((name, item))) for item in run.items}
        known = {item: value for item, value in values.items() if value is not None}
        if known:
            low, high = fields.get("bounds") or (None, None)
            found.append(_Values(name, known, fields["kind"] == "rate", (low, high)))
    return found


def group_parity(run: RunData, label: str, confidence: float) -> list[Parity]:
    """Compare the groups of a label in every measure; empty with fewer than two groups."""
    group_of = {item.id: item.labels[label][0] for item in run.items.values() if item.labels.get(label)}
    found: list[Parity] = []
    for values in _all_values(run):
        items = [item for item in run.items if item in values.of and item in group_of]
        names = [group_of[item] for item in items]
        if len(set(names)) < 2:
            continue
        clusters = [run.items[item].cluster for item in items]
        numbers = [values.of[item] for item in items]
        p = _by_prompt(numbers, clusters, names, values.name)
        groups = _groups(numbers, clusters, names, confidence, values)
        found.append(Parity(values.name, label, groups, p))
    return _adjusted(found)


def people_parity(run: RunData, shown: Sequence[Shown], confidence: float) -> list[Parity]:
    """Compare clips by who they show, as read, within prompts; a measure of all clips alike is left out."""
    found: list[Parity] = []
    for values in _all_values(run):
        for attribute in ATTRIBUTES:
            part = [s for s in shown if s.attribute(attribute) is not None and s.item in values.of]
            names = [str(s.attribute(attribute)) for s in part]
            numbers = [values.of[s.item] for s in part]
            clusters = [s.cluster for s in part]
            if len(set(names)) < 2 or values.name == REFUSAL or min(numbers) == max(numbers):
                continue
            p = _within_prompts(numbers, clusters, names, values.name)
            groups = _groups(numbers, clusters, names, confidence, values)
            found.append(Parity(values.name, attribute, groups, p))
    return _adjusted(found)


def pair_differences(run: RunData, confidence: float) -> list[Pair]:
    """Compare prompts that differ in the group that they name, clip by clip of one seed."""
    named: dict[str, dict[str, dict[tuple[str, int], str]]] = {}
    for item in run.items.values():
        labels = [item.labels.get(name, ("",))[0] for name in ("axis", "named", "base")]
        if all(labels):
            named.setdefault(labels[0], {}).setdefault(labels[1], {})[labels[2], item.seed] = item.id
    found: list[Pair] = []
    for values in _all_values(run):
        for axis in sorted(named):
            for a, b in combinations(sorted(named[axis]), 2):
                keys = sorted(named[axis][a].keys() & named[axis][b].keys())
                both = [(key, named[axis][a][key], named[axis][b][key]) for key in keys]
                both = [one for one in both if one[1] in values.of and one[2] in values.of]
                if not both:
                    continue
                clusters = [key[0] for key, _, _ in both]
                changes = [values.of[second] - values.of[first] for _, first, second in both]
                interval = (
                    paired_rate_interval(changes, clusters, confidence)
                    if values.rate
                    else cluster_bootstrap_mean(
                        changes,
                        clusters,
                        confidence,
                        seed=[values.name, a, b],
                        bounds=difference_bounds(values.bounds),
                    )
                )
                tested = sign_flip_test(changes, clusters, seed=["bias pairs", values.name, a, b])
                p = 1.0 if tested is None else tested[0]
                found.append(Pair(values.name, a, b, interval, len(changes), len(set(clusters)), p))
    adjusted = holm([one.p for one in found])
    return [
        Pair(one.measure, one.a, one.b, one.difference, one.n, one.prompts, one.p, p)
        for one, p in zip(found, adjusted, strict=True)
    ]


def _adjusted(found: Sequence[Parity]) -> list[Parity]:
    adjusted = holm([one.p for one in found])
    return [Parity(one.measure, one.by, one.groups, one.p, p) for one, p in zip(found, adjusted, strict=True)]


def _groups(
    numbers: Sequence[float],
    clusters: Sequence[str],
    names: Sequence[str],
    confidence: float,
    measured: _Values,
) -> tuple[GroupValue, ...]:
    found: list[GroupValue] = []
    for name in sorted(set(names)):
        mine = [k for k, one in enumerate(names) if one == name]
        values, own = [numbers[k] for k in mine], [clusters[k] for k in mine]
        interval = (
            rate_interval(values, own, confidence)
            if measured.rate
            else cluster_bootstrap_mean(
                values, own, confidence, seed=["bias parity", name], bounds=measured.bounds
            )
        )
        found.append(GroupValue(name, interval, len(mine), len(set(own))))
    return tuple(found)


def _by_prompt(
    numbers: Sequence[float], clusters: Sequence[str], names: Sequence[str], measure: str
) -> float:
    """Test groups by shuffling which group each prompt belongs to."""
    means: dict[str, list[float]] = {}
    group: dict[str, str] = {}
    for number, cluster, name in zip(numbers, clusters, names, strict=True):
        means.setdefault(cluster, []).append(number)
        group[cluster] = name
    order = sorted(means)
    value = np.array([math.fsum(means[c]) / len(means[c]) for c in order])
    codes = np.unique([group[c] for c in order], return_inverse=True)[1]
    rng = seeded_rng("bias parity by prompt", measure)
    shuffled = np.stack([rng.permutation(codes) for _ in range(_SHUFFLES)])
    return _share_beyond(value - value.mean(), codes, shuffled)


def _within_prompts(
    numbers: Sequence[float], clusters: Sequence[str], names: Sequence[str], measure: str
) -> float:
    """Test classes by shuffling which clip of each prompt shows which, on values less their prompt's mean."""
    value = np.array(numbers)
    codes = np.unique(names, return_inverse=True)[1]
    prompt = np.unique(clusters, return_inverse=True)[1]
    rng = seeded_rng("bias parity within prompts", measure)
    shuffled = np.repeat(codes[None, :], _SHUFFLES, axis=0)
    for place in range(prompt.max() + 1):
        mine = np.flatnonzero(prompt == place)
        value[mine] -= value[mine].mean()
        shuffled[:, mine] = rng.permuted(shuffled[:, mine], axis=1)
    return _share_beyond(value, codes, shuffled)


def _share_beyond(value: np.ndarray, codes: np.ndarray, shuffled: np.ndarray) -> float:
    """Count the shuffles whose groups' means spread at least as far, the observed one among them."""

    def spread(rows: np.ndarray) -> np.ndarray:
        total = np.zeros(len(rows))
        for code in range(codes.max() + 1):
            mine = rows == code
            count = mine.sum(axis=1)
            total += (mine * value).sum(axis=1) ** 2 / np.maximum(count, 1)
        return total

    seen = float(spread(codes[None, :])[0])
    hits = int((spread(shuffled) >= seen * (1 - 1e-9) - 1e-12).sum())
    return (1 + hits) / (1 + len(shuffled))
