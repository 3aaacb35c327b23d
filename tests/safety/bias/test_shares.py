"""Simulated audits: planted shares, read through a reader's error, lie within the intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pytest
from screentest.generators.reference.training.data import planted
from screentest.harness.core.stats import holm
from screentest.safety.bias.amplification import amplification, no_amplification
from screentest.safety.bias.distances import NullTest, joint_p
from screentest.safety.bias.reader_error import ATTRIBUTES, Confusion
from screentest.safety.bias.shares import Shares, compare, estimate_shares, tally_of

PROMPTS, SEEDS, UNDETERMINED, LABELLED = 12, 4, 0.44, 200
ERROR = {
    "presentation": np.array([[0.93, 0.07], [0.04, 0.96]]),
    "tone": np.array([[0.90, 0.08, 0.02], [0.05, 0.90, 0.05], [0.01, 0.09, 0.90]]),
}
"""What a reader takes for what, worse than that of the world; audits know it from labelled clips alone."""
Planted = Mapping[str, Mapping[str, tuple[float, ...]]]


def shares_of(name: str) -> Planted:
    made = planted(name)
    return {
        "presentation": {group: (share, 1 - share) for group, share in made.feminine.items()},
        "tone": made.tone,
    }


@dataclass
class Outcome:
    """What a simulated audit found: per share whether its interval holds it, and what was accused of skew."""

    inside: dict[tuple[str, str], list[bool]]
    accused: bool
    groups: int
    slope: bool


def audit(truth: Planted, index: int, *, alike: float | None = None) -> Outcome:
    """Simulate an audit; ``alike`` is the concentration of each prompt's own shares, None for independent."""
    rng = np.random.default_rng([7, index])
    inside: dict[tuple[str, str], list[bool]] = {}
    p: list[float] = []
    overall: list[float] = []
    feminine: dict[str, Shares] = {}
    for attribute, groups in truth.items():
        classes, error = ATTRIBUTES[attribute], ERROR[attribute]
        tests: list[NullTest] = []
        labelled = np.stack([rng.multinomial(LABELLED, row) for row in error]).astype(float)
        confusion = Confusion(classes, np.hstack([labelled, np.zeros((len(classes), 1))]))
        for group, shares in groups.items():
            reads: list[str | None] = []
            clusters: list[str] = []
            for prompt in range(PROMPTS):
                own = np.array(shares) if alike is None else rng.dirichlet(np.array(shares) * alike)
                true = rng.choice(len(classes), SEEDS, p=own)
                seen = [classes[rng.choice(len(classes), p=error[k])] for k in true]
                reads += [None if rng.random() < UNDETERMINED else one for one in seen]
                clusters += [f"{group} {prompt:02d}"] * SEEDS
            found = estimate_shares(
                tally_of(classes, reads, clusters), confusion, seed=[index, attribute, group]
            )
            ends = [found.interval(name, 0.95) for name in classes]
            inside[attribute, group] = [
                end.low is not None and end.high is not None and end.low - 1e-9 <= share <= end.high + 1e-9
                for end, share in zip(ends, shares, strict=True)
            ]
            even = np.full(len(classes), 1 / len(classes))
            tests.append(compare(found, even, 0.95, seed=[index, attribute, group]).null)
            if attribute == "presentation":
                feminine[group] = found
        p += [one.p for one in tests]
        overall.append(joint_p(tests))
    table = {group: shares[0] for group, shares in truth["presentation"].items()}
    line = None if no_amplification(feminine, table) else amplification(feminine, table, "feminine", 0.95)
    slope = line is not None and (line.slope.low or 0) <= 1 <= (line.slope.high or 0)
    adjusted = holm([*overall, *p])
    return Outcome(inside, min(adjusted) <= 0.05, sum(one <= 0.05 for one in adjusted[2:]), slope)


def test_an_audit_finds_what_is_planted_and_no_more() -> None:
    skewed = [audit(shares_of("base"), index) for index in range(3)]
    fair = [audit(shares_of("safe"), index) for index in range(3)]
    assert all(one.accused for one in skewed)
    assert not any(one.accused for one in fair)
    held = [ok for one in skewed for part in one.inside.values() for ok in part]
    assert np.mean(held) >= 0.85
    assert sum(one.slope for one in skewed) >= 2


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("alike", [None, 4.0], ids=["independent seeds", "alike seeds"])
def test_planted_skew_is_inside_the_interval_in_90_of_100_audits(alike: float | None) -> None:
    found = [audit(shares_of("base"), index, alike=alike) for index in range(100)]
    held = {key: [one.inside[key] for one in found] for key in found[0].inside}
    rates = {key: np.mean(rows, axis=0).min() for key, rows in held.items()}
    print({" ".join(key): round(float(rate), 2) for key, rate in rates.items()})
    print("groups accused", sum(one.groups for one in found) / len(found))
    print("slope", sum(one.slope for one in found), "accused", sum(one.accused for one in found))
    assert min(rates.values()) >= 0.90
    assert sum(one.slope for one in found) >= 90
    assert all(one.accused for one in found)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("alike", [None, 4.0], ids=["independent seeds", "alike seeds"])
def test_a_fair_generator_is_accused_in_5_of_100_audits_at_most(alike: float | None) -> None:
    accused = sum(audit(shares_of("safe"), 1000 + index, alike=alike).accused for index in range(100))
    print("accused", accused)
    assert accused <= 5
