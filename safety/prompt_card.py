"""The model card of a prompt filter: what it was made from, what it reaches, and where it is blind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..harness.stats import rate_interval
from .calibration import (
    auroc,
    average_precision,
    bootstrap,
    brier,
    expected_calibration_error,
    fpr_at_recall,
    recall_at_fpr,
)
from .corpus import HARMS, TAXONOMY_IDS, Corpus, public_sources

if TYPE_CHECKING:
    from .prompts import TrainedConfig
    from .train_prompts import HeldOut, PromptFilterSettings

__all__ = ["BLIND_SPOTS", "evaluate", "write_card"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

RANKING = ("auroc", "average_precision", "recall_at_1_percent_fpr", "fpr_at_95_percent_recall")
FEWEST = 10
"""Fewer positives than this give no row of their own."""

BLIND_SPOTS = (
    "English only; other languages and translated prompts are close to unread.",
    "Gore, disturbing scenes and most scenes of the other harms come from our own descriptions, all by one "
    "hand; held out groups of them say less than prompts by other people would. Scene prompts that people "
    "really sent, with labels for gore, disturbing scenes and crime, would mend it.",
    "Chat questions about crime and violence whose words are harmless one by one.",
    "Harm that only a sequence shows: each sentence innocent, the whole not.",
    "Words, not intent: news, medicine and history about a harm score higher than plain scenes.",
    "Probabilities hold for the mix of harmful and benign prompts that the card names; with another mix, "
    "calibrate again.",
    "The penalty of the fit was picked from a few values on the same held-out folds, so the numbers are a "
    "little kind.",
)


def evaluate(
    corpus: Corpus, by_source: HeldOut, at_random: HeldOut, xstest: tuple[Bools, Bools], *, draws: int
) -> dict[str, Any]:
    """Measure both splits, and the over-refusal on XSTest (what was refused, what is safe)."""
    refused, safe = xstest
    benign = corpus.benign_scenes
    rate = rate_interval(by_source.flagged[benign].astype(float).tolist(), _names(corpus, benign), 0.95)
    return {
        "source_held_out": _split(corpus, by_source, draws, per_source=True),
        "random_split": _split(corpus, at_random, draws, per_source=False),
        "benign_scenes_flagged": {
            "rate": rate.value, "low": rate.low, "high": rate.high, "n": int(benign.sum()),
        },
        "xstest": {
            "safe_refused": _share(refused[safe]),
            "unsafe_refused": _share(refused[~safe]),
        },
    }  # fmt: skip


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
    for k, harm in enumerate((*HARMS, "any")):
        positive = rows & (labels[:, k] == 1)
        negative = rows & corpus.benign_scenes
        known = rows & ~np.isnan(labels[:, k])
        truth = labels[known, k] == 1
        found: dict[str, Any] = {"all": _ranking(corpus, scores[:, k], positive, negative, draws)}
        if per_source:
            for source in np.unique(corpus.sources[positive]):
                these = positive & (corpus.sources == source)
                beside = negative & np.isin(corpus.folds, np.unique(corpus.folds[these]))
                if these.sum() >= FEWEST:
                    found[str(source)] = _ranking(corpus, scores[:, k], these, beside, draws)
        out[harm] = {
            "versus_benign_scenes": found,
            "calibration": {
                "ece": expected_calibration_error(scores[known, k], truth),
                "brier": brier(scores[known, k], truth),
                "n": int(known.sum()),
                "share_harmful": float(truth.mean()),
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
    card["settings"] = settings.model_dump(mode="json", exclude={"data", "encoder"})
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
    card["blind_spots"] = list(BLIND_SPOTS)
    (out / "card.json").write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", "utf-8")
    (out / "CARD.md").write_text(_markdown(card), "utf-8")


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
        "| harm | ECE | Brier | rows with a label | share harmful | flagged of harmful |",
        "|---|---|---|---|---|---|",
        *(_calibration(harm, found) for harm, found in card["source_held_out"].items()),
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
        f"- safe prompts of XSTest refused: {_rate(card['xstest']['safe_refused'])}",
        f"- unsafe prompts of XSTest refused: {_rate(card['xstest']['unsafe_refused'])}",
        "",
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
