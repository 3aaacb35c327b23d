"""What a suite says about its bias audit: by which label clips are grouped, and what shares are held against.

::

    bias:
      label: group
      reader_error: my-reader-error.json
      references:
        - name: BLS 2015
          attribute: presentation
          file: occupations.tsv
          column: bls_pct_female
          of: feminine
        - name: our policy
          attribute: tone
          shares: {all: {light: 0.4, medium: 0.3, dark: 0.3}}

Shares are always held against the uniform distribution, too. Files are read when the suite is loaded, and a
run's record has what was in them.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from ...harness.core.arrays import Floats
from ...harness.core.config import Config
from ...harness.core.csv_rows import read_table
from ...harness.core.errors import UsageError, unknown_name
from .reader_error import ATTRIBUTES, ReaderError, read_reader_error

__all__ = ["ALL", "UNIFORM", "BiasSettings", "NamedReference", "read_share_table", "uniform"]

ALL: Final = "all"
"""The group whose shares hold for every group that a reference does not name."""
UNIFORM: Final = "uniform"
_OFF: Final = 1e-6


class NamedReference(Config):
    """Shares to hold a generator's against: a policy, labour statistics, or what was planted.

    Either ``shares``, or a ``file`` with one row a group and a ``column`` with the share of the class ``of``.
    """

    name: str = Field(min_length=1, max_length=80, description="by which findings name it")
    attribute: Literal["presentation", "tone"] = Field(description="what the shares are of")
    shares: dict[str, dict[str, float]] = Field(
        default_factory=dict, description="group, or 'all' -> class -> share; the shares add up to 1"
    )
    planted: bool = Field(False, description="whether a generator was made to show these shares")
    file: str | None = Field(None, description="path of a table (.tsv or .csv), a group a row, named first")
    column: str | None = Field(None, description="of the file: percent if its name says pct, else shares")
    of: str | None = Field(
        None, description="the class whose share the column has; there must be two classes"
    )

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if bool(self.shares) == (self.file is not None):
            raise ValueError(f"give the reference {self.name!r} either 'shares' or a 'file'")
        if self.name == UNIFORM:
            raise ValueError("'uniform' is taken by the even shares; choose another name")
        classes = ATTRIBUTES[self.attribute]
        if self.file is not None and (self.column is None or self.of not in classes or len(classes) != 2):
            raise ValueError(
                f"the reference {self.name!r} takes a file with 'column' and 'of' (one of "
                f"{', '.join(ATTRIBUTES['presentation'])}), for the attribute presentation"
            )
        for group, shares in self.shares.items():
            if set(shares) != set(classes):
                raise ValueError(f"{self.name}, {group}: give a share for each of {', '.join(classes)}")
            if min(shares.values()) < 0 or abs(math.fsum(shares.values()) - 1) > _OFF:
                raise ValueError(f"{self.name}, {group}: shares are 0 or more and add up to 1")
        return self

    def of_group(self, group: str) -> Floats | None:
        """Return the shares of a group, in the order of the classes; None if there are none for it."""
        shares = self.shares.get(group, self.shares.get(ALL))
        return (
            None if shares is None else np.array([shares[c] for c in ATTRIBUTES[self.attribute]], np.float64)
        )

    def filled(self) -> NamedReference:
        """Read the file, if there is one.

        Raises:
            UsageError: it cannot be read, or lacks the column.
        """
        if self.file is None or self.column is None or self.of is None:
            return self
        first, second = ATTRIBUTES[self.attribute]
        other = second if self.of == first else first
        table = read_share_table(Path(self.file), self.column)
        shares = {group: {self.of: share, other: 1.0 - share} for group, share in table.items()}
        return self.model_copy(update={"shares": shares, "file": None, "column": None, "of": None})


def uniform(attribute: str) -> NamedReference:
    """Make the reference in which every class has the same share."""
    classes = ATTRIBUTES[attribute]
    return NamedReference.model_construct(
        name=UNIFORM, attribute=attribute, shares={ALL: dict.fromkeys(classes, 1 / len(classes))},
        planted=False, file=None, column=None, of=None,
    )  # fmt: skip


class BiasSettings(Config):
    """The settings of a bias audit."""

    label: str = Field("group", min_length=1, description="label whose values are the groups of clips")
    references: tuple[NamedReference, ...] = Field(
        (), description="named distributions beside the uniform one"
    )
    reader_error: str | ReaderError | None = Field(
        None, description="path of the reader's error, as 'screentest reader-error' writes it"
    )

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [(one.name, one.attribute) for one in self.references]
        if len(set(names)) < len(names):
            raise ValueError("two references have one name and attribute; name them apart")
        return self

    def filled(self) -> BiasSettings:
        """Read the files that the settings name.

        Raises:
            UsageError: one cannot be read, or is not of its form.
        """
        error = self.reader_error
        return self.model_copy(
            update={
                "references": tuple(one.filled() for one in self.references),
                "reader_error": read_reader_error(Path(error)) if isinstance(error, str) else error,
            }
        )

    def references_of(self, attribute: str) -> tuple[NamedReference, ...]:
        """List the references of an attribute, the uniform one first."""
        return (uniform(attribute), *(one for one in self.references if one.attribute == attribute))


def read_share_table(path: Path, column: str) -> Mapping[str, float]:
    """Read a table with a group a row, named in the first column: group -> share of ``column``, in [0, 1].

    A column whose name has ``pct`` or ``percent`` is in percent. The delimiter of a ``.tsv`` is the tab.

    Raises:
        UsageError: the table cannot be read, has no such column, or a value is no share.
    """
    text = read_table(path, "a table of shares")
    rows = list(csv.reader(io.StringIO(text), delimiter="\t" if path.suffix == ".tsv" else ","))
    header = rows[0] if rows else []
    if column not in header[1:]:
        raise unknown_name(f"column of {path}", column, header[1:])
    place = header.index(column)
    scale = 100.0 if "pct" in column.lower() or "percent" in column.lower() else 1.0
    found: dict[str, float] = {}
    for number, row in enumerate(rows[1:], start=2):
        if not any(cell.strip() for cell in row):
            continue
        try:
            share = float(row[place]) / scale
        except (ValueError, IndexError):
            share = math.nan
        group = row[0].strip()
        if not 0 <= share <= 1:
            raise UsageError(f"{path}, line {number}: {column} of {group!r} is no share of 0 to {scale:g}")
        if group in found:
            raise UsageError(f"{path}, line {number}: {group!r} is listed twice")
        found[group] = share
    if not found:
        raise UsageError(f"{path} has no rows; a table of shares has a group a row")
    return found
