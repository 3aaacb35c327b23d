from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from screentest.harness.core.items import ClipSettings, make_item
from screentest.harness.core.run_data import ClipRecord, Score
from screentest.harness.plan import suite_items
from screentest.reports.gallery import RunClips, build_cards, choose_items

from .conftest import MEASURES, make_suite


def _run(
    letter: str, jerk: list[float], *, prompts: int = 5, nudity: dict[int, float] | None = None
) -> RunClips:
    items = suite_items(make_suite(prompts))
    clips = {item.id: ClipRecord(item.id, "ok") for item in items}
    clips[items[1].id] = ClipRecord(items[1].id, "failed", "it broke")
    scores = {
        item.id: {
            "motion.jerk": Score(item.id, "motion.jerk", "ok", jerk[i % len(jerk)]),
            "safety.nudity": Score(item.id, "safety.nudity", "ok", (nudity or {}).get(i, 0.0)),
        }
        for i, item in enumerate(items)
    }
    return RunClips(letter, Path("nowhere"), {i.id: i for i in items}, clips, scores, MEASURES)


def _ids(run: RunClips) -> list[str]:
    return list(run.items)


def test_extremes_and_failures_are_chosen_and_named() -> None:
    run = _run("A", [3, 1, 4, 1, 5, 9, 2, 6, 5, 3])
    chosen = choose_items([run], 5)
    ids = _ids(run)
    assert len(chosen) == 5
    assert chosen[ids[1]][0] == "failed"
    assert "best motion.jerk" in chosen[ids[1]]  # lower is better, and the first of the two ones
    assert "worst motion.jerk" in chosen[ids[5]]


def test_choice_does_not_depend_on_the_order_of_the_tables() -> None:
    run = _run("A", [3, 1, 4, 1, 5, 9, 2, 6])
    turned = RunClips(
        "A",
        run.folder,
        run.items,
        run.clips,
        dict(reversed(run.scores.items())),
        dict(reversed(MEASURES.items())),
    )
    assert choose_items([turned], 6) == choose_items([run], 6)


@pytest.mark.parametrize("limit", [0, 1, 4, 10, 50])
def test_choice_fills_the_limit_where_it_can(limit: int) -> None:
    run = _run("A", [1, 2, 3])
    chosen = choose_items([run], limit)
    assert len(chosen) == min(limit, len(run.items))
    assert all(chosen.values())


def test_largest_change_between_two_runs_is_chosen() -> None:
    a, b = _run("A", [1.0]), _run("B", [1, 1, 1, 1, 1, 1, 1, 8, 1, 1])
    chosen = choose_items([a, b], 4)
    assert "largest change of motion.jerk" in chosen[_ids(a)[7]]


def test_largest_change_from_the_first_of_three_runs_is_chosen() -> None:
    a, b = _run("A", [3.0] * 10), _run("B", [3.0] * 9 + [4.0])
    c = _run("C", [3.0] * 7 + [9.0] + [3.0] * 2)
    chosen = choose_items([a, b, c], 10)
    assert "largest change of motion.jerk" in chosen[_ids(a)[7]]


def test_flagged_clips_only_are_ranked_by_a_rate() -> None:
    run = _run("A", [1.0], nudity={6: 1.0})
    labels = [label for reasons in choose_items([run], 10).values() for label in reasons]
    assert [label for label in labels if "nudity" in label] == ["worst safety.nudity"]


def test_runs_without_scores_still_show_items() -> None:
    items = {i.id: i for i in suite_items(make_suite())}
    assert len(choose_items([RunClips("A", Path("nowhere"), items, {}, {}, {})], 3)) == 3
    assert choose_items([RunClips("A", Path("nowhere"), {}, {}, {}, {})], 3) == {}


def test_cards_hide_what_is_flagged_or_of_the_red_team() -> None:
    run = _run("A", [1.0], nudity={6: 1.0})
    cards, embedded = build_cards([run], choose_items([run], 10), byte_limit=10**6)
    assert embedded == 0
    hidden = [i for i, card in enumerate(cards) if card.hidden_clips]
    assert hidden == [2, 3, 6]
    assert [i for i, card in enumerate(cards) if card.hidden_prompt] == [2, 3]
    assert cards[6].slots[0].flags == ("safety.nudity",)
    assert cards[0].slots[0].note == "the run stored no file of this clip"


def test_item_that_a_run_lacks_is_absent_there() -> None:
    a, b = _run("A", [1.0], prompts=4), _run("B", [1.0], prompts=5)
    cards, _ = build_cards([a, b], choose_items([a, b], 10), byte_limit=0)
    assert [slot.outcome for slot in cards[-1].slots] == ["absent", "ok"]


def test_attacks_without_the_tag_are_hidden_where_attempts_were_judged() -> None:
    both = ({"labels": {"category": ("vcr",)}}, {"tags": ("motion",)})
    items = [make_item(f"prompt number {k}", 0, ClipSettings(), **more) for k, more in enumerate(both)]
    clips = {item.id: ClipRecord(item.id, "failed", f"cannot do '{item.prompt}'") for item in items}
    for measure, hidden in {"safety.unsafe_rate": [True, False], "motion.jerk": [False, False]}.items():
        run = RunClips("A", Path("nowhere"), {i.id: i for i in items}, clips, {}, {measure: {}})
        cards, _ = build_cards([run], choose_items([run], 2), byte_limit=0)
        assert [card.hidden_prompt for card in cards] == hidden
        assert ["withheld" in card.slots[0].reason for card in cards] == hidden


def test_what_one_run_calls_an_attack_is_hidden_in_all() -> None:
    a, b = _run("A", [1.0]), _run("B", [1.0])
    plain = {key: replace(item, tags=()) for key, item in a.items.items()}
    cards, _ = build_cards([replace(a, items=plain), b], choose_items([a, b], 10), byte_limit=0)
    assert [i for i, card in enumerate(cards) if card.hidden_prompt] == [2, 3]
