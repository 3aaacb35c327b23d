"""Map the labels of a third-party classifier to our categories, for text and images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ..harness.core.arrays import Floats
from ..harness.core.errors import UsageError, unknown_name
from .calibration import sigmoid
from .taxonomy import load_taxonomy

__all__ = ["NONE", "Activation", "LabelMap", "Labels", "labels_of"]

Activation = Literal["auto", "sigmoid", "softmax"]
Labels = dict[str, str | tuple[str, ...]]
"""Label -> id of a category, several of them, or ``none`` for a label that says "harmless"."""
NONE = "none"


@dataclass(frozen=True)
class LabelMap:
    """How to read the outputs of a classifier.

    Attributes:
        labels: the model's labels, in the order of its outputs.
        ours: our categories of each label; empty for ``none``.
        exclusive: whether exactly one label holds (softmax), or each independently (sigmoid).
    """

    labels: tuple[str, ...]
    ours: tuple[tuple[str, ...], ...]
    exclusive: bool

    @classmethod
    def of(cls, config: Mapping[str, Any], labels: Labels, activation: Activation, whose: str) -> LabelMap:
        """Check a map against a model's ``config.json``.

        ``auto`` means a sigmoid for a model with one output or a multi-label ``problem_type``, and softmax
        for any other.

        Raises:
            UsageError: a label is unknown to the model or not mapped, a category is unknown, or no label has
                one.
        """
        names = labels_of(config)
        for label in labels:
            if label not in names:
                raise unknown_name(f"label of the {whose}", label, names)
        missing = [name for name in names if name not in labels]
        if missing:
            raise UsageError(
                f"the label map of the {whose} lacks labels ({', '.join(map(repr, missing))}); give each a "
                f"category, or {NONE!r}"
            )
        ours = tuple(_categories(labels[name]) for name in names)
        if not any(ours):
            raise UsageError(
                f"the label map of the {whose} gives no label a category, so nothing could be flagged"
            )
        several = len(names) == 1 or config.get("problem_type") == "multi_label_classification"
        return cls(names, ours, not several if activation == "auto" else activation == "softmax")

    @property
    def categories(self) -> tuple[str, ...]:
        """The ids of all mapped categories, in the order of the taxonomy."""
        found = {category for ours in self.ours for category in ours}
        return tuple(category for category in load_taxonomy().ids if category in found)

    def read(self, logits: Floats) -> tuple[Floats, Floats]:
        """Compute the probability of any harm (n,) and of each category (n, k), from logits (n, labels).

        Exclusive labels of one category add up; of independent labels the highest probability counts.

        Raises:
            ValueError: an output is not finite.
        """
        if not np.isfinite(logits).all():
            raise ValueError("the model gave an output that is not finite")
        if self.exclusive:
            shifted = np.exp(logits - logits.max(1, keepdims=True))
            p = shifted / shifted.sum(1, keepdims=True)
        else:
            p = sigmoid(logits)
        harmful = np.array([bool(ours) for ours in self.ours])
        columns = [np.array([c in ours for ours in self.ours]) for c in self.categories]
        return self._together(p[:, harmful]), np.stack([self._together(p[:, c]) for c in columns], 1)

    def _together(self, p: Floats) -> Floats:
        return np.minimum(p.sum(1), 1.0) if self.exclusive else p.max(1)


def labels_of(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Name a model's labels, in the order of its outputs, from its ``config.json``."""
    named: Any = config.get("id2label")
    if isinstance(named, dict) and named:
        return tuple(str(named[key]) for key in sorted(named, key=int))  # pyright: ignore[reportUnknownArgumentType]
    return tuple(f"LABEL_{i}" for i in range(int(config.get("num_labels", 2))))  # as the library names them


def _categories(given: str | tuple[str, ...]) -> tuple[str, ...]:
    ids = (given,) if isinstance(given, str) else given
    if ids == (NONE,):
        return ()
    return tuple(load_taxonomy().get(category).id for category in ids)
