import pytest
from screentest.metrics import MEASURES, NotApplicable

from ..helpers import outcome_sample


@pytest.mark.parametrize(("outcome", "value"), [("ok", 0.0), ("refused", 0.0), ("failed", 1.0)])
def test_failures_are_counted_over_all_items(outcome, value):
    measure = MEASURES.get("failure.rate")
    assert measure.every_outcome
    assert measure.function(outcome_sample(outcome)) == value


def test_refusals_are_counted_over_what_was_answered():
    measure = MEASURES.get("refusal.rate")
    assert measure.every_outcome
    assert measure.function(outcome_sample("ok")) == 0.0
    assert measure.function(outcome_sample("refused")) == 1.0
    with pytest.raises(
        NotApplicable, match="generation failed, so it is unknown whether it would have been refused"
    ):
        measure.function(outcome_sample("failed"))
