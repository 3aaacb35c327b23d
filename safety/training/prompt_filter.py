"""Train the prompt filters: ``screentest train prompt-filter --data FOLDER --out FOLDER --kind KIND``.

Each author is scored by a model that has seen nothing by that author, with calibration and threshold from the
held-out scores of the others (`held_out`), so that the numbers on the card say what happens with prompts from
elsewhere. The shipped model is then fitted to all rows, and calibrated on the scores that each author got
while held out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from ...harness.core.arrays import Bools, Floats
from ...harness.core.config import explain
from ...harness.core.errors import UsageError
from ...harness.core.keys import file_sha256, seeded_rng
from ...metrics.encoders.minilm import MINILM_SHA256
from ..assessment import Assessed
from ..harms import HARMS
from ..prompts import CONFIG, TENSORS, WINDOW, TrainedConfig
from .corpus import Corpus, load_corpus, load_xstest
from .held_out import HeldOut, Scaling, benign_sources, leave_authors_out
from .linear import FeatureBlock, balanced_weights, fit_linear
from .settings import PromptFilterSettings

if TYPE_CHECKING:
    from .word_vectors import WordVectors

__all__ = ["train_prompt_filter"]

CARD = "card.json"


class Trainer(Protocol):
    """A kind of model over features that are computed once."""

    def fit(self, rows: Bools) -> Floats:
        """Fit to some rows and give the logits of all, and of the prompts of XSTest after them."""
        ...

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Give the weights of the last fit as they are saved."""
        ...


class NgramTrainer:
    """Fit a table over hashed n-grams and weights of words, both scaled by inverse document frequency.

    The tables are the mean of two fits, to all rows and to those that `_firm_and_all` calls firm.
    """

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
        fits = [self._fit(kept) for kept in _firm_and_all(self._corpus, rows)]
        table, bias, word_table = (np.mean(part, 0) for part in zip(*fits, strict=True))
        words = np.empty(0, np.uint64) if self._vectors is None else self._vectors.hashes
        self._tensors = {
            "table": table.astype(np.float16),
            "bias": bias,
            "words": words,
            "word_table": word_table.astype(np.float16),
        }
        logits = np.asarray(self._design @ self._tensors["table"].astype(np.float64)) + bias
        if self._vectors is not None:
            logits += self._words @ self._tensors["word_table"].astype(np.float64)
        return logits

    def _fit(self, rows: Bools) -> tuple[Floats, Floats, Floats]:
        """Give the table, the bias and the table of words."""
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
        weights = balanced_weights(labels, self._corpus.sources[rows], self._settings.balance)
        coef, bias = fit_linear(blocks, labels, weights, steps=self._settings.steps)
        table = np.zeros((self._settings.buckets, len(HARMS)))
        table[active] = coef[0] * rarity[:, None]
        return table, bias, np.empty((0, len(HARMS))) if vectors is None else vectors @ coef[1]

    def _word_features(self, training: NDArray[np.int64]) -> NDArray[np.float32] | None:
        """Scale the vectors of words by rarity; a word that neither encoder nor training rows have is 0."""
        if self._vectors is None:
            return None
        count = np.bincount(self._words[training].indices, minlength=len(self._vectors.hashes))
        weight = np.where((count > 0) | self._vectors.own, _rarity(len(training), count + 1), 0.0)
        return (self._vectors.vectors * weight[:, None]).astype(np.float32)

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Give the tables and the bias."""
        return self._tensors


def _firm_and_all(corpus: Corpus, rows: Bools) -> tuple[Bools, Bools]:
    """Give the labelled ones of ``rows``: those that are not `weakly_harmful`, and all.

    What was drawn badly often reads harmless, and a model that learns to call it harmful tells open harm less
    well. By the mean of a model of each, open harm stays ranked first and harm between the lines is found.
    """
    known = rows & corpus.labelled
    return known & ~corpus.weakly_harmful, known


def _rarity(rows: int, count: NDArray[np.int64]) -> Floats:
    """Give the inverse document frequency, of the order of one."""
    return np.log(rows / count) / 5


class MiniLMTrainer:
    """Fit two small networks on features of the frozen encoder, and take the mean of their scores.

    One is fitted to all rows, the other to those that `_firm_and_all` calls firm.
    """

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
        from ..prompts.network import Network, NetworkSettings, fit_network, mean_network

        chosen = NetworkSettings(self._settings.width, self._settings.epochs, seed=self._settings.seed)
        heads: list[Network] = []
        for kept in _firm_and_all(self._corpus, rows):
            labels = self._corpus.labels[kept]
            weights = balanced_weights(labels, self._corpus.sources[kept], self._settings.balance)
            heads.append(fit_network(self._design[: len(rows)][kept], labels, weights, chosen))
        head = mean_network(heads)
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
    n = len(corpus.rows)
    by_author, scaling = leave_authors_out(lambda rows: trainer.fit(rows)[:n], corpus, settings.fpr)
    at_random = _random_split(trainer, corpus, settings)
    final = trainer.fit(np.ones(n, np.bool_))
    config = _write(out, trainer, scaling, settings)
    over, _ = scaling.probabilities(final[n:])
    refused = over >= scaling.threshold
    safe = np.array([is_safe for _, is_safe in xstest])
    card = evaluate(corpus, by_author, at_random, (refused, safe), draws=settings.draws)
    card["suites"] = on_suites(out, settings.encoder, suites) if suites and settings.disguises else None
    write_card(out, card, settings, config, corpus)
    return card


def _random_split(trainer: Trainer, corpus: Corpus, settings: PromptFilterSettings) -> HeldOut:
    """Hold out a fifth of the rows at random, and a tenth more for the scaling."""
    n = len(corpus.rows)
    draw = seeded_rng("prompt-filter", "random split", settings.seed).random(n)
    logits = trainer.fit(draw >= 0.3)[:n]
    rows, apart = draw < 0.2, (draw >= 0.2) & (draw < 0.3)
    benign = [one[apart] for one in benign_sources(corpus, apart)]
    scaling = Scaling.fit(logits[apart], corpus.labels[apart], corpus.any_harm[apart], benign, settings.fpr)
    return HeldOut.of(logits, rows, rows, scaling)


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
            "encoder_sha256": MINILM_SHA256 if of_minilm else None,
        }
    )
    (out / CONFIG).write_text(config.model_dump_json(indent=1) + "\n", "utf-8")
    return config
