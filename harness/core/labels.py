"""Labels: named values of an item (``category: vcr``), and the slices of a run that they define.

A *tag* is a word (``red-team``); a *label* is a name with one value or several. Neither is part of an item's
identity. A *slice* is the items of one tag, or of one value of a label, written ``red-team`` or
``category:vcr``. The labels ``id`` and ``base`` name single prompts. They serve look-up and pairing, and no
aggregate is computed for them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias, cast

from .text import well_formed

__all__ = [
    "Labels",
    "is_aggregated",
    "labels_of_tags",
    "merge_labels",
    "read_labels",
    "slice_name",
    "slices_of",
]

Labels: TypeAlias = dict[str, tuple[str, ...]]
"""Name of a label -> its values, at least one, in the order given."""

_ONCE_TAGS: Final = ("base", "category", "family", "id", "language", "readability")
"""Labels that suites and runs of schema 2 or less wrote as tags ``name:value``."""
_OF_ONE_PROMPT: Final = ("id", "base")
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_LONGEST = 80


def read_labels(given: object) -> Labels:
    """Read labels as written in a file: name -> text, or a list of texts.

    Raises:
        ValueError: it is not such a mapping; the message names the label.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise ValueError("labels should be a mapping such as {category: vcr}")
    labels: Labels = {}
    for name, value in cast("Mapping[object, object]", given).items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ValueError(f"the label {name!r} should be named in lower case, such as 'category'")
        values = value if isinstance(value, list | tuple) else (value,)
        for one in cast("Sequence[object]", values):
            if not isinstance(one, str) or not 0 < len(one.strip()) <= _LONGEST:
                raise ValueError(
                    f"the label {name!r} has the value {one!r}, which is not a text of 1 to {_LONGEST} "
                    "characters; put quotes around numbers and words such as 'no'"
                )
        if not values:
            raise ValueError(f"the label {name!r} has no value; leave it out")
        labels[name] = tuple(dict.fromkeys(well_formed(one) for one in cast("Sequence[str]", values)))
    return labels


def merge_labels(*several: Mapping[str, Sequence[str]]) -> Labels:
    """Join labels; the values of one name keep their order, without duplicates."""
    joined: dict[str, dict[str, None]] = {}
    for labels in several:
        for name, values in labels.items():
            joined.setdefault(name, {}).update(dict.fromkeys(values))
    return {name: tuple(values) for name, values in joined.items()}


def labels_of_tags(tags: Sequence[Any]) -> tuple[tuple[str, ...], Labels]:
    """Read tags such as ``category:vcr``, from suites and runs of older schemas, as labels.

    A tag that is not text stays among the tags; the reader of the file refuses it.

    Returns:
        the tags that are plain words, and the labels that were found in the others.
    """
    words: list[str] = []
    labels: dict[str, list[str]] = {}
    for tag in tags:
        name, colon, value = tag.partition(":") if isinstance(tag, str) else ("", "", "")
        if colon and value.strip() and name in _ONCE_TAGS:
            labels.setdefault(name, []).append(value)
        else:
            words.append(tag)
    return tuple(words), {name: tuple(values) for name, values in labels.items()}


def slice_name(label: str, value: str) -> str:
    """Write the slice of one value of a label: ``category:vcr``."""
    return f"{label}:{value}"


def slices_of(tags: Sequence[str], labels: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """List the slices that an item with these tags and labels belongs to, tags first."""
    return (*tags, *(slice_name(name, value) for name, values in labels.items() for value in values))


def is_aggregated(name: str) -> bool:
    """Check whether a slice gets its own aggregates: all do, except those that name single prompts."""
    label, colon, _ = name.partition(":")
    return not (colon and label in _OF_ONE_PROMPT)
