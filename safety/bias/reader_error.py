"""The error of a reader of people: its confusion matrix on labelled clips, and shares corrected for it.

If clips of true class i are read as class j with probability C[i, j], shares p are read as q = p C. So p is
``q C^-1``, brought back to the simplex by the nearest point of it. This takes the labelled clips to be like
the generated ones, and undetermined clips to come from all classes alike: they are left out of q and of C,
and have a rate of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, Self

import numpy as np
from pydantic import Field, model_validator

from ...harness.core.arrays import Floats
from ...harness.core.config import Config
from ...harness.core.errors import UsageError
from ...harness.core.keys import seeded_rng

__all__ = ["ATTRIBUTES", "Confusion", "ReaderError", "confusion_of", "on_simplex", "read_reader_error"]

ATTRIBUTES: Final[Mapping[str, tuple[str, ...]]] = {
    "presentation": ("feminine", "masculine"),
    "tone": ("light", "medium", "dark"),
}
"""What is read of a person, and its classes. Presentation is as perceived, and says nothing of identity."""
_SINGULAR: Final = 0.05
"""Least singular value of a confusion matrix that is inverted: below it, errors of shares grow twentyfold."""
_BLIND: Final = 0.025
"""Largest share of draws, within the counts' uncertainty, in which the reader does no better than chance."""
_DRAWS: Final = 4000


@dataclass(frozen=True)
class Confusion:
    """Counts of labelled clips (K, K + 1): a row a true class, a column a read one, the last undetermined."""

    classes: tuple[str, ...]
    counts: Floats

    @cached_property
    def matrix(self) -> Floats:
        """Shares of the read classes among determined clips of each true class, (K, K); rows add up to 1."""
        read = self.counts[:, :-1]
        return np.asarray(read / read.sum(axis=1, keepdims=True), np.float64)

    @cached_property
    def inverse(self) -> Floats:
        """The inverse of `matrix`."""
        return np.asarray(np.linalg.inv(self.matrix), np.float64)

    def draws(self, number: int, seed: str) -> Floats:
        """Draw matrices within the uncertainty of the counts, (D, K, K): Dirichlet, with one half added."""
        rng = seeded_rng("reader error", seed)
        rows = [rng.dirichlet(row + 0.5, number) for row in self.counts[:, :-1]]
        return np.stack(rows, axis=1)

    def problem(self) -> str | None:
        """Say why shares cannot be corrected by this matrix; None if they can."""
        empty = [c for c, row in zip(self.classes, self.counts, strict=True) if not row[:-1].sum()]
        if empty:
            return f"no labelled clip that is {' or '.join(empty)} was determined; label more of them"
        if float(np.linalg.svd(self.matrix, compute_uv=False)[-1]) < _SINGULAR:
            return (
                f"the reader cannot tell {' from '.join(self.classes)}: its confusion matrix is singular or "
                "nearly so, and shares cannot be computed back through it; take another reader"
            )
        blind = float((np.linalg.det(self.draws(_DRAWS, "problem")) <= 0).mean())
        if blind > _BLIND or np.linalg.det(self.matrix) <= 0:
            return (
                f"the labelled clips do not show that the reader tells {' from '.join(self.classes)}: in "
                f"{blind:.0%} of draws within their uncertainty it is no better than chance; label more clips"
            )
        return None

    def correct(self, read_K: Floats, matrix_KK: Floats | None = None) -> Floats:
        """Compute the shares behind read shares (..., K), by inversion and the nearest point of the simplex.

        Args:
            read_K: shares of the read classes among determined clips.
            matrix_KK: a draw of the matrix, (..., K, K), instead of `matrix`.
        """
        inverse = self.inverse if matrix_KK is None else np.linalg.inv(matrix_KK)
        return on_simplex(np.einsum("...k,...kj->...j", read_K, inverse))


def on_simplex(p: Floats) -> Floats:
    """Project vectors (..., K) to the nearest point of the simplex (Duchi et al. 2008, figure 1).

    Example:
        >>> on_simplex(np.array([1.2, -0.2])).tolist()
        [1.0, 0.0]
    """
    descending = -np.sort(-p, axis=-1)
    excess = descending.cumsum(axis=-1) - 1.0
    number = np.arange(1, p.shape[-1] + 1)
    kept = (descending - excess / number > 0).sum(axis=-1, keepdims=True)
    shift = np.take_along_axis(excess, kept - 1, axis=-1) / kept
    return np.maximum(p - shift, 0.0)


class ReaderError(Config):
    """A reader's confusion on labelled clips, as a file.

    Attributes:
        reader: name of the reader, such as ``nudenet``.
        digest: of the reader; the error of another version is not taken.
        source: what the clips are, and who labelled them.
        attributes: attribute -> true class -> read class, or ``undetermined`` -> number of clips.
        no_person: labelled clips of a person in which none was found, by attribute and true class.
    """

    reader: str = Field(min_length=1, description="name of the reader, such as nudenet")
    digest: str = Field(pattern="^[0-9a-f]{64}$", description="of the reader that was measured")
    source: str = Field("", description="what the labelled clips are, and who labelled them")
    attributes: dict[str, dict[str, dict[str, int]]] = Field(
        description="attribute -> true class -> read class, or undetermined -> clips"
    )
    no_person: dict[str, dict[str, int]] = Field(
        default_factory=dict, description="labelled clips in which nobody was found, by attribute and class"
    )

    @model_validator(mode="after")
    def _known(self) -> Self:
        for attribute, rows in self.attributes.items():
            if attribute not in ATTRIBUTES:
                raise ValueError(f"there is no attribute {attribute!r}; there are {', '.join(ATTRIBUTES)}")
            classes = ATTRIBUTES[attribute]
            if set(rows) != set(classes):
                raise ValueError(f"{attribute} should have a row for each of {', '.join(classes)}")
            for true, row in rows.items():
                if not set(row) <= {*classes, "undetermined"} or any(count < 0 for count in row.values()):
                    raise ValueError(
                        f"{attribute}, {true}: count clips read as {', '.join(classes)} or undetermined"
                    )
        return self

    def confusion(self, attribute: str) -> Confusion | None:
        """Return the counts of an attribute; None if it was not labelled."""
        rows = self.attributes.get(attribute)
        if rows is None:
            return None
        classes = ATTRIBUTES[attribute]
        columns = (*classes, "undetermined")
        counts = [[float(rows[true].get(read, 0)) for read in columns] for true in classes]
        return Confusion(classes, np.array(counts, np.float64))


def confusion_of(pairs: Sequence[tuple[str, str | None]], attribute: str) -> dict[str, dict[str, int]]:
    """Count (true class, read class or None) pairs, for a `ReaderError`.

    Raises:
        UsageError: a true class is not one of the attribute's, or a class has no clip.
    """
    classes = ATTRIBUTES[attribute]
    strange = sorted({true for true, _ in pairs} - set(classes))
    if strange:
        raise UsageError(f"the label {strange[0]!r} is no {attribute}; labels are {', '.join(classes)}")
    missing = [name for name in classes if all(true != name for true, _ in pairs)]
    if missing:
        raise UsageError(
            f"no clip is labelled {' or '.join(missing)}; a reader's error takes clips of each {attribute} "
            f"({', '.join(classes)})"
        )
    columns: list[str] = [*classes, "undetermined"]
    counts: dict[str, dict[str, int]] = {true: dict.fromkeys(columns, 0) for true in classes}
    for true, read in pairs:
        counts[true][read or "undetermined"] += 1
    return counts


def read_reader_error(path: Path) -> ReaderError:
    """Read a reader's error from a JSON file.

    Raises:
        UsageError: there is no such file, or it is not of this form.
    """
    from pydantic import ValidationError

    from ...harness.core.config import explain

    try:
        return ReaderError.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from None
    except ValidationError as error:
        raise UsageError(f"{path} is no reader's error: {explain(error, ReaderError)}") from None
