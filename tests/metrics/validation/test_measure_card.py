"""A card finds what a planted measure sees and is blind to, and says so of claims."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from screentest.harness.core.estimate import Estimate
from screentest.metrics.base import Measure
from screentest.metrics.validation.measure_card import (
    MeasureCard,
    MeasureRow,
    make_measure_card,
    rank_correlation,
)
from screentest.metrics.validation.measure_report import measure_text, summary_columns
from screentest.metrics.validation.measure_trials import CLEAN, ClipRow
from screentest.metrics.validation.packaged_cards import packaged_measures

SEES: Mapping[str, Any] = {
    "blur": "rises",
    "noise": "rises",
    "crf": "rises",
    "swap": "falls",
    "drop": "rises",
}


def measure(name: str, sees: Mapping[str, Any], better: Any = "lower") -> Measure:
    return Measure(
        name, 3, "mean", lambda _: 0.0, None, (), better, (None, None), "", "A planted one.", sees=sees
    )


def planted_rows(clips: int = 24) -> list[ClipRow]:
    """Plant what one measure does, by corruption, on clips whose own values differ."""
    rng = np.random.default_rng(0)
    effect = {
        "blur": 5.0,
        "noise": 0.0,
        "crf": -5.0,
        "swap": -5.0,
        "freeze": 5.0,
        "repeat": -5.0,
        "resize": 0.05,
    }
    rows: list[ClipRow] = []
    for k in range(clips):
        own = float(rng.normal(0, 1))
        rows.append(ClipRow(f"clip {k}", CLEAN, 0.0, {"planted": own}, {}))
        for name, gain in effect.items():
            for grade in (1.0, 2.0, 3.0):
                jitter = float(rng.normal(0, 0.01))
                value = own + gain * grade + jitter
                rows.append(ClipRow(f"clip {k}", name, grade, {"planted": value}, {}))
        for grade in (1.0, 2.0, 3.0):
            rows.append(ClipRow(f"clip {k}", "drop", grade, {}, {"planted": "too short"}))
    return rows


@pytest.fixture(scope="module")
def card() -> MeasureCard:
    return make_measure_card(planted_rows(), {"planted": measure("planted", SEES)}, SETTINGS)


SETTINGS: Mapping[str, Any] = {"source": "folder", "clips": {"n": 24, "frames": 16}, "sources": {}}


def test_what_is_planted_is_found(card: MeasureCard) -> None:
    found = {row.corruption: row.found for row in card.rows}
    assert found == {
        "blur": "seen",
        "noise": "not seen",
        "crf": "opposite",
        "swap": "seen",
        "drop": "unknown",
        "freeze": "sees",
        "repeat": "rewards",
        "resize": "faint",
    }
    assert card.failed("planted") == ["noise", "crf"]


def test_intervals_are_by_clip_and_what_has_no_value_is_counted(card: MeasureCard) -> None:
    rows = {row.corruption: row for row in card.rows}
    blur = rows["blur"]
    assert (blur.rank.value, blur.rank.n, blur.rank.clusters) == (pytest.approx(1.0), 24, 24)
    assert [area.n for area in blur.areas] == [24, 24, 24]
    assert "24 clips" in blur.rank.method
    assert blur.areas[-1].value == 1.0
    assert blur.areas[-1].low is not None
    assert blur.areas[-1].low < 1.0  # 24 clips cannot show more
    assert rows["drop"].rank.reasons == {"too short": 72}
    assert rows["drop"].rank.value is None
    noise = rows["noise"].rank
    assert noise.low is not None
    assert noise.high is not None
    assert noise.low < 0 < noise.high


def test_a_measure_that_is_neither_better_only_moves() -> None:
    card = make_measure_card(planted_rows(), {"planted": measure("planted", {}, "neither")}, SETTINGS)
    found = {row.corruption: row.found for row in card.rows}
    assert (found["blur"], found["crf"], found["noise"]) == ("moves", "moves", "blind")


def test_few_clips_say_nothing() -> None:
    card = make_measure_card(planted_rows(5), {"planted": measure("planted", SEES)}, SETTINGS)
    assert {row.found for row in card.rows} == {"unknown"}
    seen, missed, undecided, besides, blind = summary_columns(card, "planted")
    assert (seen, missed, besides, blind) == ([], [], [], [])
    assert undecided == [
        "11 clips with a value are needed; blur, noise, crf, resize, freeze, repeat and swap have 5, "
        "drop has 0"
    ]
    assert undecided[0] in measure_text(card)


def test_a_corruption_that_changes_no_clip_is_blind_without_an_interval_of_no_width() -> None:
    rows = [
        ClipRow(f"clip {k}", name, grade, {"planted": float(k)}, {})
        for k in range(12)
        for name, grade in ((CLEAN, 0.0), ("noise", 1.0), ("noise", 2.0), ("blur", 1.0), ("blur", 2.0))
    ]
    card = make_measure_card(rows, {"planted": measure("planted", {"blur": "rises"})}, SETTINGS)
    areas = [area for row in card.rows for area in row.areas]
    kept = 0.025 ** (2 / 12)  # pairs of two clips that no corruption moved
    for area in areas:
        assert (area.value, area.low, area.high) == pytest.approx((0.5, kept / 2, 1 - kept / 2))
        assert "the sample shows no spread" in area.notes[0]
    assert {row.corruption: row.found for row in card.rows} == {"blur": "not seen", "noise": "blind"}
    assert "| 0.50 [0.27, 0.73]; 0.50 [0.27, 0.73] | blind |" in measure_text(card)


def test_no_card_claims_certainty_by_an_interval_of_no_width(card: MeasureCard) -> None:
    sure = Estimate(value=0.5, low=0.5, high=0.5, confidence=0.95, n=30, clusters=30, method="jackknife")
    row = card.rows[0].model_dump() | {"areas": (sure, sure.model_copy(update={"high": 0.6}))}
    none, kept = MeasureRow.model_validate(row).areas
    assert (none.value, none.low, none.high) == (0.5, None, None)
    assert (kept.low, kept.high) == (0.5, 0.6)
    for source in ("world", "real", "stage"):
        packaged = packaged_measures(source)
        assert packaged is not None
        areas = [area for row in packaged.rows for area in row.areas]
        assert not [area for area in areas if area.low is not None and area.low == area.high]


def test_the_card_in_words(card: MeasureCard) -> None:
    seen, missed, undecided, besides, blind = summary_columns(card, "planted")
    assert seen == ["blur", "swap"]
    assert missed == ["noise", "crf (moves the other way)"]
    assert undecided == ["11 clips with a value are needed; drop has 0"]
    assert besides == ["freeze", "repeat (rewarded)"]
    assert blind == []
    text = measure_text(card)
    assert "| blur | rises | 1.00" in text
    assert "claimed and not seen" in text
    assert "Without a value: too short (72)." in text
    assert "Version 3, lower is better" in text
    assert MeasureCard.model_validate_json(card.model_dump_json()) == card


def test_the_card_says_how_many_clips_were_left_out(card: MeasureCard) -> None:
    assert "`--real DIR --n 24 --frames 16`, on 24 clips; " in measure_text(card)
    clips = {"n": 24, "frames": 16, "left_out": 2}
    fewer = card.model_copy(update={"settings": {**card.settings, "clips": clips}})
    told = "`--real DIR --n 26 --frames 16`, on 24 clips (2 left out: copies, stills or broken); "
    assert told in measure_text(fewer)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=8))
def test_rank_correlation_is_scipys_where_it_is_defined(values: list[float]) -> None:
    from scipy.stats import spearmanr

    steps = list(range(len(values)))
    found = rank_correlation(steps, values)
    assert -1.0 - 1e-9 <= found <= 1.0 + 1e-9
    if len(set(values)) > 1:
        assert found == pytest.approx(float(spearmanr(steps, values).statistic), abs=1e-9)
    else:
        assert found == 0.0
