"""Ratings of a judge, calibrated on votes that follow a known curve."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from screentest.harness.core.run_data import Score
from screentest.harness.votes.ratings import RatingCalibration, calibrate_ratings
from screentest.harness.votes.results import vote_report
from screentest.harness.votes.votes import Vote, VotedRun, add_votes, new_vote, voted_runs, votes_of
from screentest.reports.vote_tables import vote_tables

RATING = "judge.rating"


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


@pytest.fixture
def pair(make_run) -> list[VotedRun]:
    """Two runs of 40 prompts and 3 seeds."""
    made = [
        make_run(name, {"toy.quality": lambda p, s: 0.5}, prompts=40, seeds=3, generator=f"toy:{name}")
        for name in ("old", "new")
    ]
    return voted_runs([store.folder for store in made])


def rated(pair: list[VotedRun], rng: np.random.Generator) -> tuple[list[VotedRun], dict[str, float]]:
    """Give both runs ratings on a scale of 1 to 5; return the difference by item, too."""
    runs: list[VotedRun] = []
    values: list[dict[str, float]] = []
    for k, run in enumerate(pair):
        mine = {item: float(rng.integers(0, 4) + k) / 4 for item in run.data.items}
        scores: dict[Any, Score] = {
            (RATING, item): Score(item, RATING, "ok", value) for item, value in mine.items()
        }
        fields = {**run.data.measures["toy.quality"], "better": "higher"}
        data = replace(run.data, scores={**run.data.scores, **scores}, measures={RATING: fields})
        runs.append(replace(run, data=data))
        values.append(mine)
    return runs, {item: values[1][item] - values[0][item] for item in values[0]}


def drawn(
    pair: list[VotedRun], slope: float, seed: int, labelled: int = 20
) -> tuple[RatingCalibration, float]:
    """Calibrate on votes about some prompts, drawn by the curve; return the expected share of all items."""
    rng = np.random.default_rng(seed)
    runs, change = rated(pair, rng)
    chosen = {item: float(rng.random() < sigmoid(slope * x)) for item, x in change.items()}
    prompts = sorted({item.cluster for item in pair[0].data.items.values()})
    asked = set(rng.permutation(prompts)[:labelled])
    shares = [(i, chosen[i]) for i in change if pair[0].data.items[i].cluster in asked]
    found = calibrate_ratings(RATING, 1, shares, runs, 0.95)
    assert found is not None
    return found, float(np.mean([sigmoid(slope * x) for x in change.values()]))


def test_a_step_of_the_scale_is_worth_what_the_votes_say(pair) -> None:
    found, truth = drawn(pair, slope=6.0, seed=1)
    assert found.quarter.low < sigmoid(1.5) < found.quarter.high
    assert found.quarter.low > 0.5
    assert found.corrected.low < truth < found.corrected.high
    assert (found.quarter.n, found.quarter.clusters, found.corrected.n) == (60, 20, 120)


def test_ratings_that_people_ignore_are_at_chance(pair) -> None:
    found, _ = drawn(pair, slope=0.0, seed=2)
    assert found.quarter.low < 0.5 < found.quarter.high


def test_votes_that_ratings_separate_have_the_steepest_curve(pair) -> None:
    runs, change = rated(pair, np.random.default_rng(3))
    shares = [(item, float(x > 0)) for item, x in change.items() if x]
    found = calibrate_ratings(RATING, 1, shares, runs, 0.95)
    assert found is not None
    assert found.quarter.value > 0.999
    assert calibrate_ratings(RATING, 1, [], runs, 0.95) is None
    flat = calibrate_ratings(RATING, 1, [(item, 1.0) for item, x in change.items() if not x], runs, 0.95)
    assert flat is not None
    assert flat.quarter.value == 0.5  # no rating differs


def test_a_report_of_votes_has_the_calibration(pair) -> None:
    rng = np.random.default_rng(4)
    runs, change = rated(pair, rng)
    made: list[Vote] = []
    for item, x in change.items():
        answer = "right" if rng.random() < sigmoid(6 * x) else "left"
        clips = [run.data.clips[item].sha256 for run in runs]
        made.append(
            new_vote(
                rater="ada", question="natural", item=item, answer=answer, left=runs[0].key,
                right=runs[1].key, left_clip=clips[0], right_clip=clips[1],
            )
        )  # fmt: skip
    add_votes(runs[0].folder, made)
    found = vote_report(runs, votes_of(runs))
    (row,) = found.questions[0].ratings
    assert (row.run, row.measure) == ("new", RATING)
    assert row.quarter.low > 0.5
    table = next(t for t in vote_tables(found) if t.title.startswith("A judge's ratings"))
    assert table.rows[0][:2] == ("new", RATING)


@pytest.mark.slow
def test_intervals_of_calibrated_means_cover_the_truth(pair) -> None:
    held = corrected = narrower = 0
    draws = 300
    for seed in range(draws):
        found, truth = drawn(pair, slope=6.0, seed=seed)
        held += found.quarter.low < sigmoid(1.5) < found.quarter.high
        corrected += found.corrected.low < truth < found.corrected.high
        widths = [of.high - of.low for of in (found.corrected, found.votes_alone)]
        narrower += widths[0] < widths[1]
    told = (held / draws, corrected / draws, narrower / draws)
    print(told)
    assert 0.92 <= held / draws <= 0.98
    assert 0.92 <= corrected / draws <= 0.98
    assert narrower / draws > 0.8
