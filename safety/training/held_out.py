"""Leave one author out: scores of prompts by models that have seen nothing of who wrote them.

An author is a source whose prompts come from the same people. For each, a model is fitted without its prompts
and without the `REFERENCE`: harmless prompts for generators, against which the author's harmful ones are
ranked. Calibration and threshold of an author come from the held-out scores of the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...harness.core.arrays import Bools, Floats
from ...harness.core.progress import track
from ..calibration import Calibration, fit_platt, threshold_at_fpr
from .corpus import AUTHORS, REFERENCE, Corpus

__all__ = ["SPLITS", "HeldOut", "Scaling", "benign_sources", "flags_of", "leave_authors_out"]


SPLITS = (*AUTHORS, "coco", "reference")
"""Who is held out in turn; the reference is, with all of them."""


@dataclass(frozen=True)
class Scaling:
    """From logits to probabilities: a sigmoid for each harm, one for any harm, and a threshold on that."""

    harms: tuple[Calibration, ...]
    some: Calibration
    threshold: float

    def probabilities(self, logits: Floats) -> tuple[Floats, Floats]:
        """Give the probability of any harm (n,) and of each (n, k)."""
        each = np.stack([line(logits[:, k]) for k, line in enumerate(self.harms)], 1)
        return self.some(logits.max(1)), each

    @classmethod
    def fit(
        cls, logits: Floats, labels: Floats, some: Floats, benign: Sequence[Bools], fpr: float
    ) -> Scaling:
        """Fit to the logits of rows that the model has not seen.

        Args:
            logits: (n, k).
            labels: (n, k) of 0, 1 and NaN for unknown.
            some: whether any harm holds (n,), NaN for unknown.
            benign: harmless rows of each source (n,); in none is more than ``fpr`` flagged.
            fpr: share of harmless prompts that may be flagged.
        """
        known = ~np.isnan(some)
        worst = logits.max(1)  # before calibration: a harm that is rare here is not a lesser harm
        overall = fit_platt(worst[known], some[known] == 1)
        lines: list[Calibration] = []
        for k in range(labels.shape[1]):
            known = ~np.isnan(labels[:, k])
            both = len(np.unique(labels[known, k])) == 2  # else the line of any harm is the best there is
            lines.append(fit_platt(logits[known, k], labels[known, k] == 1) if both else overall)
        threshold = max(threshold_at_fpr(overall(worst[rows]), fpr) for rows in benign)
        return cls(tuple(lines), overall, min(1.0, threshold))


@dataclass(frozen=True)
class HeldOut:
    """Scores of rows by a model that has seen nothing of them.

    Attributes:
        own: rows of the author that was held out (n,).
        some: probability of any harm (n,); NaN for rows that were not held out.
        each: probability of each harm (n, k).
        flagged: whether ``some`` reached the threshold (n,).
    """

    own: Bools
    some: Floats
    each: Floats
    flagged: Bools

    @classmethod
    def of(cls, logits: Floats, own: Bools, scored: Bools, scaling: Scaling) -> HeldOut:
        """Scale the logits (n, k) of the rows that were not trained on."""
        n, k = logits.shape
        held = cls(own, np.full(n, np.nan), np.full((n, k), np.nan), np.zeros(n, np.bool_))
        held.some[scored], held.each[scored] = scaling.probabilities(logits[scored])
        held.flagged[scored] = held.some[scored] >= scaling.threshold
        return held


def benign_sources(corpus: Corpus, rows: Bools) -> list[Bools]:
    """List harmless scene prompts among ``rows``, a source each; of I2P and Nibbler, who knows which are."""
    sure = corpus.benign_scenes & rows & ~np.isin(corpus.authors, ("i2p", "nibbler"))
    return [sure & (corpus.sources == source) for source in np.unique(corpus.sources[sure])]


def leave_authors_out(
    fit: Callable[[Bools], Floats], corpus: Corpus, fpr: float
) -> tuple[dict[str, HeldOut], Scaling]:
    """Score each author held out with the reference; and give the scaling of all held-out scores.

    Args:
        fit: fit a model to some rows (n,) and give the logits of all (n, k).
        corpus: the n rows.
        fpr: share of harmless prompts that may be flagged.
    """
    reference = np.isin(corpus.authors, REFERENCE)
    own = {name: reference if name == "reference" else corpus.authors == name for name in SPLITS}
    logits: dict[str, Floats] = {}
    with track("fitting with authors held out", len(SPLITS)) as ticker:
        for name in SPLITS:
            logits[name] = fit(~(own[name] | reference))
            ticker.advance()
    single = np.empty_like(logits["reference"])
    for name in SPLITS:
        single[own[name]] = logits[name][own[name]]
    held: dict[str, HeldOut] = {}
    for name in SPLITS:
        scored = own[name] | reference
        scaling = _scaling(single, corpus, ~scored, fpr)
        held[name] = HeldOut.of(logits[name], own[name], scored, scaling)
    return held, _scaling(single, corpus, np.ones(len(corpus.rows), np.bool_), fpr)


def _scaling(logits: Floats, corpus: Corpus, rows: Bools, fpr: float) -> Scaling:
    benign = [one[rows] for one in benign_sources(corpus, rows)]
    return Scaling.fit(logits[rows], corpus.labels[rows], corpus.any_harm[rows], benign, fpr)


def flags_of(held: Mapping[str, HeldOut], rows: Bools) -> Bools:
    """Say which of ``rows`` are flagged by the models that had none of their author (of those rows)."""
    flagged = np.zeros(len(rows), np.bool_)
    for one in held.values():
        flagged |= one.own & one.flagged
    return flagged[rows]
