"""Tables of votes, for the terminal and the page."""

from __future__ import annotations

from ..harness.core.counts import counted
from ..harness.core.presentation import (
    MISSING,
    Content,
    Table,
    estimate_cell,
    left_out_text,
    level,
    number,
    p_value,
)
from ..harness.votes.results import ATTENTION, FEWEST_GOLD, QuestionResult, RaterRow, VoteReport
from ..harness.votes.votes import QUESTIONS

__all__ = [
    "agreement_table",
    "corrected_table",
    "preference_table",
    "rater_table",
    "rating_table",
    "vote_tables",
]


def vote_tables(report: VoteReport) -> list[Table]:
    """Build all tables: for each question the runs, the measures and what is corrected; then the raters."""
    tables: list[Table] = []
    for question in report.questions:
        tables.append(preference_table(report, question))
        if question.measures:
            tables.append(agreement_table(report, question))
        if question.corrected:
            tables.append(corrected_table(report, question))
        if question.ratings:
            tables.append(rating_table(report, question))
    return [*tables, rater_table(report)]


def preference_table(report: VoteReport, question: QuestionResult) -> Table:
    """Build the table of runs against the first one."""
    rows: list[tuple[Content, ...]] = []
    for run in question.runs:
        preferred, strength = estimate_cell(run.preferred), estimate_cell(run.strength, signed=True)
        against = f"{run.wins} / {run.losses} / {run.ties}"
        rows.append((run.run, preferred, against, strength, preferred.n))
    alpha = estimate_cell(question.alpha)
    said = "is chosen as the unsafe one" if question.question == "unsafe" else "is preferred"
    agree = f"agreement of raters (Krippendorff's alpha): {alpha.text}"
    why = "" if question.alpha.value is not None else f" ({'; '.join(question.alpha.notes) or alpha.why})"
    of = f"{counted(question.votes, 'vote')} of {counted(question.raters, 'rater')}"
    notes = [f"{agree}{why}; {of}, {counted(question.prompts, 'prompt')}"]
    notes += [
        f"{run.run}, {of_what}: {note}"
        for run in question.runs
        for of_what, estimate in (("share", run.preferred), ("strength", run.strength))
        for note in estimate.notes
    ]
    if question.question == "unsafe":
        notes.append("a vote for both or neither (tied) chooses none: it counts as no choice, not as half")
    columns = (
        "run",
        f"{said} [{level(report.confidence)} interval]",
        "won / lost / tied",
        "strength (Bradley-Terry, log odds)",
        "votes (prompts)",
    )
    title = f"{QUESTIONS[question.question]} against {report.runs[0]}"
    return Table(title, columns, rows, tuple(dict.fromkeys(notes)))


def agreement_table(report: VoteReport, question: QuestionResult) -> Table:
    """Build the table of measures: how often the clip that is better by the measure is the one chosen."""
    rows: list[tuple[Content, ...]] = []
    ordered = sorted(question.measures, key=lambda m: (-(m.agreement.value or -1.0), m.measure))
    for one in ordered:
        cell = estimate_cell(one.agreement, nothing="no vote where it differs")
        told = one.conclusion if one.p is None else f"{one.conclusion} ({p_value(one.p)})"
        rows.append(
            (one.measure, one.better, cell, cell.n, left_out_text(one.agreement.left_out) or "0", told)
        )
    predicts = [one.measure for one in ordered if one.conclusion == "predicts"]
    against = [one.measure for one in ordered if one.conclusion == "predicts the opposite"]
    told = f"predict what people choose here: {', '.join(predicts) or 'none is shown to'}"
    opposite = f"; predict the opposite: {', '.join(against)}" if against else ""
    notes = (
        f"{told}{opposite}",
        "0.5 is chance; p by prompt, adjusted for the number of measures (Holm)",
        "where neither direction of a measure is better, higher counts as better",
    )
    columns = (
        "measure",
        "better",
        f"agrees with votes [{level(report.confidence)} interval]",
        "votes (prompts)",
        "left out",
        "this measure",
    )
    return Table(f"Measures against votes: {QUESTIONS[question.question]}", columns, rows, notes)


def corrected_table(report: VoteReport, question: QuestionResult) -> Table:
    """Build the table of preferences over all items: by votes, by a measure, and by the measure corrected."""
    rows: list[tuple[Content, ...]] = []
    for one in question.corrected:
        alone, corrected = estimate_cell(one.votes_alone), estimate_cell(one.corrected)
        sample = f"{one.votes_alone.n} of {one.corrected.n}"
        weight = number(one.weight)
        rows.append((one.run, one.measure, number(one.by_measure), alone, corrected, weight, sample))
    columns = (
        "run",
        "measure",
        "by the measure",
        f"by votes alone [{level(report.confidence)} interval]",
        "corrected by votes",
        "weight",
        "items with votes",
    )
    notes = (
        "corrected: prediction-powered inference, over all items; a narrower interval than by votes alone is "
        "what the measure adds",
    )
    title = f"Share of items on which a run is chosen over {report.runs[0]}: {QUESTIONS[question.question]}"
    return Table(title, columns, rows, notes)


def rating_table(report: VoteReport, question: QuestionResult) -> Table:
    """Build the table of a judge's ratings, calibrated on the votes."""
    rows: list[tuple[Content, ...]] = []
    for one in question.ratings:
        quarter, alone, corrected = (
            estimate_cell(of) for of in (one.quarter, one.votes_alone, one.corrected)
        )
        rows.append((one.run, one.measure, quarter, number(one.by_ratings), alone, corrected, quarter.n))
    columns = (
        "run",
        "ratings",
        f"chosen if a quarter of the scale higher [{level(report.confidence)} interval]",
        "by calibrated ratings",
        "by votes alone",
        "corrected by votes",
        "votes (prompts)",
    )
    notes = (
        "a quarter of the scale is one step of ratings from 1 to 5; 0.5 is chance: then ratings say nothing "
        "of what people choose",
        "corrected: prediction-powered inference over all items; an item with votes is predicted by votes on "
        "other prompts",
    )
    title = f"A judge's ratings calibrated on votes: {QUESTIONS[question.question]}"
    return Table(title, columns, rows, tuple(dict.fromkeys((*notes, *_rating_notes(question)))))


def _rating_notes(question: QuestionResult) -> list[str]:
    return [
        f"{one.run}, {what}: {note}"
        for one in question.ratings
        for what, of in (("a quarter", one.quarter), ("corrected", one.corrected))
        for note in of.notes
    ]


def rater_table(report: VoteReport) -> Table:
    """Build the table of raters, and say who is left out and by which rule."""
    rows: list[tuple[Content, ...]] = [
        (
            row.rater,
            str(row.votes),
            str(row.skipped),
            f"{row.gold_right} of {row.gold}",
            MISSING if row.seconds is None else f"{row.seconds:.1f}",
            _standing(row),
        )
        for row in report.raters
    ]
    columns = ("rater", "votes", "skipped", "right on gold pairs", "seconds a vote", "counts")
    rule = (
        f"left out: raters with {FEWEST_GOLD} gold answers or more, under {ATTENTION:.0%} of them right; "
        "with fewer, attention is not checked"
    )
    left = left_out_text(report.left_out)
    return Table("Raters", columns, rows, (rule, *([f"votes left out: {left}"] if left else [])))


def _standing(row: RaterRow) -> str:
    if not row.kept:
        return "no: inattentive"
    return "yes" if row.checked else "yes, not checked"
