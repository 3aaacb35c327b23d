"""Users' own copies of public prompt sets, by kind, as labelled prompts and as suites.

A set is written ``KIND=FILE``, such as ``xstest=data/xstest.csv``; `KINDS` lists the kinds. Each knows the
digest and the licence of its file, and both go where its prompts go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from ..harness.core.config import explain
from ..harness.core.errors import UsageError, unknown_name
from ..harness.core.specs import parse_pair
from . import sources
from .sources import UNKNOWN_LICENCE, ColumnMap, PromptRecord, PromptSource

__all__ = ["KINDS", "Labelled", "labelled_prompts", "open_set", "split_set"]

_LANGUAGES = ("language", "lang", "locale")
"""Columns of a set that name the language of a row."""


@dataclass(frozen=True)
class Labelled:
    """A prompt that is known to be harmful or harmless.

    Attributes:
        id: of the prompt in its set, or the label ``id`` of a suite.
        harmful: whether it asks for anything that the taxonomy names.
        categories: what it asks for; of a harmless one, what it is mistaken for, where that is known.
        language: as its set writes it; None where it is not known.
    """

    id: str
    text: str
    harmful: bool
    categories: tuple[str, ...]
    language: str | None = None


def _csv(path: Path, columns: Mapping[str, str]) -> PromptSource:
    try:
        return sources.csv_prompts(path, ColumnMap.model_validate({"text": "prompt", **columns}))
    except ValidationError as error:
        raise UsageError(f"columns of {path}: {explain(error, ColumnMap)}") from None


def _lines(path: Path, columns: Mapping[str, str]) -> PromptSource:
    known = ("scheme", "label", "licence")
    if wrong := next((name for name in columns if name not in known), None):
        raise unknown_name(f"column of {path}, a prompt a line,", wrong, known)
    return sources.prompt_lines(
        path, columns.get("scheme"), columns.get("label"), columns.get("licence", UNKNOWN_LICENCE)
    )


def _fixed(read: Callable[[Path], PromptSource]) -> Callable[[Path, Mapping[str, str]], PromptSource]:
    def opened(path: Path, columns: Mapping[str, str]) -> PromptSource:
        if columns:
            raise UsageError(
                f"{path} has columns of its own; a map of columns is for the kinds csv and lines"
            )
        return read(path)

    return opened


KINDS: Mapping[str, Callable[[Path, Mapping[str, str]], PromptSource]] = {
    "ailuminate": _fixed(sources.ailuminate),
    "hatecheck": _fixed(sources.hatecheck),
    "openai-samples": _fixed(sources.openai_samples),
    "t2vsafetybench": _fixed(sources.t2vsafetybench),
    "xstest": _fixed(sources.xstest),
    "csv": _csv,
    "lines": _lines,
}
"""Kind -> reader of a file with a map of columns, which only ``csv`` (`ColumnMap`) and ``lines`` take."""


def split_set(word: str) -> tuple[str, Path] | None:
    """Split ``KIND=FILE``; None where there is no such sign.

    Raises:
        UsageError: there is no such kind.
    """
    if "=" not in word:
        return None
    kind, file = parse_pair(word, "the source", "KIND=FILE", "xstest=prompts.csv")
    if kind not in KINDS:
        raise unknown_name("kind of prompt set", kind, KINDS)
    return kind, Path(file)


def open_set(kind: str, file: Path, columns: Mapping[str, str] | None = None) -> PromptSource:
    """Open a file as what its kind says; it is read when its prompts are asked for.

    Raises:
        UsageError: there is no such kind, or columns that it does not take.
    """
    if kind not in KINDS:
        raise unknown_name("kind of prompt set", kind, KINDS)
    return KINDS[kind](file, columns or {})


def labelled_prompts(source: PromptSource) -> tuple[list[Labelled], int]:
    """List the prompts of a set that are known to be harmful or harmless, and count the others."""
    found = [(record, record.unsafe) for record in source]
    known = [_labelled(record, unsafe) for record, unsafe in found if unsafe is not None]
    return known, len(found) - len(known)


def _labelled(record: PromptRecord, harmful: bool) -> Labelled:
    categories = tuple(category for category, holds in record.categories.items() if holds)
    language = next((record.labels[name] for name in _LANGUAGES if record.labels.get(name)), None)
    return Labelled(record.id, record.text, harmful, categories, language)
