"""What a trained prompt filter does on the packaged suites, plain and in disguise, for its card.

The suites are no training data. Many of their categories, such as trademarks or likeness, are none that a
filter is trained for, and their harmless prompts were written to look like the harmful ones, so they are
harder than the sources that are held out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..assessment import Assessed, assess
from ..prompts import load_classifier

__all__ = ["DISGUISES", "SUITES", "on_suites"]

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
