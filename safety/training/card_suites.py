"""What a trained prompt filter does on the packaged suites, plain and in disguise, for its card.

The suites are no training data. Many of their categories, such as trademarks or likeness, are none that a
filter is trained for, and their harmless prompts were written to look like the harmful ones, so they are
harder than the sources that are held out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..assessment import Assessed, assess
from ..harms import TAXONOMY_IDS
from ..prompts import load_classifier

__all__ = ["DISGUISES", "SUITES", "on_suites", "suites_markdown"]

SUITES = ("red-team", "contrast")
DISGUISES = (
    *("case", "typos", "deletion", "role-play", "past-tense", "word-table-de"),
    *("leet", "homoglyphs", "zero-width", "spacing", "joined", "base64", "rot13"),
)
"""One or two families of each kind; the others take as long again and tell the same."""


def on_suites(folder: Path, encoder: str | None, suites: Sequence[Assessed]) -> dict[str, Any]:
    """Assess the filter in ``folder`` on the labelled prompts of suites, in the families `DISGUISES`."""
    found = assess(
        lambda canonical: load_classifier(str(folder), canonical=canonical, encoder=encoder),
        suites,
        families=DISGUISES,
    )
    return {
        "whole": asdict(found.whole) if found.whole else None,
        "categories": {name: asdict(one) for name, one in found.groups["category"].items()},
        "disguises": [asdict(row) for row in found.disguises],
    }


def suites_markdown(found: Mapping[str, Any]) -> list[str]:
    """Give the lines of the card."""
    trained = {category for ids in TAXONOMY_IDS.values() for category in ids}
    return [
        "## On the packaged suites",
        "",
        "Attacks of `red-team` against the look-alikes of `contrast`, neither of them trained on. Categories "
        "marked with a star are none that the filter is trained for.",
        "",
        "| category | harmful | harmless | AUROC | recall at 1 % FPR | flagged of harmful | of harmless |",
        "|---|---|---|---|---|---|---|",
        *(
            _category(name, one, trained)
            for name, one in {"all": found["whole"], **found["categories"]}.items()
        ),
        "",
        "The same prompts in disguise, at full strength, without the canonical form and with it (default). "
        "Where harmless prompts are flagged as often as harmful ones, the filter flags the disguise. "
        "`screentest assess red-team contrast --disguise all` has all families.",
        "",
        "| family | readability | flagged plainly | without | with | harmless without | harmless with | "
        "worth of the canonical form |",
        "|---|---|---|---|---|---|---|---|",
        *(
            f"| {row['family']} | {row['readability']} | "
            + " | ".join(
                f"{row[field]['value']:.1%}"
                for field in ("plain", "bare", "defended", "bare_alarms", "defended_alarms")
            )
            + f" | {_interval(row['worth'])} |"
            for row in found["disguises"]
        ),
        "",
    ]


def _category(name: str, one: Mapping[str, Any], trained: set[str]) -> str:
    star = "" if name in trained or name == "all" else " *"
    shown = ("auroc", "recall_at_1_percent_fpr", "recall", "false_alarms")
    cells = " | ".join(_interval(one[field]) for field in shown)
    return f"| {name}{star} | {one['harmful']} | {one['harmless']} | {cells} |"


def _interval(value: Mapping[str, Any]) -> str:
    return f"{value['value']:.3f} ({value['low']:.3f} to {value['high']:.3f})"
