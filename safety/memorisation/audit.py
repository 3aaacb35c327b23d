"""The audit `memorisation`: which clips and texts of the training set does a generator give back?"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

from ...harness.core.estimate import Estimate
from ...harness.core.items import Item
from ...harness.core.presentation import Content, Table, estimate_cell, level, number
from ...harness.core.run_data import RunData, value_of
from ...harness.core.stats import paired_rate_interval, rate_interval
from ..audits import AUDITS, Audit, AuditSection, by_run
from ..run_rates import rate_estimate, rate_text
from .measures import PAIR
from .training_sets import calibration_note

__all__ = ["NAME", "section"]

NAME = "memorisation"
CAPTION = "caption"
"""Label of a prompt: whether it is a caption of a training clip or a novel one of the same pair."""
TRAINING, NOVEL = "training", "novel"
PLANTED = "planted"
"""Label of a prompt with a canary: ``yes`` or ``never``."""
_REPLICATED = {
    "memorisation.replicated": "content, by the image encoder",
    "memorisation.hash_replicated": "content, by thumbnails of frames",
    "memorisation.motion_replicated": "motion, by a hash of changes",
}
_NAMED = "memorisation.named_replicated"
_SHARES = {**_REPLICATED, _NAMED: "the training clip of the pair, by thumbnails of frames"}
_LEAKED = "memorisation.canary_leaked"
_SHOWN = 12


def section(runs: Sequence[RunData], confidence: float) -> AuditSection:
    """Make the section from the runs with scores of replication or of canaries."""
    findings: list[str] = []
    tables: list[Table] = []
    for run in runs:
        findings += by_run(runs, run, _findings(run, confidence))
        tables += _tables(run, confidence)
    return AuditSection(
        audit=NAME,
        title="Memorisation: clips and texts of the training set",
        findings=tuple(findings),
        tables=tuple(tables),
        notes=_notes(runs),
    )


def _findings(run: RunData, confidence: float) -> list[str]:
    found: list[str] = []
    for measure, what in _REPLICATED.items():
        rate = rate_estimate(run, measure, confidence)
        if rate is None:
            continue
        found.append(f"replicates of training clips ({what}): {rate_text(rate, confidence)}.")
        change = _caption_effect(run, measure, confidence)
        if change is not None:
            found.append(
                f"captions of training clips against novel prompts ({what}), difference of the "
                f"rates: {rate_text(change, confidence, signed=True)}."
            )
        named = _captioned_clip_is_nearest(run, measure, TRAINING, confidence)
        novel = _captioned_clip_is_nearest(run, measure, NOVEL, confidence)
        if named is not None and novel is not None:
            found.append(
                f"the nearest training clip is the captioned one ({what}): "
                f"{rate_text(named, confidence)}; with the novel prompt of the pair: "
                f"{rate_text(novel, confidence)}."
            )
    found += _named(run, confidence)
    leaked = rate_estimate(run, _LEAKED, confidence, _labelled(PLANTED, "yes"))
    if leaked is not None and (leaked.n or leaked.left_out):
        never = rate_estimate(run, _LEAKED, confidence, _labelled(PLANTED, "never"))
        chance = (
            "" if never is None else f"; of texts that were never planted: {rate_text(never, confidence)}"
        )
        found.append(f"planted texts that can be read: {rate_text(leaked, confidence)}{chance}.")
    return found


def _named(run: RunData, confidence: float) -> list[str]:
    """Say how often the clip of a caption comes back, beside the novel prompt of its pair."""
    rates = [rate_estimate(run, _NAMED, confidence, _labelled(CAPTION, kind)) for kind in (TRAINING, NOVEL)]
    captions, novel = (None if rate is None or not rate.n else rate for rate in rates)
    if captions is None:
        return []
    beside = "" if novel is None else f"; with the novel prompt of the pair: {rate_text(novel, confidence)}"
    change = None if novel is None else _caption_effect(run, _NAMED, confidence)
    apart = "" if change is None else f"; difference: {rate_text(change, confidence, signed=True)}"
    said = "the training clip comes back when its caption is the prompt ({}): {}{}{}."
    return [said.format(_SHARES[_NAMED], rate_text(captions, confidence), beside, apart)]


def _labelled(name: str, value: str) -> Callable[[Item], bool]:
    return lambda item: item.label(name) == value


def _caption_effect(run: RunData, measure: str, confidence: float) -> Estimate | None:
    """Compare captions of training clips with novel prompts, pair by pair; None where there is no pair."""
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    left_out = 0
    for name, item in sorted(run.items.items()):
        kind, pair = item.label(CAPTION), item.label(PAIR)
        if kind in (TRAINING, NOVEL) and pair is not None:
            value = value_of(run.scores.get((measure, name)))
            if value is None:
                left_out += 1
            else:
                values[pair][str(kind)].append(value)
    differences: list[float] = []
    clusters: list[str] = []
    for pair, kinds in sorted(values.items()):
        for one, other in zip(kinds[TRAINING], kinds[NOVEL], strict=False):
            differences.append(one - other)
            clusters.append(pair)
    if not differences:
        return None
    return Estimate.of(
        paired_rate_interval(differences, clusters, confidence),
        confidence,
        n=len(differences),
        clusters=len(set(clusters)),
        left_out={"no value": left_out} if left_out else {},
    )


def _captioned_clip_is_nearest(run: RunData, measure: str, kind: str, confidence: float) -> Estimate | None:
    """Estimate how often the nearest training clip is the one that the label ``pair`` names.

    It needs no threshold. None where no prompt of the run names a clip of the training set.
    """
    values: list[float] = []
    clusters: list[str] = []
    for name, item in sorted(run.items.items()):
        score = run.scores.get((measure, name))
        if item.label(CAPTION) == kind and item.label(PAIR) is not None and value_of(score) is not None:
            assert score is not None
            values.append(float(score.evidence.get("training_clip") == item.label(PAIR)))
            clusters.append(item.cluster)
    if not values or (kind == TRAINING and not any(values)):
        return None
    interval = rate_interval(values, clusters, confidence)
    return Estimate.of(interval, confidence, n=len(values), clusters=len(set(clusters)))


def _tables(run: RunData, confidence: float) -> list[Table]:
    generator = str(run.record.get("generator_spec", ""))
    rows: list[tuple[Content, ...]] = []
    for measure, what in _SHARES.items():
        groups = {"all prompts": None, "captions of training clips": TRAINING, "novel prompts": NOVEL}
        for group, kind in groups.items():
            chosen = None if kind is None else _labelled(CAPTION, kind)
            rate = rate_estimate(run, measure, confidence, chosen)
            if rate is not None and (rate.n or rate.left_out):
                cell = estimate_cell(rate)
                rows.append((what, group, cell, cell.n, cell.left_out or "0"))
    for name, kind in {"planted in training": "yes", "never planted": "never"}.items():
        rate = rate_estimate(run, _LEAKED, confidence, _labelled(PLANTED, kind))
        if rate is not None and (rate.n or rate.left_out):
            cell = estimate_cell(rate)
            rows.append(("text that can be read", name, cell, cell.n, cell.left_out or "0"))
    heads = ("what", "prompts", f"share [{level(confidence)} interval]", "n (prompts)", "left out")
    tables = [Table(f"{run.name} ({generator}): what comes back", heads, rows)] if rows else []
    evidence = _evidence(run)
    return [*tables, *([evidence] if evidence.rows else [])]


def _evidence(run: RunData) -> Table:
    """List the clips that are nearest to a training clip, the most alike first."""
    found: list[tuple[float, tuple[Content, ...]]] = []
    for measure, what in _SHARES.items():
        for name, item in sorted(run.items.items()):
            score = run.scores.get((measure, name))
            if value_of(score) != 1.0 or score is None:
                continue
            told = score.evidence
            relative = float(str(told["relative"]))
            at = f"{told['training_clip']}, row {told['training_row']} at row {told['row']}"
            prompt, threshold = item.prompt or item.source or "", float(str(told["threshold"]))
            found.append((relative, (prompt, what, at, number(relative), number(threshold))))
    found.sort(key=lambda row: -row[0])
    note = (f"the {_SHOWN} nearest of {len(found)}",) if len(found) > _SHOWN else ()
    columns = ("prompt", "what", "training clip, and where", "relative similarity", "threshold")
    return Table(f"{run.name}: replicates", columns, [row for _, row in found[:_SHOWN]], note)


def _notes(runs: Sequence[RunData]) -> tuple[str, ...]:
    calibrated: Counter[str] = Counter()
    planted = False
    for run in runs:
        planted = planted or any(item.label(CAPTION) == TRAINING for item in run.items.values())
        for (measure, _), score in sorted(run.scores.items()):
            if measure in _REPLICATED and score.evidence.get("held_out"):
                held_out = int(str(score.evidence["held_out"]))
                calibrated[f"{_REPLICATED[measure]}: {calibration_note(held_out)}"] += 1
            if measure == _NAMED and score.evidence.get("pairs"):
                pairs, clips = (int(str(score.evidence[one])) for one in ("pairs", "compared_held_out"))
                calibrated[
                    f"{_SHARES[_NAMED]}: 99.9th percentile of the {pairs:,} pairs of a training clip and one "
                    f"of {clips:,} held-out clips"
                ] += 1
    return (
        *(f"threshold of {text}" for text in calibrated),
        "relative similarity is 1 for a copy; by encoder and motion it is 0 for a clip that is as near to "
        "real clips outside of the training set as to it, by thumbnails it falls with what is left of a "
        "difference; a copy that was changed so much that it is no nearer is not found: "
        "'screentest memorisation-card' measures how many are",
        *(
            [
                "planted: the training set of the reference checkpoint base repeats 36 films, each asked for "
                "by its name"
            ]
            if planted and any("reference" in str(run.record.get("generator_spec", "")) for run in runs)
            else []
        ),
        "what is not in the training set that was given cannot be found to be a copy of it",
    )


AUDITS.add(
    NAME,
    Audit(
        name=NAME,
        summary="which clips and texts of the training set come back?",
        suites=("memorisation",),
        other_suites=("canaries",),
        measures=(*_SHARES, "memorisation.similarity", _LEAKED),
        section=section,
    ),
)
