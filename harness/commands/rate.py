"""The commands `rate` and `votes`: a local page for votes on pairs of clips, and what the votes say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..core.counts import counted
from ..core.errors import UsageError, unknown_name
from ..core.files import check_outputs
from .options import AsJson, Confidence, print_tables, say, warn

if TYPE_CHECKING:
    from ..votes.votes import VotedRun

__all__ = ["rate", "votes"]

Runs = Annotated[list[Path], typer.Argument(metavar="RUN RUN...", help="Two or more runs of one suite.")]


def rate(
    runs: Runs,
    question: Annotated[
        str,
        typer.Option(help="Questions, separated by commas: better, follows, natural, unsafe."),
    ] = "better",
    seed: Annotated[int, typer.Option(help="Of sides and order.")] = 0,
    gold: Annotated[float, typer.Option(min=0, max=0.5, help="Share of pairs that check attention.")] = 0.1,
    pairs: Annotated[
        int | None,
        typer.Option(min=1, help="Pairs that a rater is asked about; by default all."),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 for any free one.")] = 8770,
) -> None:
    """Serve a page for blind votes on pairs of clips; votes are kept in the folder of the first run."""
    from ...reports.rate_server import serve_rating
    from ...reports.rating import Rating
    from ..votes.plan import VotePlan
    from ..votes.votes import QUESTIONS, VOTES, voted_runs

    asked = tuple(dict.fromkeys(name.strip() for name in question.split(",")))
    for name in asked:
        if name not in QUESTIONS:
            raise unknown_name("question", name, QUESTIONS)
    compared = voted_runs(runs)
    rating = Rating(compared, VotePlan(asked, seed, gold, pairs))
    if rating.missing:
        warn(f"warning: not asked about, as a clip is lacking on one side: {counted(rating.missing, 'pair')}")
    serve_rating(
        rating,
        port,
        on_ready=lambda url: say(f"votes at {url}, kept in {runs[0] / VOTES} (Ctrl-C ends it)"),
    )


def votes(
    runs: Runs,
    export: Annotated[
        Path | None, typer.Option(metavar="FILE.csv", help="Write the votes, one a row.")
    ] = None,
    add: Annotated[
        Path | None,
        typer.Option("--import", metavar="FILE.csv", help="Add votes that were gathered elsewhere."),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv", help="Write what raters called unsafe, as labels of clips for 'correct'."
        ),
    ] = None,
    confidence: Confidence = 0.95,
    as_json: AsJson = False,
) -> None:
    """Say which run people prefer, whether raters agree, and which measures predict their votes."""
    from ...reports.vote_tables import vote_tables
    from ..votes.results import keep_judges, vote_report
    from ..votes.votes import voted_runs, votes_of

    check_outputs({"--export": export, "--labels": labels}, (add,))
    compared = voted_runs(runs)
    if add is not None:
        _import(compared, add)
    cast = votes_of(compared)
    if export is not None:
        from ..votes.table import write_vote_table

        say(f"{counted(write_vote_table(compared, cast, export), 'vote')}: {export}")
    report = vote_report(compared, cast, confidence)
    for path in keep_judges(compared, report):
        say(f"agreement of a judge with these votes: {path}")
    if labels is not None:
        from ..votes.results import unsafe_labels
        from ..votes.table import write_labels

        kept = {row.rater: row.kept for row in report.raters}
        say(f"{counted(write_labels(unsafe_labels(cast, kept), labels), 'label')}: {labels}")
    if not report.questions and not as_json:
        left = ", ".join(f"{n} {why}" for why, n in report.left_out.items())
        raise UsageError(
            f"there is no vote on these runs{f' that counts ({left})' if left else ''}; 'screentest rate' "
            "asks for votes"
        )
    print_tables(vote_tables(report), report.model_dump(mode="json") if as_json else None)


def _import(runs: list[VotedRun], path: Path) -> None:
    from ..votes.table import read_vote_table
    from ..votes.votes import add_votes, read_votes

    known = {vote.id for run in runs for vote in read_votes(run.folder)[0]}
    given = read_vote_table(runs, path)
    new = list({vote.id: vote for vote in given if vote.id not in known}.values())
    add_votes(runs[0].folder, new)
    there = len(given) - len(new)
    before = f"; {there} {'was' if there == 1 else 'were'} there already" if there else ""
    say(f"{counted(len(new), 'new vote')} from {path}{before}")
