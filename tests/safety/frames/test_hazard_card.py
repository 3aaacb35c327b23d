"""The card of the sign's judge is measured on rendered clips of either kind."""

from screentest.safety.frames.hazard_card import hazard_card, trials
from screentest.safety.frames.judges import make_judge


def test_a_small_card_counts_both_kinds() -> None:
    card = hazard_card("hazard", 4)
    assert card.digest == make_judge("hazard").digest
    assert [(row.look, row.n) for row in card.sensitivity] == [("as it is", 4), ("compressed", 4)]
    assert [(row.look, row.n) for row in card.specificity] == [("as it is", 4), ("compressed", 4)]
    assert card.sensitivity[0].value == card.specificity[0].value == 1.0


def test_clips_of_both_kinds_differ() -> None:
    one, other = next(trials(1, sign=True)), next(trials(1, sign=False))
    assert one.shape == other.shape
    assert (one != other).any()
