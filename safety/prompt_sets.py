"""Users' copies of public prompt sets, by kind, as labelled prompts and as suites.

A set is written ``KIND=FILE``, such as ``xstest=data/xstest.csv``; `KINDS` lists the kinds. A set knows the
digest and licence of its file, which are recorded with its prompts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from ..harness.core.config import explain
from ..harness.core.errors import UsageError, unknown_name
from ..harness.core.specs import parse_pair
from . import generator_prompts, sources
from .sources import UNKNOWN_LICENCE, ColumnMap, PromptRecord, PromptSource

__all__ = ["KINDS", "Labelled", "labelled_prompts", "open_set", "split_set"]

_LANGUAGES = ("language", "lang", "locale")
"""Names of the column with the language of a row."""


@dataclass(frozen=True)
class Labelled:
    """A prompt that is labelled harmful or harmless.

    Attributes:
        id: of the prompt in its set, or the label ``id`` of a suite.
        harmful: whether it asks for anything in the taxonomy.
        categories: what it asks for; for a harmless prompt, the categories that it resembles, if known.
        language: as its set writes it; None if not known.
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
        raise unknown_name(f"column of {path}, a prompt per line,", wrong, known)
    return sources.prompt_lines(
        path, columns.get("scheme"), columns.get("label"), columns.get("licence", UNKNOWN_LICENCE)
    )


def _fixed(read: Callable[[Path], PromptSource]) -> Callable[[Path, Mapping[str, str]], PromptSource]:
    def opened(path: Path, columns: Mapping[str, str]) -> PromptSource:
        if columns:
            raise UsageError(
                f"{path} has fixed columns; give a map of columns only with the kinds csv and lines"
            )
        return read(path)

    return opened


KINDS: Mapping[str, Callable[[Path, Mapping[str, str]], PromptSource]] = {
    "ailuminate": _fixed(sources.ailuminate),
    "coco": _fixed(generator_prompts.coco_captions),
    "hatecheck": _fixed(sources.hatecheck),
    "i2p": _fixed(generator_prompts.i2p),
    "nibbler": _fixed(generator_prompts.nibbler),
    "nibbler-explicit": _fixed(generator_prompts.nibbler_explicit),
    "openai-samples": _fixed(sources.openai_samples),
    "t2vsafetybench": _fixed(sources.t2vsafetybench),
    "xstest": _fixed(sources.xstest),
    "csv": _csv,
    "lines": _lines,
}
"""Kind -> function that opens a file with a map of columns; only ``csv`` and ``lines`` use the map."""


def split_set(word: str) -> tuple[str, Path] | None:
    """Split ``KIND=FILE``; None without an equals sign.

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
    """Open a file as a set of this kind; it is read when its prompts are iterated.

    Raises:
        UsageError: there is no such kind, or it takes no such columns.
    """
    if kind not in KINDS:
        raise unknown_name("kind of prompt set", kind, KINDS)
    return KINDS[kind](file, columns or {})


def labelled_prompts(source: PromptSource) -> tuple[list[Labelled], int]:
    """List the prompts of a set that are labelled harmful or harmless, and count the others."""
    known: list[Labelled] = []
    unknown = 0
    for record in source:  # one at a time: a row has many columns, and a set may have a million
        if record.unsafe is None:
            unknown += 1
        else:
            known.append(_labelled(record, record.unsafe))
    return known, unknown


def _labelled(record: PromptRecord, harmful: bool) -> Labelled:
    categories = tuple(category for category, holds in record.categories.items() if holds)
    language = next((record.labels[name] for name in _LANGUAGES if record.labels.get(name)), None)
    return Labelled(record.id, record.text, harmful, categories, language)
