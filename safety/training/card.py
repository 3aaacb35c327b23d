"""The model card of a prompt filter: what it was made from, what it reaches, and where it is blind."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...harness.core.arrays import Bools, Floats
from ...harness.core.stats import rate_interval
from ..calibration import (
    auroc,
    average_precision,
    bootstrap,
    brier,
    expected_calibration_error,
    fpr_at_recall,
    recall_at_fpr,
)
from ..harms import HARMS, TAXONOMY_IDS
from .card_suites import suites_markdown
from .corpus import Corpus, public_sources

if TYPE_CHECKING:
    from ..prompts import TrainedConfig
    from .settings import HeldOut, PromptFilterSettings

__all__ = ["BLIND_SPOTS", "TARGETS", "Targets", "below_target", "evaluate", "write_card"]


RANKING = ("auroc", "average_precision", "recall_at_1_percent_fpr", "fpr_at_95_percent_recall")
FEWEST = 10
"""Fewer positives than this give no row of their own."""

PUBLIC = "public"
"""The benign scene prompts of other people: PartiPrompts and VBench, without our look-alikes."""


class Targets(NamedTuple):
    """What a filter should reach with sources held out; None where nothing is asked."""

    auroc: float
    recall: float | None
    ece: float = 0.05
    over_refusal: float = 0.15


TARGETS = {"minilm": Targets(0.95, 0.5), "ngram": Targets(0.90, None)}
_MEND = {
    "all": "More prompts of other people with this label",
    "ailuminate": "Chat questions and requests of other people about this harm, with labels",
    "hatecheck": "Posts of other people with and without contempt for groups, with labels",
    "openai-samples": "Stories, posts and news of other people with this label; here it has few",
    "scenes": "Scene prompts that people really sent, with this label",
}
"""Which data would help where a source is below the target."""

BLIND_SPOTS = (
    "English only; other languages and translated prompts are close to unread.",
    "Gore, disturbing scenes and most scenes of the other harms come from our own descriptions, all by one "
    "hand; held out groups of them say less than prompts by other people would. Scene prompts that people "
    "really sent, with labels for gore, disturbing scenes and crime, would mend it.",
    "Benign scenes that were written to look like harmful ones, of which those of a harm are most often "
    "taken for it: against benign prompts of other people alone a filter does better, as the second table "
    "shows.",
    "Chat questions about crime and violence whose words are harmless one by one.",
    "Over-refusal on XSTest: no prompt of it was trained on, but groups of our harmless questions follow the "
    "kinds that its paper describes (homonyms, figures of speech, safe targets, history, fiction, "
    "definitions), so the rate holds for known kinds of look-alikes.",
    "Words that are lost: letters left out or swapped in every word, words run together, other tenses and "
    "roles, as the table of disguises shows.",
    "A phrase said over and over: `ngram` counts it each time, and from some sixteen times on may flag a "
    "harmless one.",
    "Harm that only a sequence shows: each sentence innocent, the whole not.",
    "Words, not intent: news, medicine and history about a harm score higher than plain scenes.",
    "Probabilities hold for the mix of harmful and benign prompts that the card names; with another mix, "
    "calibrate again.",
    "Penalties, widths and the kinds of own scenes to add were picked by the held-out numbers, though never "
    "by a held-out prompt, so the numbers are a little kind. No scene of ours repeats a prompt of the files.",
)


def evaluate(
    corpus: Corpus, by_source: HeldOut, at_random: HeldOut, xstest: tuple[Bools, Bools], *, draws: int
) -> dict[str, Any]:
    """Measure both splits, and the over-refusal on XSTest (what was refused, what is safe)."""
    refused, safe = xstest
    benign = corpus.benign_scenes
    return {
        "source_held_out": _split(corpus, by_source, draws, per_source=True),
        "random_split": _split(corpus, at_random, draws, per_source=False),
        "benign_scenes_flagged": _flagged(corpus, by_source, benign),
        "benign_scenes_flagged_by_source": {
            str(source): _flagged(corpus, by_source, benign & (corpus.sources == source))
            for source in np.unique(corpus.sources[benign])
        },
        "xstest": {
            "safe_refused": _share(refused[safe]),
            "unsafe_refused": _share(refused[~safe]),
        },
    }


def _flagged(corpus: Corpus, held: HeldOut, rows: Bools) -> dict[str, float | None]:
    rate = rate_interval(held.flagged[rows].astype(float).tolist(), _names(corpus, rows), 0.95)
    return {"rate": rate.value, "low": rate.low, "high": rate.high, "n": int(rows.sum())}


def _names(corpus: Corpus, rows: Bools) -> list[str]:
    return [str(group) for group in corpus.groups[rows]]


def _share(values: Bools) -> dict[str, float | None]:
    interval = rate_interval(values.astype(float).tolist(), [str(i) for i in range(len(values))], 0.95)
    return {"rate": interval.value, "low": interval.low, "high": interval.high, "n": len(values)}


def _split(corpus: Corpus, held: HeldOut, draws: int, *, per_source: bool) -> dict[str, Any]:
    rows = ~np.isnan(held.some)
    out: dict[str, Any] = {}
    labels = np.column_stack([corpus.labels, corpus.any_harm])
    scores = np.column_stack([held.each, held.some])
    others = corpus.benign_scenes & (corpus.sources != "scenes")
    for k, harm in enumerate((*HARMS, "any")):
        positive = rows & (labels[:, k] == 1)
        known = rows & ~np.isnan(labels[:, k])
        found: dict[str, dict[str, Any]] = {}
        for name, benign in (("versus_benign_scenes", corpus.benign_scenes), (f"versus_{PUBLIC}", others)):
            found[name] = {}
            for source in ("all", *np.unique(corpus.sources[positive])) if per_source else ("all",):
                these = positive & np.isin(corpus.folds, np.unique(corpus.folds[rows & benign]))
                if source != "all":
                    these = these & (corpus.sources == source)
                beside = rows & benign & np.isin(corpus.folds, np.unique(corpus.folds[these]))
                if these.sum() >= (1 if source == "all" else FEWEST):
                    found[name][str(source)] = _ranking(corpus, scores[:, k], these, beside, draws)
        truth = labels[known, k] == 1
        out[harm] = {
            **found,
            "calibration": {
                "ece": expected_calibration_error(scores[known, k], truth),
                "brier": brier(scores[known, k], truth),
                "n": int(known.sum()),
                "share_harmful": float(truth.mean()),
                "ece_by_source": {
                    str(source): expected_calibration_error(scores[these, k], labels[these, k] == 1)
                    for source in np.unique(corpus.sources[known])
                    if (these := known & (corpus.sources == source)).any()
                },
            },
            "flagged": float(held.flagged[positive].mean()),
        }
    return out


def _ranking(corpus: Corpus, scores: Floats, positive: Bools, negative: Bools, draws: int) -> dict[str, Any]:
    """Rank within each fold, and take the mean over folds weighted by their harmful rows.

    Scores of different folds are of different models, and pooled would be ranked against one another (Forman
    and Scholz 2010, "Apples-to-apples in cross-validation studies").
    """
    parts: list[tuple[int, Floats, Floats]] = []
    for fold in np.unique(corpus.folds[positive]):
        pos, neg = (rows & (corpus.folds == fold) for rows in (positive, negative))
        groups = (corpus.groups[pos], corpus.groups[neg])
        drawn = bootstrap(_statistics, scores[pos], scores[neg], groups, draws=draws)
        parts.append((int(pos.sum()), _statistics(scores[pos], scores[neg]), drawn))
    share = np.array([n for n, _, _ in parts]) / positive.sum()
    values = np.tensordot(share, np.stack([v for _, v, _ in parts]), 1)
    low, high = np.quantile(np.tensordot(share, np.stack([d for _, _, d in parts]), 1), [0.025, 0.975], 0)
    return {
        "n_harmful": int(positive.sum()),
        "n_benign": int(negative.sum()),
        **{
            name: {"value": float(v), "low": float(a), "high": float(b)}
            for name, v, a, b in zip(RANKING, values, low, high, strict=True)
        },
    }


def _statistics(positives: Floats, negatives: Floats) -> Floats:
    return np.array(
        [
            auroc(positives, negatives),
            average_precision(positives, negatives),
            recall_at_fpr(positives, negatives, 0.01),
            fpr_at_recall(positives, negatives, 0.95),
        ]
    )


def write_card(
    out: Path,
    card: dict[str, Any],
    settings: PromptFilterSettings,
    config: TrainedConfig,
    corpus: Corpus,
) -> None:
    """Complete the card, and write it as ``card.json`` and ``CARD.md``."""
    card["classifier"] = config.model_dump(mode="json")
    card["settings"] = settings.model_dump(mode="json", exclude={"data", "encoder", "cache"})
    card["taxonomy"] = {harm: list(ids) for harm, ids in TAXONOMY_IDS.items()}
    card["sources"] = [
        {
            "name": s.name,
            "file": s.path.name,
            "sha256": s.sha256,
            "licence": s.licence,
            "rows": int((corpus.sources == s.name).sum()),
            "fold": int(corpus.folds[corpus.sources == s.name][0]),
        }
        for s in public_sources(settings.data)
    ]
    own = corpus.sources == "scenes"
    card["scenes"] = {
        "rows": int(own.sum()),
        "harmful": int((corpus.any_harm[own] == 1).sum()),
        "scenes": len(np.unique(corpus.groups[own])),
    }
    card["below_target"] = below_target(card, TARGETS[settings.kind])
    card["blind_spots"] = list(BLIND_SPOTS)
    (out / "card.json").write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", "utf-8")
    (out / "CARD.md").write_text(_markdown(card), "utf-8")


def below_target(card: Mapping[str, Any], targets: Targets) -> list[str]:
    """Say in a sentence each what a filter misses with sources held out, and which data would mend it."""
    missed: list[str] = []
    for harm in HARMS:
        found = card["source_held_out"][harm]
        for source, row in found["versus_benign_scenes"].items():
            asked = {"AUROC": ("auroc", targets.auroc), "recall": ("recall_at_1_percent_fpr", targets.recall)}
            missed += [
                f"{harm}, {source}: {name} {_interval(row[key])} (n={row['n_harmful']:,}), not {least:.2f}. "
                f"{_MEND[source]} would mend it."
                for name, (key, least) in asked.items()
                if least is not None and row[key]["value"] < least
            ]
    missed += _uncalibrated(card["source_held_out"], targets.ece)
    over = card["xstest"]["safe_refused"]
    if over["rate"] > targets.over_refusal:
        missed.append(
            f"safe prompts of XSTest refused: {_rate(over)}, not {targets.over_refusal:.0%}. Safe questions "
            "of other people that sound harsh would mend it."
        )
    return missed


def _uncalibrated(splits: Mapping[str, Any], most: float) -> list[str]:
    """Name what is calibrated worse than is asked, over all sources and within single ones."""
    missed: list[str] = []
    for harm, found in splits.items():
        errors = found["calibration"]
        if errors["ece"] > most:
            missed.append(
                f"{harm}: ECE {errors['ece']:.3f}, not {most:.2f}. Labels of every harm in every source "
                "would mend it."
            )
        within = {source: ece for source, ece in errors["ece_by_source"].items() if ece > most}
        if within:
            told = ", ".join(f"{source} {ece:.3f}" for source, ece in within.items())
            missed.append(
                f"{harm}: ECE within one source, not {most:.2f}: {told}. A source has its own share of harm, "
                "and probabilities made with it held out cannot know it; a few hundred of its labels would."
            )
    return missed


def _markdown(card: dict[str, Any]) -> str:
    config = card["classifier"]
    lines = [
        f"# Prompt filter `{config['kind']}`",
        "",
        "Scores a prompt for seven harms and for any of them. A score is a probability among prompts mixed "
        "as the training rows are; a prompt is flagged from "
        f"{config['threshold']:.4f} up, a threshold chosen so that {config['false_positive_rate']:.1%} of "
        "benign scene prompts, scored while held out, reach it.",
        "",
        "## Made from",
        "",
        "| source | file | rows | fold | licence |",
        "|---|---|---|---|---|",
        *(
            f"| {s['name']} | {s['file']} | {s['rows']:,} | {s['fold']} | {s['licence']} |"
            for s in card["sources"]
        ),
        f"| own scenes | scenes_harmful.yaml, scenes_benign.yaml | {card['scenes']['rows']:,} "
        f"({card['scenes']['scenes']:,} scenes) | by group | Apache-2.0 |",
        "",
        "XSTest is never trained on. No row of a public file is part of this package.",
        "",
        "## Sources held out",
        "",
        "Each fold is scored by a model that has seen nothing of it, and ranked against the benign scene "
        "prompts of its fold; numbers are means over folds, weighted by harmful rows. 95 % intervals draw "
        "whole scenes.",
        "",
        "| harm | source | harmful | benign | AUROC | AP | recall at 1 % FPR | FPR at 95 % recall |",
        "|---|---|---|---|---|---|---|---|",
        *(
            f"| {harm} | {source} | {row['n_harmful']:,} | {row['n_benign']:,} | "
            + " | ".join(_interval(row[name]) for name in RANKING)
            + " |"
            for harm, found in card["source_held_out"].items()
            for source, row in found["versus_benign_scenes"].items()
        ),
        "",
        "Against the benign scene prompts of other people alone (PartiPrompts, VBench), in the folds that "
        "have them:",
        "",
        "| harm | source | harmful | benign | AUROC | recall at 1 % FPR |",
        "|---|---|---|---|---|---|",
        *(
            f"| {harm} | {source} | {row['n_harmful']:,} | {row['n_benign']:,} | {_interval(row['auroc'])} | "
            f"{_interval(row['recall_at_1_percent_fpr'])} |"
            for harm, found in card["source_held_out"].items()
            for source, row in found[f"versus_{PUBLIC}"].items()
        ),
        "",
        "| harm | ECE | Brier | rows with a label | share harmful | flagged of harmful |",
        "|---|---|---|---|---|---|",
        *(_calibration(harm, found) for harm, found in card["source_held_out"].items()),
        "",
        "ECE within each source, which has its own share of harm:",
        "",
        *_by_source(card["source_held_out"]),
        "",
        "## Below target",
        "",
        *([f"- {line}" for line in card["below_target"]] or ["Nothing."]),
        "",
        "## Rows held out at random",
        "",
        "| harm | harmful | AUROC | recall at 1 % FPR | ECE |",
        "|---|---|---|---|---|",
        *(
            f"| {harm} | {found['versus_benign_scenes']['all']['n_harmful']:,} | "
            f"{_interval(found['versus_benign_scenes']['all']['auroc'])} | "
            f"{_interval(found['versus_benign_scenes']['all']['recall_at_1_percent_fpr'])} | "
            f"{found['calibration']['ece']:.3f} |"
            for harm, found in card["random_split"].items()
        ),
        "",
        "Other styles of one scene lie on both sides here, so these numbers flatter.",
        "",
        "## At the threshold",
        "",
        f"- benign scenes flagged, sources held out: {_rate(card['benign_scenes_flagged'])}",
        *(
            f"- of these, from {source}: {_rate(rate)}"
            for source, rate in card["benign_scenes_flagged_by_source"].items()
        ),
        f"- safe prompts of XSTest refused: {_rate(card['xstest']['safe_refused'])}",
        f"- unsafe prompts of XSTest refused: {_rate(card['xstest']['unsafe_refused'])}",
        "",
        *(suites_markdown(card["suites"]) if card["suites"] else []),
        "## Blind spots",
        "",
        *(f"- {spot}" for spot in card["blind_spots"]),
        "",
    ]
    return "\n".join(lines)


def _interval(value: dict[str, float]) -> str:
    return f"{value['value']:.3f} ({value['low']:.3f}-{value['high']:.3f})"


def _rate(value: dict[str, float]) -> str:
    return f"{value['rate']:.1%} ({value['low']:.1%}-{value['high']:.1%}, n={value['n']:,})"


def _calibration(harm: str, found: dict[str, Any]) -> str:
    c = found["calibration"]
    return (
        f"| {harm} | {c['ece']:.3f} | {c['brier']:.3f} | {c['n']:,} | {c['share_harmful']:.1%} | "
        f"{found['flagged']:.1%} |"
    )


def _by_source(splits: Mapping[str, Any]) -> list[str]:
    found = {harm: split["calibration"]["ece_by_source"] for harm, split in splits.items()}
    sources = sorted({source for of_harm in found.values() for source in of_harm})
    return [
        f"| harm | {' | '.join(sources)} |",
        "|---" * (len(sources) + 1) + "|",
        *(
            f"| {harm} | "
            + " | ".join(f"{of_harm[s]:.3f}" if s in of_harm else "no label" for s in sources)
            + " |"
            for harm, of_harm in found.items()
        ),
    ]
