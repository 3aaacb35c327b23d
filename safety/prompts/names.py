"""A reader of names as a prompt classifier: who and what a prompt names, not in which tone.

It scores four categories: likeness (`lik`), politics (`civ`), trademarks (`tmk`) and protected works (`ipv`).
A flag says that a prompt names a person, a party, a brand or a work. Whether the picture would deceive,
defame or infringe is not in a name.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from ...harness.core.config import Config
from ...harness.core.keys import digest
from .classifier import Judged, Match, PromptClassifier, windows
from .gazetteer import GAZETTEER, Gazetteer

if TYPE_CHECKING:
    from ...harness.core.keys import Json

__all__ = ["NamesClassifier", "NamesConfig", "judge_names"]

_VERSION = 1
_WINDOW = 100_000  # so long that no name is cut in practice


class NamesConfig(Config):
    """A gazetteer of your own as a classifier."""

    gazetteer: Path = Field(GAZETTEER, description="file of the names, such as the packaged one")
    persons: bool = Field(
        True, description="whether to find given names with family names of the census, too"
    )


class NamesClassifier(PromptClassifier):
    """Flag a prompt that names a person, politics, a brand or a work; score each by its best name.

    Raises:
        UsageError: the gazetteer is wrong.
    """

    threshold = 0.5

    def __init__(self, name: str, config: NamesConfig | None = None, *, canonical: bool = True) -> None:
        config = config or NamesConfig.model_validate({})
        self.name = name
        self._gazetteer = Gazetteer(config.gazetteer, persons=config.persons)
        self._canonical = canonical
        self.harms = self._gazetteer.categories
        source: dict[str, Json] = dict(self._gazetteer.source)
        fields: dict[str, Json] = {
            "version": _VERSION,
            "gazetteer": source,
            "persons": config.persons,
            "canonicalise": canonical,
        }
        self.digest = digest("prompt-names", fields)

    def _classify(self, texts: Sequence[str]) -> Judged:
        """Look for names in each prompt."""
        pieces, owner = windows(texts, canonical=self._canonical, size=_WINDOW)
        rows: dict[int, tuple[Match, ...]] = {}
        for piece, row in zip(pieces, owner.tolist(), strict=True):
            rows[row] = (*rows.get(row, ()), *self._gazetteer.find(piece))
        return judge_names(len(texts), rows, self.harms, self.threshold)


def judge_names(
    n: int, rows: dict[int, tuple[Match, ...]], categories: tuple[str, ...], threshold: float
) -> Judged:
    """Score n prompts by their names: 0 for a category without one, NaN for prompts not in ``rows``."""
    harms = np.full((n, len(categories)), np.nan)
    for row, names in rows.items():
        harms[row] = 0.0
        for name in names:
            column = categories.index(name.category)
            harms[row, column] = max(harms[row, column], name.score)
    score = np.array([row.max() for row in harms], np.float64)
    found = {row: names for row, names in rows.items() if names}
    return Judged(score, harms, score >= threshold, {}, found)
