"""The audit ``detection``: how many clips of a generator a detector finds, and how many after delivery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from ...harness.core.counts import counted
from ...harness.core.estimate import Estimate
from ...harness.core.presentation import (
    Content,
    Table,
    estimate_cell,
    level,
    number,
    percent,
    reasons_text,
)
from ...harness.core.run_data import RunData, value_of
from ...harness.core.stats import rate_interval
from ..audits import AUDITS, Audit, AuditSection, by_run
from .measures import DELIVERED, FLAGGED, METADATA, UNLIKE

__all__ = ["section"]

NAME: Final = "detection"
_COLUMNS: Final = (
    "run", "generator", "clips", "flagged as stored", *(f"after {name}" for name in DELIVERED),
    "by metadata alone", "of another kind", "of clips",
)  # fmt: skip


def section(runs: Sequence[RunData], confidence: float) -> AuditSection:
    """Make the section from runs with scores of the measures ``detection.*``."""
    findings: list[str] = []
    rows: list[tuple[Content, ...]] = []
    cards: dict[str, Mapping[str, Any]] = {}
    for run in runs:
        found = {
            name: _rate(run, name, confidence) for name in (FLAGGED, *DELIVERED.values(), METADATA, UNLIKE)
        }
        card = _card(run)
        if card is not None:
            cards[str(card["digest"])] = card
        generator = str(run.record.get("generator_spec", ""))
        rows.append(
            (
                run.name,
                generator,
                f"{found[FLAGGED].n} ({found[FLAGGED].clusters})",
                *(estimate_cell(found[name]) for name in (FLAGGED, *DELIVERED.values(), METADATA, UNLIKE)),
                str(found[UNLIKE].n),
            )
        )
        findings += by_run(runs, run, _findings(generator, card, found, confidence))
    tables = [
        Table(
            f"share of clips that are flagged as generated, with {level(confidence)} intervals",
            _COLUMNS,
            rows,
            (
                "clips (prompts); a share after a delivery is of the same clips, delivered before they are "
                "looked at",
            ),
        )
    ]
    if cards:
        tables.append(_cards_table(list(cards.values())))
    return AuditSection(NAME, "Detection as generated video", tuple(findings), tuple(tables), _NOTES)


_NOTES: Final = (
    "A flag is not a verdict on a clip: the share of real clips that are flagged, too, stands beside it "
    "with the number of clips that it was counted on.",
    "A detector knows the generators that it was fit on. What it misses may be a better generator, or only "
    "another one; what it finds may be a trace that the next delivery removes.",
    "A delivery can make real clips look generated, too, as scaling and blur do: a share after one is a "
    "recall only where 'screentest assess-detector --delivery' shows that the false alarms stay low.",
    "Of clips of another kind than those that the detector was calibrated on, as stored or after a delivery, "
    "it says nothing: they are counted apart, and left out of the shares.",
    "Metadata alone is the detector that looks at no picture. Where it flags as much, the other one may have "
    "found nothing more than how files were written.",
)


def _rate(run: RunData, measure: str, confidence: float) -> Estimate:
    scores = [score for (name, _), score in run.scores.items() if name == measure]
    kept = sorted((score.item, value) for score in scores if (value := value_of(score)) is not None)
    left_out: dict[str, int] = {}
    reasons: dict[str, int] = {}
    for score in scores:
        if value_of(score) is None:
            status = "failed" if score.status == "ok" else score.status
            left_out[status] = left_out.get(status, 0) + 1
            if score.reason:
                reasons[score.reason] = reasons.get(score.reason, 0) + 1
    clusters = [run.items[item].cluster for item, _ in kept]
    interval = rate_interval([value for _, value in kept], clusters, confidence)
    return Estimate.of(
        interval, confidence, n=len(kept), clusters=len(set(clusters)), left_out=left_out, reasons=reasons
    )


def _card(run: RunData) -> Mapping[str, Any] | None:
    """Read the detector's card off the evidence of a score; None where no clip was scored."""
    for (name, _), score in run.scores.items():
        if name == FLAGGED and score.status == "ok" and "false_alarms" in score.evidence:
            return cast("Mapping[str, Any]", score.evidence)
    return None


def _findings(
    generator: str, card: Mapping[str, Any] | None, found: Mapping[str, Estimate], confidence: float
) -> list[str]:
    flagged = found[FLAGGED]
    if card is None or flagged.value is None:
        why = reasons_text(flagged.reasons) or "no clip was scored"
        return [f"no clip of {generator} could be judged by a detector: {why}."]
    alarms: Mapping[str, Any] = card["false_alarms"]
    sentences = [
        f"the detector {card['detector']} flags {_share(flagged, confidence)} of the clips of {generator}; "
        f"of real clips that it had not seen it flags {_told(alarms)}."
    ]
    after = {name: found[measure] for name, measure in DELIVERED.items() if found[measure].value is not None}
    if after:
        worst = min(after, key=lambda name: after[name].value or 0.0)
        sentences.append(
            f"after {worst}, the delivery after which it flags fewest, it flags "
            f"{_share(after[worst], confidence)}."
        )
    if found[UNLIKE].value:
        sentences.append(
            f"{_share(found[UNLIKE], confidence)} of the clips are not of the kind that the "
            "detector was calibrated on, so it judged none of these."
        )
    return sentences


def _share(found: Estimate, confidence: float) -> str:
    assert found.value is not None
    if found.low is None or found.high is None:
        return f"{percent(found.value)} (n {found.n})"
    return (
        f"{percent(found.value)} ({level(confidence)} interval {percent(found.low)} to "
        f"{percent(found.high)}, n {found.n} of {counted(found.clusters, 'prompt')})"
    )


def _told(found: Mapping[str, Any]) -> str:
    ends = f"{percent(found['low'])} to {percent(found['high'])}"
    return f"{percent(found['value'])} (95% interval {ends}, n {found['n']})"


def _cards_table(cards: Sequence[Mapping[str, Any]]) -> Table:
    rows = [
        (
            str(card["detector"]),
            str(card["digest"])[:12],
            number(card["threshold"]),
            *(
                _cell(card[name])
                for name in ("false_alarms", "recall", "auc", "metadata_auc_before", "metadata_auc_after")
            ),
            ", ".join(card["generated"]),
        )
        for card in cards
    ]
    columns = (
        "detector", "digest", "threshold", "false alarms", "recall", "AUC", "AUC of metadata",
        "once prepared", "generators it was fit on",
    )  # fmt: skip
    notes = ("of clips that neither the fit nor the threshold saw, of these generators; 95% intervals",)
    return Table("the detectors", columns, rows, notes)


def _cell(found: Mapping[str, Any]) -> str:
    return f"{number(found['value'])} [{number(found['low'])}, {number(found['high'])}], n {found['n']}"


AUDITS.add(
    NAME,
    Audit(
        NAME,
        "whether a detector tells the clips from real ones, and still does after delivery",
        suites=("detection",),
        measures=(FLAGGED, *DELIVERED.values(), METADATA, UNLIKE),
        section=section,
        any_clip=True,
        verdicts=(FLAGGED,),
    ),
)
