"""Train the prompt filters: ``screentest train prompt-filter --data FOLDER --out FOLDER --kind KIND``.

Every public source and every group of scenes lies in one fold. Each fold is scored by a model that has seen
nothing of it, with calibration and threshold from scores of further folds held out in turn, so that the
numbers on the card say what happens with prompts from elsewhere. The shipped model is then fitted to all
folds, and calibrated on the scores that each fold got while it was held out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from ...harness.core.arrays import Bools, Floats
from ...harness.core.config import explain
from ...harness.core.errors import UsageError
from ...harness.core.keys import file_sha256, seeded_rng
from ...harness.core.progress import track
from ..assessment import Assessed
from ..calibration import Calibration, fit_platt, threshold_at_fpr
from ..harms import HARMS
from ..prompts import CONFIG, TENSORS, WINDOW, TrainedConfig
from .corpus import FOLDS, Corpus, load_corpus, load_xstest
from .linear import FeatureBlock, balanced_weights, fit_linear
from .settings import HeldOut, PromptFilterSettings

if TYPE_CHECKING:
    from .word_vectors import WordVectors

__all__ = ["Scaling", "train_prompt_filter"]

CARD = "card.json"


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
    def fit(cls, logits: Floats, labels: Floats, some: Floats, benign: Bools, fpr: float) -> Scaling:
        """Fit to the logits of rows that the model has not seen."""
        lines: list[Calibration] = []
        for k in range(labels.shape[1]):
            known = ~np.isnan(labels[:, k])
            lines.append(fit_platt(logits[known, k], labels[known, k] == 1))
        known = ~np.isnan(some)
        worst = logits.max(1)  # before calibration: a harm that is rare here is not a lesser harm
        overall = fit_platt(worst[known], some[known] == 1)
        return cls(tuple(lines), overall, threshold_at_fpr(overall(worst[benign]), fpr))


class Trainer(Protocol):
    """A kind of model over features that are computed once."""

    def fit(self, rows: Bools) -> Floats:
        """Fit to some rows and give the logits of all, and of the prompts of XSTest after them."""
        ...

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Give the weights of the last fit as they are saved."""
        ...


class NgramTrainer:
    """Fit a table over hashed n-grams and weights of words, both scaled by inverse document frequency."""

    def __init__(
        self, corpus: Corpus, others: list[str], settings: PromptFilterSettings, cache: Path
    ) -> None:
        from ..prompts.ngram import features, word_features

        self._corpus, self._settings = corpus, settings
        texts = [text[:WINDOW] for text in [*corpus.texts, *others]]
        self._design: Any = features(texts, settings.buckets)
        self._vectors: WordVectors | None = None
        if settings.vectors:
            from ..prompts.minilm import find_encoder
            from .word_vectors import load_word_vectors

            seen = texts[: len(corpus.rows)]
            vectors = load_word_vectors(find_encoder(settings.encoder), seen, cache / "words.npz")
            self._vectors, self._words = vectors, word_features(texts, vectors.hashes)
        self._tensors: dict[str, NDArray[Any]] = {}

    def fit(self, rows: Bools) -> Floats:
        """Fit; n-grams of fewer than two training rows have no weight."""
        training = np.flatnonzero(rows)
        count = np.bincount(self._design[training].indices, minlength=self._settings.buckets)
        active = np.flatnonzero(count >= 2)
        rarity = _rarity(len(training), count[active])
        narrow: Any = (self._design[training][:, active] * rarity[None, :]).tocsr().astype(np.float32)
        blocks = [FeatureBlock(narrow, self._settings.l2)]
        vectors = self._word_features(training)
        if vectors is not None:
            blocks.append(FeatureBlock(self._words[training] @ vectors, self._settings.l2_words))
        labels = self._corpus.labels[rows]
        coef, bias = fit_linear(blocks, labels, balanced_weights(labels), steps=self._settings.steps)
        table = np.zeros((self._settings.buckets, len(HARMS)), np.float16)
        table[active] = coef[0] * rarity[:, None]
        self._tensors = {"table": table, "bias": bias, **self._word_tensors(vectors, coef[-1])}
        logits = np.asarray(self._design @ table.astype(np.float64)) + bias
        if self._vectors is not None and vectors is not None:
            logits += self._words @ (vectors @ coef[1]).astype(np.float16).astype(np.float64)
        return logits

    def _word_features(self, training: NDArray[np.int64]) -> NDArray[np.float32] | None:
        """Scale the vectors of words by rarity; a word that neither encoder nor training rows have is 0."""
        if self._vectors is None:
            return None
        count = np.bincount(self._words[training].indices, minlength=len(self._vectors.hashes))
        weight = np.where((count > 0) | self._vectors.own, _rarity(len(training), count + 1), 0.0)
        return (self._vectors.vectors * weight[:, None]).astype(np.float32)

    def _word_tensors(self, vectors: NDArray[np.float32] | None, coef: Floats) -> dict[str, NDArray[Any]]:
        if self._vectors is None or vectors is None:
            return {"words": np.empty(0, np.uint64), "word_table": np.empty((0, len(HARMS)), np.float16)}
        return {"words": self._vectors.hashes, "word_table": (vectors @ coef).astype(np.float16)}

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Give the tables and the bias."""
        return self._tensors


def _rarity(rows: int, count: NDArray[np.int64]) -> Floats:
    """Give the inverse document frequency, of the order of one."""
    return np.log(rows / count) / 5


class MiniLMTrainer:
    """Fit a small network on features of the frozen encoder."""

    def __init__(
        self, corpus: Corpus, others: list[str], settings: PromptFilterSettings, cache: Path
    ) -> None:
        from ..prompts.minilm import find_encoder
        from .feature_cache import cached_features

        self._corpus, self._settings = corpus, settings
        texts = [text[:WINDOW].strip() for text in [*corpus.texts, *others]]
        self._design = cached_features(find_encoder(settings.encoder), texts, cache / "features.npz")
        self._tensors: dict[str, NDArray[Any]] = {}

    def fit(self, rows: Bools) -> Floats:
        """Fit, and round the weights as they are saved."""
        from ..prompts.network import Network, NetworkSettings, fit_network

        labels = self._corpus.labels[rows]
        chosen = NetworkSettings(self._settings.width, self._settings.epochs, seed=self._settings.seed)
        head = fit_network(self._design[: len(rows)][rows], labels, balanced_weights(labels), chosen)
        self._tensors = {
            "inward": head.inward.astype(np.float16),
            "inward_bias": head.inward_bias,
            "outward": head.outward,
            "bias": head.bias,
        }
        return Network(**{k: v.astype(np.float32) for k, v in self._tensors.items()}).logits(self._design)

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Give the weights of the network."""
        return self._tensors


def train_prompt_filter(
    out: Path, overrides: Mapping[str, str], suites: Sequence[Assessed] = ()
) -> dict[str, Any]:
    """Train, evaluate and write a prompt classifier with its card to the folder ``out``.

    ``suites`` are labelled prompts that are no training data, which the card tells of as well.

    Raises:
        UsageError: an unknown option, or a public file that is missing.
        MissingWeightsError: the encoder of ``minilm`` is not on this machine.
    """
    from .card import evaluate, write_card
    from .card_suites import on_suites

    try:
        settings = PromptFilterSettings.model_validate(dict(overrides))
    except ValidationError as error:
        raise UsageError(f"prompt-filter: {explain(error, PromptFilterSettings)}") from None
    if settings.buckets.bit_count() != 1:
        raise UsageError(f"--buckets {settings.buckets} should be a power of two")
    corpus = load_corpus(settings.data, variants=settings.variants, seed=settings.seed)
    xstest = load_xstest(settings.data)
    others = [text for text, _ in xstest]
    kind = NgramTrainer if settings.kind == "ngram" else MiniLMTrainer
    trainer: Trainer = kind(corpus, others, settings, settings.cache or out)
    by_source, scaling = _leave_out(trainer, corpus, settings)
    at_random = _random_split(trainer, corpus, settings)
    final = trainer.fit(np.ones(len(corpus.rows), np.bool_))
    config = _write(out, trainer, scaling, settings)
    over, _ = scaling.probabilities(final[len(corpus.rows) :])
    refused = over >= scaling.threshold
    safe = np.array([is_safe for _, is_safe in xstest])
    card = evaluate(corpus, by_source, at_random, (refused, safe), draws=settings.draws)
    card["suites"] = on_suites(out, settings.encoder, suites) if suites and settings.disguises else None
    write_card(out, card, settings, config, corpus)
    return card


def _leave_out(trainer: Trainer, corpus: Corpus, settings: PromptFilterSettings) -> tuple[HeldOut, Scaling]:
    """Score each fold held out, with a scaling from folds held out beside it; and the scaling of all."""
    n = len(corpus.rows)
    left_out = [(f,) for f in range(FOLDS)] + list(combinations(range(FOLDS), 2))
    logits: dict[tuple[int, ...], Floats] = {}
    with track("fitting with folds held out", len(left_out)) as ticker:
        for folds in left_out:
            logits[folds] = trainer.fit(~np.isin(corpus.folds, folds))[:n]
            ticker.advance()
    held = HeldOut(np.full(n, np.nan), np.full((n, len(HARMS)), np.nan), np.zeros(n, np.bool_))
    single = np.empty((n, len(HARMS)))
    for fold in range(FOLDS):
        inner = np.empty((n, len(HARMS)))
        for other in set(range(FOLDS)) - {fold}:
            rows = corpus.folds == other
            inner[rows] = logits[(min(fold, other), max(fold, other))][rows]
        rows = corpus.folds == fold
        _fill(held, rows, _scaling(inner, corpus, ~rows, settings), logits[(fold,)])
        single[rows] = logits[(fold,)][rows]
    return held, _scaling(single, corpus, np.ones(n, np.bool_), settings)


def _random_split(trainer: Trainer, corpus: Corpus, settings: PromptFilterSettings) -> HeldOut:
    """Hold out a fifth of the rows at random, and a tenth more for the scaling."""
    n = len(corpus.rows)
    draw = seeded_rng("prompt-filter", "random split", settings.seed).random(n)
    logits = trainer.fit(draw >= 0.3)[:n]
    scaling = _scaling(logits, corpus, (draw >= 0.2) & (draw < 0.3), settings)
    held = HeldOut(np.full(n, np.nan), np.full((n, len(HARMS)), np.nan), np.zeros(n, np.bool_))
    _fill(held, draw < 0.2, scaling, logits)
    return held


def _scaling(logits: Floats, corpus: Corpus, rows: Bools, settings: PromptFilterSettings) -> Scaling:
    return Scaling.fit(
        logits[rows], corpus.labels[rows], corpus.any_harm[rows], corpus.benign_scenes[rows], settings.fpr
    )


def _fill(held: HeldOut, rows: Bools, scaling: Scaling, logits: Floats) -> None:
    held.some[rows], held.each[rows] = scaling.probabilities(logits[rows])
    held.flagged[rows] = held.some[rows] >= scaling.threshold


def _write(out: Path, trainer: Trainer, scaling: Scaling, settings: PromptFilterSettings) -> TrainedConfig:
    from safetensors.numpy import save_file

    from ..prompts import minilm, ngram

    out.mkdir(parents=True, exist_ok=True)
    beside = out / f"{TENSORS}.part"
    save_file(trainer.tensors(), beside)
    beside.chmod(0o644)  # the library leaves it to its owner alone
    beside.replace(out / TENSORS)
    of_minilm = settings.kind == "minilm"
    config = TrainedConfig.model_validate(
        {
            "kind": settings.kind,
            "feature_version": minilm.VERSION if of_minilm else ngram.VERSION,
            "harms": HARMS,
            "harm_calibration": [{"slope": c.slope, "intercept": c.intercept} for c in scaling.harms],
            "any_calibration": {"slope": scaling.some.slope, "intercept": scaling.some.intercept},
            "threshold": scaling.threshold,
            "false_positive_rate": settings.fpr,
            "tensors_sha256": file_sha256(out / TENSORS),
            "encoder_sha256": minilm.ENCODER_SHA256 if of_minilm else None,
        }
    )
    (out / CONFIG).write_text(config.model_dump_json(indent=1) + "\n", "utf-8")
    return config
