"""The model card of a prompt filter as a page, for people: the authors it has not seen come first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .card_suites import suites_markdown

__all__ = ["BLIND_SPOTS", "TEXT_LIMITS", "card_page"]

TEXT_LIMITS: Mapping[str, str] = {
    "sexual": "Words tell open requests. Nude art, medicine and innuendo read alike, and a harmless text "
    "(people on a beach, a coded word) can give a nude picture: only the frames say so.",
    "violence": "Words tell attacks that are named. Whether a fight is play, sport, history or an assault, "
    "and what ketchup or red paint stands for, the picture decides.",
    "gore": "Words tell wounds and blood that are named; how much is shown is the generator's choice.",
    "disturbing": "What shocks is often style and not content (an artist's name, a mood); a text that "
    "names neither reads as art.",
    "hate": "Words tell contempt that is said. Stereotypes by who is shown doing what, and symbols in the "
    "picture, are in no single word.",
    "self-harm": "Words tell acts that are named. Sorrow, illness and acts that are hinted at read alike.",
    "crime": "Words tell crimes that are named. A lawful act and a crime can have the same words (a man "
    "opens a window at night).",
    "likeness, politics, trademarks": "A name decides, not a tone: this filter knows no names, and its "
    "scores say nothing here. A name reader is needed: a gazetteer (a list of persons and brands as they are "
    "written) or an entity model (such as a spaCy pipeline with PERSON and ORG); this filter has none.",
}
"""What of a category cannot be judged from the text alone."""

BLIND_SPOTS = (
    "English only; other languages and translated prompts are close to unread.",
    "Gore and most scenes of crime come from our own descriptions, all by one hand; of gore only 21 prompts "
    "are by others.",
    "Prompts of I2P are labelled by what one model drew of them and by the word that they were found by, so "
    "many that are called harmful read as art: numbers on them are a lower end.",
    "Prompts written to look harmless while their pictures are not, as the table of rewritings shows.",
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
    "Penalties, widths and weights were picked by the numbers with authors held out, though never by a "
    "held-out prompt, so the numbers are a little kind. None of these authors writes prompts for video "
    "generators to break them: expect less on such.",
)


def card_page(card: Mapping[str, Any]) -> str:
    """Write the card as Markdown."""
    config, held = card["classifier"], card["author_held_out"]
    lines = [
        f"# Prompt filter `{config['kind']}`",
        "",
        "Scores a prompt for seven harms and for any of them. A score is a probability among prompts mixed "
        "as the training rows are; a prompt is flagged from "
        f"{config['threshold']:.4f} up, the threshold at which no source of harmless scenes, scored while "
        f"held out, is flagged more often than {config['false_positive_rate']:.1%}.",
        "",
        "## Authors held out",
        "",
        "Each author (a source whose prompts come from the same people) is scored by a model that has seen "
        "nothing by that author, and ranked against harmless prompts for generators (PartiPrompts, VBench), "
        "which that model has not seen either. The hardest author of each harm is marked. 95 % intervals "
        "draw whole scenes.",
        "",
        "| harm | author held out | harmful | benign | AUROC | recall at 1 % FPR | AP | FPR at 95 % recall | "
        "flagged |",
        "|---|---|---|---|---|---|---|---|---|",
        *(line for harm, found in held.items() for line in _harm(harm, found)),
        "",
        "Against the harmless scene prompts of the same author (for `scenes`, look-alikes that were "
        "written to be taken for harm):",
        "",
        "| harm | author | harmful | benign | AUROC | recall at 1 % FPR |",
        "|---|---|---|---|---|---|",
        *(
            f"| {harm} | {author} | {row['n_harmful']:,} | {row['n_benign']:,} | {_interval(row['auroc'])} | "
            f"{_interval(row['recall_at_1_percent_fpr'])} |"
            for harm, found in held.items()
            for author, row in found["versus_own"].items()
        ),
        "",
        "## Prompts written to look harmless",
        "",
        "Adversarial Nibbler has prompts whose pictures were unsafe, and for some what their author meant, "
        "said openly. Flagged, with Nibbler held out, before and after the rewriting:",
        "",
        "| harm | pairs | as submitted | rewritten | gained |",
        "|---|---|---|---|---|",
        *(
            f"| {harm} | {row['before']['n']:,} | {_rate(row['before'])} | {_rate(row['after'])} | "
            f"{_interval(row['gained'])} |"
            for harm, row in card["rewriting"].items()
        ),
        "",
        "## What text alone does not tell",
        "",
        "Of Nibbler's prompts whose picture three or more of five raters found unsafe, the share whose "
        "text at most one of them called unsafe; no reader of text can be asked to know these:",
        "",
        *(f"- {kind}: {_rate(rate)}" for kind, rate in card["reads_harmless"].items()),
        "",
        *(f"- **{harm}**: {limit}" for harm, limit in TEXT_LIMITS.items()),
        "",
        "## At the threshold",
        "",
        *(
            f"- harmless scenes of {s} flagged, held out: {_rate(r)}"
            for s, r in card["benign_flagged"].items()
        ),
        f"- safe prompts of XSTest refused: {_rate(card['xstest']['safe_refused'])}",
        f"- unsafe prompts of XSTest refused: {_rate(card['xstest']['unsafe_refused'])}",
        "",
        "## Below target",
        "",
        *([f"- {line}" for line in card["below_target"]] or ["Nothing."]),
        "",
        "## Calibration, authors held out",
        "",
        "| harm | ECE | Brier | rows with a label | share harmful |",
        "|---|---|---|---|---|",
        *(_calibration(harm, found["calibration"]) for harm, found in held.items()),
        "",
        "ECE within each author, who has an own share of harm that a model without the author cannot know:",
        "",
        *_by_author(held),
        "",
        "## Rows held out at random",
        "",
        "Other prompts of each author, and other styles of one scene, lie on both sides here, so these "
        "numbers flatter.",
        "",
        "| harm | harmful | AUROC | recall at 1 % FPR |",
        "|---|---|---|---|",
        *(
            f"| {harm} | {row['n_harmful']:,} | {_interval(row['auroc'])} | "
            f"{_interval(row['recall_at_1_percent_fpr'])} |"
            for harm, row in card["random_split"].items()
        ),
        "",
        *(suites_markdown(card["suites"]) if card["suites"] else []),
        "## Made from",
        "",
        "| source | file | rows | licence |",
        "|---|---|---|---|",
        *(f"| {s['name']} | {s['file']} | {s['rows']:,} | {s['licence']} |" for s in card["sources"]),
        f"| own scenes | scenes_harmful.yaml, scenes_benign.yaml | {card['scenes']['rows']:,} "
        f"({card['scenes']['scenes']:,} scenes) | Apache-2.0 |",
        "",
        "XSTest is never trained on. No row of a public file is part of this package. Of I2P a prompt counts "
        "as harmful where 60 % of its pictures were inappropriate (for sexual: 30 % nude), as harmless "
        "where at most 10 % were, none was nude and the text is mild; of Nibbler, where four of five raters "
        "called the text unsafe, or none. The others of both have no label.",
        "",
        "The filter is the mean of two fits: one to all rows, one without the harmful prompts of I2P and "
        "Nibbler. What gave a bad picture often reads harmless, and a fit that learns to call it harmful "
        "ranks open harm lower; the fit without it misses what is between the lines.",
        "",
        "## Blind spots",
        "",
        *(f"- {spot}" for spot in card["blind_spots"]),
        "",
    ]
    return "\n".join(lines)


def _harm(harm: str, found: Mapping[str, Any]) -> Iterator[str]:
    for author, row in found["authors"].items():
        mark = " (hardest)" if author == found["hardest"] and len(found["authors"]) > 1 else ""
        yield (
            f"| {harm} | {author}{mark} | {row['n_harmful']:,} | {row['n_benign']:,} | "
            f"{_interval(row['auroc'])} | {_interval(row['recall_at_1_percent_fpr'])} | "
            f"{_interval(row['average_precision'])} | {_interval(row['fpr_at_95_percent_recall'])} | "
            f"{found['flagged'][author]['rate']:.1%} |"
        )
    if len(found["authors"]) > 1:
        mean = found["mean"]
        yield (
            f"| {harm} | mean of authors | | | {mean['auroc']:.3f} | {mean['recall_at_1_percent_fpr']:.3f} | "
            f"{mean['average_precision']:.3f} | {mean['fpr_at_95_percent_recall']:.3f} | |"
        )


def _interval(value: Mapping[str, float]) -> str:
    return f"{value['value']:.3f} ({value['low']:.3f} to {value['high']:.3f})"


def _rate(value: Mapping[str, float]) -> str:
    return f"{value['rate']:.1%} ({value['low']:.1%} to {value['high']:.1%}, n={value['n']:,})"


def _calibration(harm: str, c: Mapping[str, Any]) -> str:
    return f"| {harm} | {c['ece']:.3f} | {c['brier']:.3f} | {c['n']:,} | {c['share_harmful']:.1%} |"


def _by_author(held: Mapping[str, Any]) -> list[str]:
    found = {harm: of["calibration"]["ece_by_author"] for harm, of in held.items()}
    authors = sorted({author for of_harm in found.values() for author in of_harm})
    return [
        f"| harm | {' | '.join(authors)} |",
        "|---" * (len(authors) + 1) + "|",
        *(
            f"| {harm} | "
            + " | ".join(f"{of_harm[a]:.3f}" if a in of_harm else "no label" for a in authors)
            + " |"
            for harm, of_harm in found.items()
        ),
    ]
