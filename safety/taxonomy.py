"""Categories of unsafe content, and crosswalks from the labels of other schemes, as versioned data.

A crosswalk states the relation of a foreign label to our categories, which limits what the label implies: if
it is *broader* than a category, its absence implies the category's absence, but its presence implies nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal, Self, TypeVar

from pydantic import Field, model_validator

from ..harness.core.config import Config, load_yaml
from ..harness.core.errors import UsageError, unknown_name

__all__ = [
    "Category",
    "Crosswalk",
    "ForeignLabel",
    "Taxonomy",
    "carry_over",
    "crosswalk",
    "load_taxonomy",
    "schemes",
    "to_ours",
]

Modality = Literal["text", "frame", "sequence"]
Relation = Literal["close", "narrower", "broader", "overlap"]

_DATA = Path(__file__).parent / "data"


class Category(Config):
    """One category: its id, its name, a definition of one line, and the modality that can show it.

    Attributes:
        modality: ``text``: measured at the text filter alone, never generated; ``frame``: a single frame can
            show it; ``sequence``: only a sequence of frames does.
        spine: whether the id is a hazard of MLCommons AILuminate.
    """

    id: str = Field(pattern=r"^[a-z]{3}$")
    name: str = Field(min_length=1)
    definition: str = Field(min_length=1)
    modality: Modality
    spine: bool


class Taxonomy(Config):
    """The ordered categories, with a version that changes when a meaning does."""

    name: str
    version: int = Field(ge=1)
    categories: tuple[Category, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _unique(self) -> Self:
        if len(set(self.ids)) != len(self.ids):
            raise ValueError("a category id is given twice")
        return self

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all categories."""
        return tuple(category.id for category in self.categories)

    @property
    def generated(self) -> tuple[str, ...]:
        """The ids of the categories that may be generated: all except those for text filters only."""
        return tuple(c.id for c in self.categories if c.modality != "text")

    def get(self, category: str) -> Category:
        """Find a category by its id.

        Raises:
            UsageError: there is none; the nearest ids are in the message.
        """
        found = next((c for c in self.categories if c.id == category), None)
        if found is None:
            raise unknown_name("category", category, self.ids)
        return found


class ForeignLabel(Config):
    """A label of another scheme: its relation to our categories, or why it has no counterpart."""

    label: str = Field(min_length=1)
    name: str = Field(min_length=1)
    ours: dict[str, Relation] = Field(default_factory=dict)
    unmapped: str | None = Field(default=None, min_length=1, description="why there is no counterpart")

    @model_validator(mode="after")
    def _mapped_or_explained(self) -> Self:
        if bool(self.ours) == (self.unmapped is not None):
            raise ValueError(f"give the label {self.label!r} either 'ours' or 'unmapped' with the reason")
        return self


class Crosswalk(Config):
    """All labels of one scheme, with the revision of the scheme that they were read from."""

    scheme: str
    title: str
    source: str
    revision: str
    labels: tuple[ForeignLabel, ...] = Field(min_length=1)

    def get(self, label: str) -> ForeignLabel:
        """Find a label.

        Raises:
            UsageError: there is none; the nearest labels are in the message.
        """
        found = next((row for row in self.labels if row.label == label), None)
        if found is None:
            raise unknown_name(f"{self.scheme} label", label, [row.label for row in self.labels])
        return found

    @property
    def unmapped(self) -> dict[str, str]:
        """The labels without a counterpart here, each with the reason."""
        return {row.label: row.unmapped for row in self.labels if row.unmapped is not None}


class _Crosswalks(Config):
    version: int = Field(ge=1)
    schemes: tuple[Crosswalk, ...]


@cache
def load_taxonomy() -> Taxonomy:
    """Load the packaged taxonomy."""
    return _load(Taxonomy, "taxonomy")


@cache
def _crosswalks() -> dict[str, Crosswalk]:
    known = load_taxonomy()
    found = {walk.scheme: walk for walk in _load(_Crosswalks, "crosswalks").schemes}
    for walk in found.values():
        for row in walk.labels:
            for category in row.ours:
                known.get(category)
    return found


def schemes() -> tuple[str, ...]:
    """Name the schemes that have a crosswalk."""
    return tuple(_crosswalks())


def crosswalk(scheme: str) -> Crosswalk:
    """Give the crosswalk of a scheme.

    Raises:
        UsageError: no such scheme; the nearest names are in the message.
    """
    found = _crosswalks().get(scheme)
    if found is None:
        raise unknown_name("labelling scheme", scheme, _crosswalks())
    return found


def to_ours(scheme: str, label: str) -> tuple[str, ...]:
    """Return our categories that a foreign label overlaps; empty only for a label that is marked unmapped.

    Raises:
        UsageError: no such scheme or label; the nearest names are in the message.

    Example:
        >>> to_ours("llama-guard", "S10")
        ('hte',)
    """
    return tuple(crosswalk(scheme).get(label).ours)


def carry_over(scheme: str, labels: Mapping[str, bool | None]) -> dict[str, bool | None]:
    """Convert foreign labels to ours: every category is True, False, or None if unknown.

    A present label gives True for a category that it is close to or narrower than. An absent label gives
    False for a category that it is close to or broader than. A partial overlap gives nothing. True wins over
    False, since several labels of one text may hold.

    Raises:
        UsageError: no such scheme or label.
    """
    walk = crosswalk(scheme)
    ours: dict[str, bool | None] = dict.fromkeys(load_taxonomy().ids)
    for label, present in labels.items():
        for category, relation in walk.get(label).ours.items():
            if present and relation in ("close", "narrower"):
                ours[category] = True
            elif present is False and relation in ("close", "broader") and ours[category] is None:
                ours[category] = False
    return ours


M = TypeVar("M", bound=Config)


def _load(model: type[M], name: str) -> M:
    path = _DATA / f"{name}.yaml"
    if not path.is_file():
        raise UsageError(f"{path} is missing; install screentest again")
    return load_yaml(model, name, {name: path}, kind=name)
