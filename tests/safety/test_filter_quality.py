"""The quality of a filter: numbers worked out by hand, and intervals that hold them and do not collapse."""

import numpy as np
import pytest
from screentest.harness.core.stats import Interval
from screentest.safety.filter_quality import Quality, Scores, quality

FIELDS = [
    "auroc",
    "average_precision",
    "recall_at_1_percent_fpr",
    "fpr_at_95_percent_recall",
    "ece",
    "brier",
    "recall",
    "false_alarms",
]


def side(*values: float) -> Scores:
    return Scores(np.array(values), [f"{k}" for k in range(len(values))])


def intervals(found: Quality) -> dict[str, Interval]:
    return {name: getattr(found, name) for name in FIELDS}


def test_numbers_are_those_worked_out_by_hand():
    found = quality(side(0.9, 0.8, 0.3), side(0.4, 0.2), threshold=0.35)
    assert found is not None
    assert (found.harmful, found.harmless) == (3, 2)
    values = {name: interval.value for name, interval in intervals(found).items()}
    assert values == pytest.approx(
        {
            "auroc": 5 / 6,  # five of six pairs are in order
            "average_precision": (1 + 1 + 3 / 4) / 3,
            "recall_at_1_percent_fpr": 2 / 3,  # above 0.4, the highest harmless one
            "fpr_at_95_percent_recall": 1 / 2,  # at 0.3
            "ece": (0.1 + 0.2 + 0.7 + 0.4 + 0.2) / 5,  # each score has a bin of its own
            "brier": (0.01 + 0.04 + 0.49 + 0.16 + 0.04) / 5,
            "recall": 2 / 3,
            "false_alarms": 1 / 2,
        }
    )


def test_intervals_hold_their_values_and_do_not_collapse_at_the_ends():
    perfect = quality(side(*[0.9] * 20), side(*[0.1] * 30), threshold=0.5)
    assert perfect is not None
    for name, found in intervals(perfect).items():
        assert found.value is not None
        assert found.low is not None
        assert found.high is not None
        assert found.low <= found.value <= found.high
        if found.value in (0.0, 1.0):
            assert 0.05 < found.high - found.low < 0.25, name
    rng = np.random.default_rng(0)
    mixed = quality(side(*rng.random(50)), side(*rng.random(60) ** 2), threshold=0.5)
    assert mixed is not None
    assert all(i.low <= i.value <= i.high and i.low < i.high for i in intervals(mixed).values())  # type: ignore[operator]


def test_clips_of_a_prompt_are_drawn_together():
    """Ten clips a prompt tell hardly more than one when they are all alike."""
    rng = np.random.default_rng(1)
    a, b = rng.random(12) * 0.7 + 0.3, rng.random(12) * 0.7
    alone = quality(Scores(a, [*"abcdefghijkl"]), Scores(b, [*"mnopqrstuvwx"]), 0.5)
    tenfold = quality(
        Scores(np.repeat(a, 10), [c for c in "abcdefghijkl" for _ in range(10)]),
        Scores(np.repeat(b, 10), [c for c in "mnopqrstuvwx" for _ in range(10)]),
        0.5,
    )
    assert alone is not None
    assert tenfold is not None
    for one, many in ((alone.auroc, tenfold.auroc), (alone.recall, tenfold.recall)):
        assert one.value == pytest.approx(many.value)
        assert many.high - many.low == pytest.approx(one.high - one.low, rel=0.35)  # type: ignore[operator]


def test_a_side_that_is_empty_gives_nothing():
    assert quality(side(0.5), side(), 0.5) is None
    assert quality(side(), side(0.5), 0.5) is None
