"""Suites: versioned lists of prompts, with seeds, clip settings and measures."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, cast

from pydantic import Field, ValidationError, model_validator

from ...safety.bias.settings import BiasSettings
from ..core.config import Config, explain, load_yaml, packaged
from ..core.errors import UsageError
from ..core.items import EDIT_STRENGTH, ClipSettings, Prompt
from .purpose import Purpose
from .templates import Template, expanded

__all__ = [
    "Disguised",
    "PromptSet",
    "ReferenceSet",
    "Suite",
    "measures_named",
    "packaged_suites",
    "read_suite",
]


DEFAULT_SET = "default"
"""Name of the set that ``reference_set`` gives."""
MAX_ITEMS = 1_000_000
"""Prompts times seeds of one suite."""


class ReferenceSet(Config):
    """Real clips to compare generated clips with: of a world, a folder of videos, or a training set."""

    world: str | None = Field(default=None, description="name of a world whose clips are rendered: reference")
    folder: str | None = Field(default=None, description="path of a folder of real videos")
    training_set: Literal["base", "safe"] | None = Field(
        default=None, description="checkpoint of the reference generator whose training clips are rendered"
    )
    held_out: bool = Field(
        default=False, description="of a training_set: clips drawn like it that nothing was trained on"
    )
    clips: int = Field(
        default=512, ge=2, description="number of clips that are rendered; of a folder, all are used"
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(source is not None for source in (self.world, self.folder, self.training_set)) != 1:
            raise ValueError("give a reference_set one of 'world', 'folder' and 'training_set'")
        if self.held_out and self.training_set is None:
            raise ValueError("'held_out' is for a 'training_set'")
        return self


class Disguised(Config):
    """The prompts of another suite, in disguise; see 'screentest transform --list' for the families."""

    suite: str = Field(min_length=1, description="name or YAML file of the suite")
    families: tuple[str, ...] = Field(("all",), min_length=1, description="families of disguises")
    seed: int = Field(0, description="seed of what is drawn at random in a disguise")
    strength: float = Field(1.0, gt=0, le=1, description="share of each prompt that is changed")


class PromptSet(Config):
    """The prompts of your copy of a public set; its path is relative to the working directory."""

    kind: str = Field(
        description="ailuminate, coco, hatecheck, i2p, nibbler, nibbler-explicit, openai-samples, "
        "t2vsafetybench, xstest, csv, lines"
    )
    file: str = Field(min_length=1, description="path of your copy, which may be gzipped (.gz)")
    columns: dict[str, str] = Field(
        default_factory=dict, description="of csv: text, id, label, scheme; of lines: label, scheme"
    )


class Suite(Config):
    """A versioned list of prompts, and the measures to compute on their clips."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=60, description="name in runs, pages and MLflow"
    )
    version: int = Field(ge=1, description="raise it when the prompts or settings change")
    description: str = Field(default="", description="a sentence for lists")
    purpose: Purpose | None = Field(
        default=None, description="what the suite is for, and what of it is measured by what"
    )
    seeds: int = Field(default=1, ge=1, le=10_000, description="clips per prompt")
    clip: ClipSettings = Field(default=ClipSettings(), description="size, length and rate of the clips")
    prompts: tuple[Prompt, ...] = Field(default=(), description="texts, or mappings with 'text' and more")
    templates: tuple[Template, ...] = Field(
        default=(), description="prompts with variables; they are written out when the suite is read"
    )
    prompts_from_generator: bool = Field(
        default=False, description="take the items from the generator (a folder of videos)"
    )
    disguised: Disguised | None = Field(
        default=None, description="take the prompts of another suite, in disguise"
    )
    prompt_set: PromptSet | None = Field(default=None, description="take the prompts of a public set")
    measures: tuple[str, ...] = Field(
        min_length=1, description="names of measures; see 'screentest list measures'"
    )
    encoders: dict[str, str] = Field(
        default_factory=dict, description="role -> reference, a hub id, or a path"
    )
    reference_set: ReferenceSet | None = Field(
        default=None, description="real clips that set measures compare with"
    )
    thresholds: str | None = Field(
        default=None, description="path of a thresholds file of the laws; by default the packaged one"
    )
    reference_sets: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")], ReferenceSet] = Field(
        default_factory=dict,
        description="more reference sets by name; reference_set is the one named default",
    )
    bias: BiasSettings | None = Field(
        default=None, description="groups, reference shares and reader's error of the bias audit"
    )
    slices: tuple[str, ...] = Field(
        default=(), description="tags and labels for whose slices set measures are computed, too"
    )

    @model_validator(mode="before")
    @classmethod
    def _templates_written_out(cls, given: Any) -> Any:
        return expanded(cast("Mapping[str, Any]", given)) if isinstance(given, Mapping) else given

    @property
    def references(self) -> dict[str, ReferenceSet]:
        """All reference sets by name; ``reference_set`` is ``default``."""
        return {**({DEFAULT_SET: self.reference_set} if self.reference_set else {}), **self.reference_sets}

    @model_validator(mode="after")
    def _one_default(self) -> Self:
        if self.reference_set is not None and DEFAULT_SET in self.reference_sets:
            raise ValueError("'reference_set' is the same as 'default' in 'reference_sets'; give one of them")
        return self

    @model_validator(mode="after")
    def _expectations_are_read(self) -> Self:
        from ...metrics.expectation import check_expectation

        wrong: list[str] = []
        for number, prompt in enumerate(self.prompts):
            try:
                check_expectation(prompt.expect or {})
            except UsageError as error:
                wrong.append(f"prompts.{number}.{error}")
        if wrong:
            raise ValueError("; ".join(wrong[:20]) + (f"; and {len(wrong) - 20} more" if wrong[20:] else ""))
        return self

    @model_validator(mode="after")
    def _clips_are_possible(self) -> Self:
        for number, prompt in enumerate(self.prompts):
            try:
                self.clip_of(prompt)
            except ValidationError as error:
                raise ValueError(f"prompts.{number}.clip: {explain(error, ClipSettings)}") from None
        return self

    @model_validator(mode="after")
    def _has_prompts(self) -> Self:
        given = (self.prompts, self.prompts_from_generator, self.disguised, self.prompt_set)
        if sum(map(bool, given)) != 1:
            raise ValueError(
                "give one of 'prompts', 'prompts_from_generator: true', 'disguised' and 'prompt_set'"
            )
        texts = [
            (
                *(p.text, p.image, p.video, p.use or "extend", p.video_to, p.strength or EDIT_STRENGTH),
                self.clip_of(p),
            )
            for p in self.prompts
        ]
        twice = next((text for text, count in Counter(texts).items() if count > 1), None)
        if twice is not None:
            raise ValueError(f"the prompt {twice[0]!r} is listed twice; give it more seeds instead")
        if (why := self.too_long()) is not None:
            raise ValueError(f"it {why}")
        return self

    def too_long(self) -> str | None:
        """Say that there are more items than are run; None if there are not."""
        items = sum(prompt.seeds or self.seeds for prompt in self.prompts)
        if items <= MAX_ITEMS:
            return None
        return f"has {items:,} items, prompts times seeds, and {MAX_ITEMS:,} at most are run"

    def clip_of(self, prompt: Prompt) -> ClipSettings:
        """Give the clip settings of a prompt: the suite's, with what the prompt changes of them."""
        return self.clip if prompt.clip is None else prompt.clip.of(self.clip)

    def alike(self) -> list[tuple[str, str]]:
        """List pairs of prompts that differ in case or in Unicode composition alone.

        Tools that name files after prompts write one over the other, on some file systems at least.
        """
        first: dict[str, str] = {}
        pairs: list[tuple[str, str]] = []
        for text in dict.fromkeys(prompt.text for prompt in self.prompts):
            other = first.setdefault(unicodedata.normalize("NFC", text).casefold(), text)
            if other != text:
                pairs.append((other, text))
        return pairs


def packaged_suites() -> dict[str, Path]:
    """Find the suites that ship with the package: name -> file."""
    return packaged("suites")


class _Measures(Config, extra="ignore"):
    """The measures of a suite file, whatever else is in it."""

    measures: tuple[str, ...] = ()


def measures_named(name: str) -> tuple[str, ...]:
    """List the measures that a suite file names, even one with mistakes; none if it cannot be read."""
    try:
        return load_yaml(_Measures, name, packaged_suites(), kind="suite").measures
    except UsageError:
        return ()


def read_suite(name: str) -> Suite:
    """Load one suite file, without the prompts that it takes from other files.

    Raises:
        UsageError: there is no such suite, or a key or value in it is wrong.
    """
    return load_yaml(Suite, name, packaged_suites(), kind="suite")
