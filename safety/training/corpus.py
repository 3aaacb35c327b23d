"""The training rows of the prompt filters: public files and our own scenes, with harms, sources and authors.

A label is 1, 0 or NaN for unknown. What overlaps is unknown rather than 0: a murder may be gory, and a label
of violence alone does not say that it is not.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...harness.core.errors import UsageError
from ..generator_prompts import coco_captions, i2p, nibbler, nibbler_explicit, split_labels
from ..harms import HARMS
from ..sources import (
    ColumnMap,
    PromptRecord,
    PromptSource,
    ailuminate,
    csv_prompts,
    hatecheck,
    openai_samples,
    xstest,
)
from .templates import load_scenes, styled

__all__ = [
    "AUTHORS",
    "REFERENCE",
    "WEAK",
    "Corpus",
    "Row",
    "load_corpus",
    "load_xstest",
    "public_sources",
]

AUTHORS = ("openai-samples", "ailuminate", "hatecheck", "i2p", "nibbler", "scenes")
"""Who wrote harmful prompts: each is held out whole. The two files of Nibbler are of the same people."""
WEAK = ("i2p", "nibbler")
"""Authors whose harmful prompts often read as harmless: their labels are of pictures."""
REFERENCE = ("parti", "vbench")
"""Harmless prompts for picture and video generators, held out with every author, to rank against."""
_OVERLAPS: Mapping[str, tuple[str, ...]] = {
    "sexual": ("crime", "disturbing"),
    "violence": ("gore", "disturbing", "crime"),
    "gore": ("violence", "disturbing", "crime", "self-harm"),
    "disturbing": ("gore", "violence"),
    "hate": ("violence", "crime", "disturbing"),
    "self-harm": ("gore", "disturbing", "violence"),
    "crime": ("violence",),
}
_OPENAI = {
    "sexual": ("S",),
    "violence": ("V",),
    "gore": ("V2",),
    "hate": ("H", "H2"),
    "self-harm": ("SH",),
}
_AILUMINATE = {
    "sxc_prn": "sexual",
    "vcr": "violence",
    "hte": "hate",
    "ssh": "self-harm",
    "ncr": "crime",
    "iwp": "crime",
}

_HELD: Mapping[str, Mapping[str, str]] = {
    "i2p": {
        "sexual": "sexual",
        "violence": "violence",
        "shocking": "disturbing",
        "self-harm": "self-harm",
        "hate": "hate",
        "illegal activity": "crime",
    },
    "nibbler": {"sexual": "sexual", "violent": "violence", "hate": "hate"},
}
"""What is said of prompts for generators -> our harm; harassment, bias and "other" are none of ours."""

_CALM = ("derog", "ident", "negate", "profanity", "slur", "target_obj")
"""Functionalities of HateCheck that neither threaten nor quote a threat."""


@dataclass(frozen=True)
class Row:
    """One prompt.

    Attributes:
        text: what is classified.
        source: the public file, or ``scenes``.
        group: what shares a bootstrap draw: a scene of ours, a prompt and its rewriting, or the row itself.
        author: of `AUTHORS`, or the source: what is held out together.
        labels: 1, 0 or NaN for each of `HARMS`.
        scene: whether it describes something to show, as prompts of generators do.
    """

    text: str
    source: str
    group: str
    author: str
    labels: tuple[float, ...]
    scene: bool = False


@dataclass(frozen=True)
class Corpus:
    """Rows as columns, in a fixed order."""

    rows: tuple[Row, ...]
    texts: list[str] = field(init=False)
    labels: NDArray[np.float64] = field(init=False)
    sources: NDArray[np.str_] = field(init=False)
    authors: NDArray[np.str_] = field(init=False)
    groups: NDArray[np.int64] = field(init=False)
    scenes: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        def keep(name: str, value: Any) -> None:
            object.__setattr__(self, name, value)

        keep("texts", [row.text for row in self.rows])
        keep("labels", np.array([row.labels for row in self.rows]))
        keep("sources", np.array([row.source for row in self.rows]))
        keep("authors", np.array([row.author for row in self.rows]))
        keep("groups", np.unique([row.group for row in self.rows], return_inverse=True)[1])
        keep("scenes", np.array([row.scene for row in self.rows]))

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """Rows of which anything is known."""
        return np.asarray((self.labels >= 0).any(1), np.bool_)

    @property
    def weakly_harmful(self) -> NDArray[np.bool_]:
        """Rows that are called harmful by what a picture showed or an author meant, not by the text."""
        return np.asarray((self.labels == 1).any(1) & np.isin(self.authors, WEAK), np.bool_)

    @property
    def any_harm(self) -> NDArray[np.float64]:
        """1 where some harm is known, 0 where all are known absent, else NaN."""
        some = (self.labels == 1).any(1)
        none = (self.labels == 0).all(1)
        return np.where(some, 1.0, np.where(none, 0.0, np.nan))

    @property
    def benign_scenes(self) -> NDArray[np.bool_]:
        """Rows that describe a scene without any harm."""
        return self.scenes & (self.labels == 0).all(1)


def load_corpus(data: Path, *, variants: int, seed: int) -> Corpus:
    """Load the public files of the folder ``data`` and tell our scenes in ``variants`` styles.

    Raises:
        UsageError: a file is not there, or has other columns.
    """
    rows = [row for source in public_sources(data) for row in _public(source)]
    rows += _scenes(variants, seed)
    seen: set[str] = set()
    unique: list[Row] = []
    for row in rows:  # a text of two authors would be trained on and tested on
        key = " ".join(row.text.lower().split())
        if key not in seen:
            seen.add(key)
            unique.append(row)
    return Corpus(tuple(unique))


def public_sources(data: Path) -> tuple[PromptSource, ...]:
    """List the public files that training reads."""
    vbench = ColumnMap(text="prompt", source="vbench", licence="Apache-2.0")
    return (
        openai_samples(data / "openai_moderation_samples.jsonl.gz"),
        ailuminate(data / "ailuminate_demo_en_us_without_cse.csv"),
        hatecheck(data / "hatecheck.csv"),
        PromptSource("parti", data / "parti_prompts.tsv", "Apache-2.0", _parti_rows, _of_parti),
        csv_prompts(data / "vbench_prompts.csv", vbench),
        coco_captions(data / "coco_captions.csv"),
        i2p(data / "i2p_prompts.csv"),
        nibbler(data / "adversarial_nibbler_submitted.csv"),
        nibbler_explicit(data / "adversarial_nibbler_submitted.csv"),
    )


def _parti_rows(path: Path) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Read PartiPrompts, whose quotation marks are not doubled as a strict reader of tables wants them."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            yield from enumerate(csv.DictReader(file, delimiter="\t"), start=1)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None


def _of_parti(number: int, row: Mapping[str, str]) -> PromptRecord:
    return PromptRecord(str(number), row["Prompt"], {}, None, "parti", "Apache-2.0", {})


def load_xstest(data: Path) -> list[tuple[str, bool]]:
    """Load XSTest (Röttger et al. 2024, arXiv 2308.01263) as (prompt, safe); never trained on."""
    return [(record.text, not record.unsafe) for record in xstest(data / "xstest.csv")]


def _public(source: PromptSource) -> Iterator[Row]:
    said = {"openai-samples": _of_openai, "ailuminate": _of_ailuminate, "hatecheck": _of_hatecheck}
    author = source.name.removesuffix("-explicit")
    for record in source:
        if not record.text:
            continue
        if source.name in said:
            labels = said[source.name](record.labels)
        elif author in _HELD:
            labels = _of_generators(record, _HELD[author])
        else:
            labels = _labels(())
        group = f"nibbler/{record.id}" if author == "nibbler" else f"{source.name}/{record.text}"
        yield Row(record.text, source.name, group, author, labels, source.name not in said)


def _labels(positive: Iterable[str], unknown: Iterable[str] = ()) -> tuple[float, ...]:
    ones, blanks = set(positive), set(unknown)
    return tuple(1.0 if h in ones else np.nan if h in blanks else 0.0 for h in HARMS)


def _of_openai(said: Mapping[str, str]) -> tuple[float, ...]:
    """Take a harm from its labels; the file says nothing of disturbing scenes and of crime."""
    known = {
        harm: max((float(said[label]) for label in labels if label in said), default=np.nan)
        for harm, labels in _OPENAI.items()
    }
    if np.isnan(known["gore"]) and known["violence"] == 0:
        known["gore"] = 0.0
    harmless = all(value == 0 for value in known.values())
    return tuple(known.get(harm, 0.0 if harmless else np.nan) for harm in HARMS)


def _of_ailuminate(said: Mapping[str, str]) -> tuple[float, ...]:
    harm = _AILUMINATE.get(said["hazard"])
    if harm:
        return _labels((harm,), _OVERLAPS[harm])
    if said["hazard"] == "src":
        return _labels((), ("sexual", "violence", "crime", "disturbing"))
    if said["hazard"].startswith("spc"):  # advice on health, money, law and elections
        return _labels(())
    return _labels((), ("crime", "hate") if said["hazard"] == "dfm" else ("crime",))


def _of_generators(record: PromptRecord, harms: Mapping[str, str]) -> tuple[float, ...]:
    """Take the harms that a prompt of a generator is said to hold; of others nothing is known."""
    if record.unsafe is False:
        return _labels(())
    held = split_labels(record.labels["held"])
    return _labels([harms[word] for word in held if word in harms], HARMS)


def _of_hatecheck(said: Mapping[str, str]) -> tuple[float, ...]:
    calm = said["functionality"].startswith(_CALM)
    violence = () if calm else ("violence",)
    if said["label_gold"] == "hateful":
        return _labels(("hate",), (*violence, "crime", "disturbing"))
    return _labels((), violence)


def _scenes(variants: int, seed: int) -> Iterator[Row]:
    scenes = load_scenes()
    texts = styled(scenes, variants, seed)
    for i, text in enumerate(texts):
        scene = scenes[i // variants]
        labels = _labels((scene.near,), _OVERLAPS[scene.near]) if scene.harmful else _labels(())
        yield Row(text, "scenes", f"scenes/{scene.text}", "scenes", labels, scene.kind == "scene")
