"""Cards of the frame judges: they are of today's judges, and a run's rate is bounded with them."""

from __future__ import annotations

import numpy as np
import pytest
from screentest.harness.core.errors import UsageError
from screentest.safety.frames import judge_card as cards
from screentest.safety.frames.judge_card import (
    JudgeCard,
    corrected_bound,
    error_row,
    judge_card,
    packaged_cards,
    why_no_card,
    write_card,
)
from screentest.safety.frames.judge_error import Judgements
from screentest.safety.frames.judges import make_judge
from screentest.safety.frames.nudity import NUDE, SETTINGS


def judged(ones: int, n: int, per_prompt: int = 1) -> Judgements:
    return Judgements([1.0] * ones + [0.0] * (n - ones), [str(i // per_prompt) for i in range(n)])


def card(passed: int, of: int, found: int = 0, unsafe: int = 0) -> JudgeCard:
    def row(kind: str, right: int, n: int):
        return error_row(kind, "as it is", [k < right for k in range(n)], [str(k) for k in range(n)])

    return JudgeCard(
        judge="trial",
        digest="d" * 64,
        settings={"threshold": 0.5},
        specificity=(row("all", passed, of), row("fur", of // 2, of)),
        sensitivity=(row("all", found, unsafe),) if unsafe else (),
    )


@pytest.mark.parametrize("spec", sorted(packaged_cards()))
def test_packaged_cards_are_of_todays_judges(spec: str) -> None:
    found = judge_card(spec)
    assert found is not None, f"the card of {spec} is stale: make it anew"
    assert found.digest == make_judge(spec).digest
    assert found.specificity
    assert why_no_card(spec) is None


def test_the_card_of_nudity_is_of_its_settings_and_claims_no_sensitivity() -> None:
    found = judge_card("nudity")
    assert found is not None
    settings = {**vars(SETTINGS), "classes": list(NUDE)}
    assert found.settings == settings
    assert found.sensitivity == ()
    assert "publish no accuracy" in found.sensitivity_note
    page = (cards.FOLDER / "nudity.md").read_text("utf-8")
    assert "Not measured here." in page


def test_a_judge_without_a_card_says_so() -> None:
    assert judge_card("image:nsfw") is None
    assert "has no card: its errors were not measured" in str(why_no_card("image:nsfw"))
    with pytest.raises(UsageError, match="did you mean"):
        judge_card("nuditty")


def test_a_card_of_another_version_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    stale = packaged_cards()["hazard"].model_copy(update={"digest": "0" * 64})
    monkeypatch.setattr(cards, "packaged_cards", lambda: {"hazard": stale})
    assert judge_card("hazard") is None
    assert "another version" in str(why_no_card("hazard"))


def test_a_row_has_the_exact_interval_of_independent_clips() -> None:
    row = error_row("x", "as it is", [True] * 19 + [False], [str(k) for k in range(20)])
    # Clopper and Pearson's interval of 19 of 20, as scipy.stats.binomtest(19, 20).proportion_ci() has it
    assert (row.low, row.high) == (pytest.approx(0.7512672, abs=1e-6), pytest.approx(0.9987349, abs=1e-6))
    every = error_row("x", "as it is", [True] * 20, [str(k) for k in range(20)])
    assert (every.low, every.high) == (pytest.approx(0.025 ** (1 / 20)), 1.0)
    one_film = error_row("x", "as it is", [True] * 20, ["film"] * 20)
    assert one_film.low == pytest.approx(0.025)


def test_false_alarms_are_taken_off_and_their_uncertainty_stays() -> None:
    run = judged(10, 100)
    perfect, leaky = corrected_bound(run, card(10_000, 10_000)), corrected_bound(run, card(9000, 10_000))
    assert perfect.corrected == pytest.approx(0.1)
    assert leaky.corrected == pytest.approx(0.0)
    assert leaky.value < perfect.value
    assert not perfect.complete
    assert "not measured" in perfect.assumes
    assert perfect.value == pytest.approx(0.17, abs=0.02)  # Clopper-Pearson's upper bound: 0.1637
    few = corrected_bound(run, card(9, 10))
    assert few.value > leaky.value
    nothing = corrected_bound(judged(0, 59), card(90, 100)).value
    assert nothing >= 1 - 0.05 ** (1 / 59) - 1e-12  # the rule of three for 59 prompts


def test_misses_raise_the_bound() -> None:
    run = judged(10, 100)
    seen = corrected_bound(run, card(1000, 1000))
    measured = corrected_bound(run, card(1000, 1000, 500, 1000))
    own = corrected_bound(run, card(1000, 1000), sensitivity=(50, 100))
    assert measured.complete
    assert own.complete
    assert measured.corrected == pytest.approx(0.2)
    assert own.value > measured.value > seen.value
    low = corrected_bound(run, card(1000, 1000), side="lower")
    assert low.value < low.apparent < seen.value


def test_the_row_of_a_kind_can_be_asked_for() -> None:
    run = judged(60, 100)
    assert corrected_bound(run, card(100, 100), kind="fur").corrected == pytest.approx(0.2)
    with pytest.raises(UsageError, match="it has: all, fur"):
        corrected_bound(run, card(100, 100), kind="feathers")
    with pytest.raises(UsageError, match="judged no clip"):
        corrected_bound(judged(0, 0), card(100, 100))
    with pytest.raises(UsageError, match="no better than chance"):
        corrected_bound(run, card(100, 100), kind="fur", sensitivity=(1, 10))
    with pytest.raises(UsageError, match="is not possible"):
        corrected_bound(run, card(100, 100), sensitivity=(11, 10))


@pytest.mark.slow
@pytest.mark.parametrize(("truth", "sp", "se"), [(0.05, 0.9, 0.8), (0.2, 0.95, 0.7), (0.0, 0.9, 0.9)])
def test_the_upper_bound_covers_the_truth(truth: float, sp: float, se: float, monkeypatch) -> None:
    monkeypatch.setattr(cards, "DRAWS", 2000)
    rng = np.random.default_rng(5)
    covered = 0
    for _ in range(300):
        rate = truth * se + (1 - truth) * (1 - sp)
        made = card(int(rng.binomial(80, sp)), 80, int(rng.binomial(60, se)), 60)
        covered += corrected_bound(judged(int(rng.binomial(120, rate)), 120), made).value >= truth
    assert covered / 300 > 0.91  # 0.95 less three standard errors


def test_a_card_is_written_as_json_and_as_a_page(tmp_path) -> None:
    made = card(9, 10, 4, 5)
    data, page = write_card(made, tmp_path)
    assert JudgeCard.model_validate_json(data.read_bytes()) == made
    assert "| all | as it is | 9 | 10 | 10 | 90.0 % |" in page.read_text("utf-8")
    assert "| all | as it is | 4 | 5 | 5 | 80.0 % |" in page.read_text("utf-8")
