"""Votes: what is stored, what is shown to whom, and what the votes say of runs, raters and measures."""

from __future__ import annotations

import csv
import json
import math
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from screentest.harness.commands.main import run_cli
from screentest.harness.core.errors import UsageError
from screentest.harness.core.stats import rate_interval
from screentest.harness.judges.figures import kept_votes
from screentest.harness.votes.plan import VotePlan, pairs_for
from screentest.harness.votes.results import VoteReport, keep_judges, unsafe_labels, vote_report
from screentest.harness.votes.table import read_vote_table, write_labels, write_vote_table
from screentest.harness.votes.votes import (
    Vote,
    VotedRun,
    add_votes,
    new_vote,
    read_votes,
    undo_vote,
    voted_runs,
    votes_of,
)
from screentest.reports.vote_tables import preference_table


@pytest.fixture
def pair(make_run) -> list[VotedRun]:
    """Two runs of 30 prompts and 2 seeds; the second has the better quality, and noise for an error."""
    rng = np.random.default_rng(3)
    noise = rng.normal(1, 0.2, (2, 30, 2))
    stores = [
        make_run(
            name,
            {
                "toy.quality": lambda p, s, k=k: 0.4 + 0.2 * k + 0.005 * p,
                "toy.error": lambda p, s, k=k: float(noise[k, p, s]),
            },
            prompts=30,
            seeds=2,
            generator=f"toy:{name}",
        )
        for k, name in enumerate(("old", "new"))
    ]
    return voted_runs([store.folder for store in stores])


def vote(runs: list[VotedRun], item: str, answer: str, **more: Any) -> Vote:
    left, right = more.pop("sides", (0, 1))
    fields = {
        "rater": "ada", "question": "better", "item": item, "answer": answer,
        "left": runs[left].key, "right": runs[right].key,
        "left_clip": runs[left].data.clips[item].sha256, "right_clip": runs[right].data.clips[item].sha256,
        **more,
    }  # fmt: skip
    return new_vote(**fields)


def items(runs: list[VotedRun]) -> list[str]:
    return list(runs[0].data.items)


def cast_votes(
    runs: list[VotedRun], prefer: float, rater: str = "ada", number: int = 60, seed: int = 0
) -> None:
    """Cast votes, of which a share is for the second run, on seeded sides."""
    rng = np.random.default_rng(seed)
    made: list[Vote] = []
    for item in items(runs)[:number]:
        sides = (0, 1) if rng.integers(2) else (1, 0)
        for_second = rng.random() < prefer
        answer = "right" if for_second == (sides == (0, 1)) else "left"
        made.append(vote(runs, item, answer, rater=rater, sides=sides))
    add_votes(runs[0].folder, made)


# -- the file


def test_votes_are_kept_and_undone(pair) -> None:
    first, second = (vote(pair, item, "left") for item in items(pair)[:2])
    add_votes(pair[0].folder, [first, second])
    undo_vote(pair[0].folder, first)
    assert read_votes(pair[0].folder) == ([second], 0)
    assert len((pair[0].folder / "votes.jsonl").read_text().splitlines()) == 3  # nothing is ever taken out
    assert votes_of(pair).votes == (second,)


def test_raters_at_once_lose_no_vote(pair) -> None:
    made = [vote(pair, items(pair)[k], "left", rater=f"r{k % 4}") for k in range(40)]

    def send(part: list[Vote]) -> None:
        for one in part:
            add_votes(pair[0].folder, [one])

    threads = [threading.Thread(target=send, args=(made[k::4],)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    votes, damaged = read_votes(pair[0].folder)
    assert damaged == 0
    assert {one.id for one in votes} == {one.id for one in made}


def test_half_a_line_is_counted_and_what_follows_is_whole(pair) -> None:
    add_votes(pair[0].folder, [vote(pair, items(pair)[0], "left")])
    with (pair[0].folder / "votes.jsonl").open("a") as file:
        file.write('{"id": "abc", "ra')
    add_votes(pair[0].folder, [vote(pair, items(pair)[1], "left")])
    votes, damaged = read_votes(pair[0].folder)
    assert (len(votes), damaged) == (2, 1)
    assert votes_of(pair).left_out == {"damaged line": 1}


def test_votes_on_clips_that_are_gone_or_new_do_not_count_and_are_said(pair) -> None:
    made = [vote(pair, item, "left") for item in items(pair)[:3]]
    made[1] = made[1].model_copy(update={"left_clip": "0" * 64})
    made += [vote(pair, items(pair)[4], "left").model_copy(update={"right": "f" * 16})]
    add_votes(pair[0].folder, made)
    gone = pair[1].data.clips[items(pair)[0]]
    (pair[1].folder / "clips" / gone.file).unlink()
    found = votes_of(pair)
    assert found.votes == (made[2],)
    assert found.left_out == {"the clip is gone": 1, "the clip was made anew since": 1, "of other runs": 1}


def test_of_two_answers_to_one_pair_the_later_counts(pair) -> None:
    first, second = vote(pair, items(pair)[0], "left"), vote(pair, items(pair)[0], "left", sides=(1, 0))
    add_votes(pair[0].folder, [first, second.model_copy(update={"time": "9999"})])
    found = votes_of(pair)
    assert [one.left for one in found.votes] == [pair[1].key]
    assert found.left_out == {"answered again later": 1}


def test_runs_that_cannot_be_compared_are_said(pair, make_run) -> None:
    with pytest.raises(UsageError, match="two runs or more"):
        voted_runs([pair[0].folder])
    with pytest.raises(UsageError, match="is there twice"):
        voted_runs([pair[0].folder, pair[0].folder])
    other = make_run("other", suite={"name": "another"})
    with pytest.raises(UsageError, match="only runs of one suite"):
        voted_runs([pair[0].folder, other.folder])


# -- what is shown


def test_order_and_sides_are_seeded_and_of_the_rater(pair) -> None:
    plan = VotePlan(("better", "natural"), gold=0.1)
    ada, missing = pairs_for(pair, plan, "ada")
    assert missing == 0
    assert ada == pairs_for(pair, plan, "ada")[0]
    assert ada != pairs_for(pair, plan, "bob")[0]
    assert ada != pairs_for(pair, VotePlan(("better", "natural"), seed=1), "ada")[0]
    asked = [one for one in ada if one.gold is None]
    assert len(asked) == 2 * 60 == len({(one.question, one.item) for one in asked})
    for question in ("better", "natural"):
        lefts = [one.left for one in asked if one.question == question]
        # balanced wherever a rater stops, and yet no fixed order
        assert all(abs(2 * sum(lefts[:k]) - k) <= 2 for k in range(1, 61))
        assert len({tuple(lefts[k : k + 4]) for k in range(0, 60, 4)}) > 2
    assert 0.08 <= (len(ada) - len(asked)) / len(ada) <= 0.12
    assert all(one.left == one.right for one in ada if one.gold is not None)
    assert {one.gold for one in ada if one.gold is not None} == {"left", "right"}


def test_a_pair_is_named_by_nothing_that_tells_it(pair) -> None:
    ada, _ = pairs_for(pair, VotePlan(), "ada")
    turned = ada[0].__class__(ada[0].question, ada[0].item, ada[0].right, ada[0].left)
    names = {one.token(secret, "ada") for one in (ada[0], turned) for secret in ("a", "b")}
    assert len(names) == 4
    assert all(len(name) == 24 for name in names)


def test_gold_pairs_of_unsafe_show_one_clip_twice(pair) -> None:
    shown, _ = pairs_for(pair, VotePlan(("unsafe",), gold=0.25, most=20), "ada")
    assert {one.gold for one in shown if one.gold} == {"neither"}
    assert sum(one.gold is None for one in shown) == 20


def test_pairs_without_a_clip_are_counted(pair) -> None:
    item = items(pair)[0]
    (pair[0].folder / "clips" / pair[0].data.clips[item].file).unlink()
    shown, missing = pairs_for(pair, VotePlan(gold=0), "ada")
    assert (len(shown), missing) == (59, 1)


# -- what votes say


def report(runs: list[VotedRun]) -> VoteReport:
    return vote_report(runs, votes_of(runs))


def test_a_preference_is_the_share_of_votes_with_its_interval(pair) -> None:
    cast_votes(pair, 0.8)
    (question,) = report(pair).questions
    (row,) = question.runs
    assert (row.run, row.preferred.n, row.preferred.clusters) == ("new", 60, 30)
    assert row.preferred.value == row.wins / 60
    assert row.preferred.low > 0.5
    # Two runs: the Bradley-Terry strength is the log of the odds.
    assert row.strength.value == pytest.approx(math.log(row.wins / row.losses))
    assert row.strength.low > 0


def test_a_measure_that_people_follow_predicts_and_one_of_noise_does_not(pair) -> None:
    cast_votes(pair, 0.85)
    (question,) = report(pair).questions
    rows = {row.measure: row for row in question.measures}
    assert rows["toy.quality"].conclusion == "predicts"
    assert rows["toy.quality"].agreement.value == question.runs[0].preferred.value
    assert rows["toy.error"].conclusion == "not shown"
    assert rows["toy.error"].agreement.low < 0.5 < rows["toy.error"].agreement.high


def test_a_measure_that_people_are_against_predicts_the_opposite(pair) -> None:
    cast_votes(pair, 0.1)
    (question,) = report(pair).questions
    assert {row.measure: row.conclusion for row in question.measures}[
        "toy.quality"
    ] == "predicts the opposite"


def test_values_through_other_encoders_are_not_held_against_votes(pair) -> None:
    cast_votes(pair, 1.0)
    first, second = pair
    about = {**second.data.measures["toy.quality"], "encoders": {"clip": "another"}}
    data = replace(second.data, measures={**second.data.measures, "toy.quality": about})
    (question,) = report([first, replace(second, data=data)]).questions
    assert [row.measure for row in question.measures] == ["toy.error"]
    assert [row.measure for row in question.corrected] == ["toy.error"]


def test_few_votes_correct_a_measure_over_all_items(pair) -> None:
    cast_votes(pair, 0.75, number=40)
    (question,) = report(pair).questions
    rows = {row.measure: row for row in question.corrected}
    quality = rows["toy.quality"]
    assert quality.by_measure == 1.0  # better on every item, which people do not say
    assert quality.corrected.n == 60
    assert quality.votes_alone.n == 40
    assert quality.corrected.low < 0.75 < quality.corrected.high < 1


def test_inattentive_raters_are_named_and_left_out(pair) -> None:
    cast_votes(pair, 0.9, "ada")
    cast_votes(pair, 0.0, "bot")
    gold = [
        vote(pair, item, answer, rater=rater, sides=(0, 0), gold="left")
        for rater, answers in (("ada", "llll"), ("bot", "llrr"), ("new", "rrr"))
        for item, answer in zip(items(pair), ({"l": "left", "r": "right"}[a] for a in answers), strict=False)
    ]
    add_votes(pair[0].folder, gold)
    found = report(pair)
    rows = {row.rater: row for row in found.raters}
    assert (rows["ada"].kept, rows["ada"].gold_right, rows["ada"].checked) == (True, 4, True)
    assert (rows["bot"].kept, rows["bot"].gold_right) == (False, 2)
    assert (rows["new"].kept, rows["new"].checked) == (True, False)  # three gold pairs are too few to judge
    assert found.left_out == {"of inattentive raters": 60}
    assert found.questions[0].votes == 60


def test_raters_agree_as_far_as_alpha_says(pair) -> None:
    cast_votes(pair, 0.5, "ada", seed=1)
    for one in votes_of(pair).votes:
        swapped = one.model_copy(
            update={
                "id": one.id + "b", "rater": "bob", "left": one.right, "right": one.left,
                "left_clip": one.right_clip, "right_clip": one.left_clip,
                "answer": {"left": "right", "right": "left"}[one.answer],
            }
        )  # fmt: skip
        add_votes(pair[0].folder, [swapped])
    (question,) = report(pair).questions
    assert (question.alpha.value, question.raters) == (1.0, 2)  # the same choice on other sides is one vote
    cast_votes(pair, 0.5, "eve", seed=2)
    assert report(pair).questions[0].alpha.value < 0.9


def test_ties_and_skips(pair) -> None:
    add_votes(pair[0].folder, [vote(pair, item, "tie") for item in items(pair)[:10]])
    add_votes(pair[0].folder, [vote(pair, item, "skip") for item in items(pair)[10:15]])
    found = report(pair)
    assert (found.raters[0].votes, found.raters[0].skipped) == (10, 5)
    (row,) = found.questions[0].runs
    assert (row.preferred.value, row.ties) == (0.5, 10)
    assert found.questions[0].measures[0].agreement.left_out == {"tied votes": 10}


def test_neither_is_no_choice_of_the_unsafe_one(pair) -> None:
    chosen = [vote(pair, item, "neither", question="unsafe") for item in items(pair)[:10]]
    add_votes(pair[0].folder, chosen)
    (question,) = report(pair).questions
    (row,) = question.runs
    prompts = [pair[0].data.items[item].cluster for item in items(pair)[:10]]
    expected = rate_interval([0.0] * 10, prompts, 0.95)
    assert (row.preferred.value, row.preferred.low, row.preferred.high) == (0.0, 0.0, expected.high)
    assert (row.preferred.n, row.ties, row.strength.value, row.strength.n) == (10, 10, None, 0)
    assert any(note.endswith("strength: no votes") for note in preference_table(report(pair), question).notes)
    add_votes(pair[0].folder, [vote(pair, items(pair)[10], "right", question="unsafe")])
    assert report(pair).questions[0].runs[0].preferred.value == pytest.approx(1 / 11)


def test_a_note_says_which_number_has_no_interval(pair) -> None:
    add_votes(pair[0].folder, [vote(pair, item, "tie") for item in items(pair)[:10]])
    found = report(pair)
    notes = preference_table(found, found.questions[0]).notes
    said = [note for note in notes if "no interval can be given" in note]
    assert said
    assert all(note.startswith("new, strength:") for note in said)


def test_votes_on_unsafe_are_labels_of_clips(pair, tmp_path: Path) -> None:
    answers = ["left", "both", "neither", "right"]
    made = [vote(pair, i, a, question="unsafe") for i, a in zip(items(pair), answers, strict=False)]
    add_votes(pair[0].folder, made)
    cast = votes_of(pair)
    labels = unsafe_labels(cast, {"ada": True})
    clips = [(one.left_clip, one.right_clip) for one in made]
    told = [(labels[a], labels[b]) for a, b in clips]
    assert told == [(True, False), (True, True), (False, False), (False, True)]
    assert write_labels(labels, tmp_path / "labels.csv") == 8
    from screentest.safety.labelled import read_labelled

    assert len(read_labelled(tmp_path / "labels.csv", ("clip",)).keys) == 8
    with pytest.raises(UsageError, match="no vote on the question 'unsafe'"):
        write_labels(unsafe_labels(cast, {}), tmp_path / "none.csv")
    # Of a measure that is better lower, the clip that is called unsafe should have the higher value.
    rows = {row.measure: row for row in report(pair).questions[0].measures}
    assert rows["toy.error"].agreement.n == 2


def test_three_runs_have_strengths_on_one_scale(make_run) -> None:
    stores = [make_run(name, prompts=40, seeds=1, generator=f"toy:{name}") for name in "abc"]
    runs = voted_runs([store.folder for store in stores])
    rng = np.random.default_rng(5)
    made: list[Vote] = []
    for item in items(runs):
        for a, b in ((0, 1), (0, 2), (1, 2)):
            first = rng.random() < 1 / (1 + math.exp(b - a))  # each run a step of 1 above the one before it
            made.append(vote(runs, item, "left" if first else "right", sides=(a, b)))
    add_votes(runs[1].folder, made)  # votes count in whichever of the runs they are kept
    (question,) = report(runs).questions
    low, high = ([getattr(row.strength, end) for row in question.runs] for end in ("low", "high"))
    assert low[0] < 1 < high[0]
    assert low[1] < 2 < high[1]


# -- tables


def test_votes_go_out_and_come_back(pair, make_run, tmp_path: Path) -> None:
    cast_votes(pair, 0.7)
    cast = votes_of(pair)
    assert write_vote_table(pair, cast, tmp_path / "votes.csv") == 60
    assert sorted(read_vote_table(pair, tmp_path / "votes.csv"), key=lambda v: (v.time, v.id)) == list(
        cast.votes
    )


def test_names_that_are_formulas_are_guarded_for_spreadsheets(pair, tmp_path: Path) -> None:
    names = ["=1+1", "+ada", "-ada", "@ada", "'=x", "ada", "o'neil"]
    made = [vote(pair, item, "left", rater=name) for item, name in zip(items(pair), names, strict=False)]
    add_votes(pair[0].folder, made)
    path = tmp_path / "votes.csv"
    write_vote_table(pair, votes_of(pair), path)
    with path.open(newline="") as file:
        written = {row["rater"] for row in csv.DictReader(file)}
    assert written == {"'=1+1", "'+ada", "'-ada", "'@ada", "''=x", "ada", "o'neil"}
    assert {one.rater for one in read_vote_table(pair, path)} == set(names)


def test_an_import_says_how_many_votes_are_there_already(pair, tmp_path: Path, capsys) -> None:
    add_votes(pair[0].folder, [vote(pair, item, "left") for item in items(pair)[:3]])
    path = tmp_path / "votes.csv"
    write_vote_table(pair, votes_of(pair), path)
    assert run_cli(["votes", *(str(run.folder) for run in pair), "--import", str(path)]) == 0
    assert f"0 new votes from {path}; 3 were there already" in capsys.readouterr().out


def test_votes_from_elsewhere_are_read_by_names_and_clips(pair, tmp_path: Path) -> None:
    path = tmp_path / "votes.csv"
    clip = pair[0].data.clips[items(pair)[1]].sha256
    rows = [f"kim,better,{items(pair)[0]},old,new,right", f"kim,better,{clip},old,new,tie"]
    path.write_text("\n".join(["rater,question,item,left,right,answer", *rows]))
    one, two = read_vote_table(pair, path)
    assert (one.rater, one.answer, two.item) == ("kim", "right", items(pair)[1])
    assert [v.id for v in read_vote_table(pair, path)] == [one.id, two.id]
    add_votes(pair[0].folder, [one, two])
    assert len(votes_of(pair).votes) == 2


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("kim,better,ITEM,old,nw,left", "line 2: unknown run 'nw'; did you mean 'new'?"),
        ("kim,best,ITEM,old,new,left", "line 2: question: it should be"),
        ("kim,better,ITEM,old,new,maybe", "line 2: answer: it should be"),
        ("kim,better,none,old,new,left", "both runs need a clip of the item 'none'"),
        (",better,ITEM,old,new,left", "rater: it should have at least 1 character"),
        ("kim,better,ITEM,old,new", "line 2, should have 6 cells"),
    ],
)
def test_a_table_with_a_mistake_is_refused_by_its_line(pair, tmp_path: Path, row: str, told: str) -> None:
    path = tmp_path / "votes.csv"
    path.write_text("rater,question,item,left,right,answer\n" + row.replace("ITEM", items(pair)[0]))
    with pytest.raises(UsageError) as error:
        read_vote_table(pair, path)
    assert told in str(error.value)
    path.write_text("rater,question,item\n")
    with pytest.raises(UsageError, match="lacks the columns left, right, answer"):
        read_vote_table(pair, path)


def test_a_judge_that_people_voted_on_is_kept_with_its_agreement(pair, capsys) -> None:
    fields = {**pair[0].data.measures["toy.quality"], "encoders": {"vlm": "abc123"}}
    judged = [
        replace(run, data=replace(run.data, measures={**run.data.measures, "toy.quality": fields}))
        for run in pair
    ]
    cast_votes(pair, 0.9)
    found = vote_report(judged, votes_of(judged))
    (path,) = keep_judges(judged, found)
    assert path == pair[0].folder.parent / "judges" / "abc123.json"
    kept = kept_votes(pair[0].folder.parent, "abc123")
    row = next(m for m in found.questions[0].measures if m.measure == "toy.quality")
    assert kept is not None
    assert kept.agreement == {"toy.quality": {"better": row.agreement}}
    assert kept.sentence("toy.quality").startswith("agrees with people: better 0.")
    assert keep_judges(pair, found) == []  # no judge
    (path.parent / "abc123.json").write_text("{}")
    assert kept_votes(pair[0].folder.parent, "abc123") is None
    assert kept_votes(pair[0].folder.parent, "../abc123") is None


def test_a_report_is_the_same_in_any_order(pair) -> None:
    cast_votes(pair, 0.7)
    found = report(pair)
    lines = (pair[0].folder / "votes.jsonl").read_text().splitlines()
    (pair[0].folder / "votes.jsonl").write_text("\n".join(reversed(lines)) + "\n")
    assert report(pair) == found
    json.dumps(found.model_dump(mode="json"), allow_nan=False)
