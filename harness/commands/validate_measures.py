"""The part of the command `validate` that tries measures on true clips and their corrupted copies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.counts import counted
from ..core.errors import UsageError
from ..core.presentation import Content, Table
from ..core.specs import parse_pairs
from .options import print_json, print_table, say

if TYPE_CHECKING:
    from ...metrics.validation.measure_bench import ValidationOptions
    from ...metrics.validation.measure_card import MeasureCard
    from ..core.storage import Place

__all__ = ["measures_table", "run_validation", "sources"]


def sources(pairs: Sequence[str]) -> dict[str, str]:
    """Read ROLE=SOURCE pairs.

    Raises:
        UsageError: a pair is no pair, or its role is unknown.
    """
    from ...metrics import encoder_roles
    from ..core.errors import unknown_name

    found = parse_pairs(pairs, "--encoder", "ROLE=SOURCE", "subject=efficientnet-lite0")
    for role in found:
        if role not in encoder_roles():
            raise unknown_name("encoder role", role, encoder_roles())
    return found


def run_validation(out: Path, asked: ValidationOptions, cache: Place, as_json: bool) -> None:
    """Measure the card, and print it."""
    from ...metrics.encoders.cache import FeatureCache
    from ...metrics.validation.measure_bench import MEASURE_TEXT, validate_measures

    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file; name a folder with --out")
    card = validate_measures(out, asked, FeatureCache(cache))
    if as_json:
        print_json(card.model_dump(mode="json"))
    else:
        print_table(measures_table(card))
        say(f"card: {out / MEASURE_TEXT}")


def measures_table(card: MeasureCard) -> Table:
    """Build the table of a card: what each measure sees, as it claims or not, and what it is blind to."""
    from ...metrics.validation.measure_report import COLUMNS, summary_columns

    rows: list[tuple[Content, ...]] = [
        (name, *(", ".join(part) or "-" for part in summary_columns(card, name))) for name in card.measures
    ]
    notes = (
        f"{counted(card.settings['clips']['n'], 'clip')}; the card has rank correlations and AUC with "
        "intervals",
    )
    return Table("what measures see", ("measure", *COLUMNS), rows, notes)
