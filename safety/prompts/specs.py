"""Prompt classifiers by configuration: one YAML or JSON file a classifier, packaged or your own.

A file has a name and one section that says what kind it is: ``transformers`` (a sequence classifier),
``guard`` (a generative guard model), ``moderation`` (an endpoint), ``keywords`` (a list of words) or
``ensemble`` (several as one). Folders and files that it names are looked for beside it first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import Field, model_validator

from ...harness.commands.tables import Table
from ...harness.core.config import Config, load_yaml
from ...harness.core.errors import UsageError
from ...metrics.encoders.base import EncoderOptions
from .classifier import PACKAGED, PromptClassifier, load_classifier
from .ensemble import EnsembleClassifier, EnsembleConfig
from .guard_model import GuardClassifier, GuardConfig
from .hf_classifier import TransformersClassifier, TransformersConfig
from .keywords import KeywordClassifier, KeywordsConfig
from .moderation_endpoint import ModerationConfig, ModerationEndpoint

__all__ = [
    "ClassifierFile",
    "Loading",
    "classifier_table",
    "find_spec",
    "load_rule",
    "load_spec",
    "names",
    "read_spec",
]

_FOLDER = Path(__file__).parent.parent / "data" / "classifiers"
_SUFFIXES = (".yaml", ".yml", ".json")
_RULES = ("any", "mean")
_DEPTH = 4
"""Ensembles of ensembles; a file that names itself ends here."""


class ClassifierFile(Config):
    """A classifier: its name, what it is for, and one of the five kinds."""

    name: str = Field(min_length=1)
    version: int = Field(1, ge=1)
    summary: str = ""
    transformers: TransformersConfig | None = None
    guard: GuardConfig | None = None
    moderation: ModerationConfig | None = None
    keywords: KeywordsConfig | None = None
    ensemble: EnsembleConfig | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> ClassifierFile:
        kinds = (self.transformers, self.guard, self.moderation, self.keywords, self.ensemble)
        if sum(part is not None for part in kinds) != 1:
            raise ValueError(
                "give one of the sections transformers, guard, moderation, keywords and ensemble"
            )
        return self


@dataclass(frozen=True)
class Loading:
    """How to load a classifier: see `prompts.load_classifier`; ``depth`` counts nested ensembles."""

    canonical: bool = True
    encoder: str | None = None
    options: EncoderOptions | None = None
    depth: int = 0


def names() -> tuple[str, ...]:
    """Name every classifier that needs no file of the user."""
    return (*PACKAGED, *_RULES, *(path.stem for path in sorted(_FOLDER.glob("*.yaml"))))


def find_spec(name: str) -> Path | None:
    """Find the file that a name means: the packaged one, or the file itself; None for other names."""
    packaged = _FOLDER / f"{name}.yaml"
    if "/" not in name and packaged.is_file():
        return packaged
    return Path(name) if name.endswith(_SUFFIXES) else None


def read_spec(file: Path) -> ClassifierFile:
    """Read a configuration file, with the paths in it made good.

    Raises:
        UsageError: no such file, or a key or value that is wrong.
    """
    spec = load_yaml(ClassifierFile, file.stem, {file.stem: file}, kind="classifier")
    return spec.model_copy(
        update={
            "transformers": _beside(spec.transformers, lambda part: {"model": _path(file, part.model)}),
            "guard": _beside(spec.guard, lambda part: {"model": _path(file, part.model)}),
            "ensemble": _beside(
                spec.ensemble, lambda part: {"members": tuple(_path(file, name) for name in part.members)}
            ),
        }
    )


T = TypeVar("T", bound=Config)


def _beside(part: T | None, changes: Callable[[T], dict[str, object]]) -> T | None:
    return None if part is None else part.model_copy(update=changes(part))


def _path(file: Path, name: str) -> str:
    beside = file.parent / name
    return str(beside) if name not in names() and beside.exists() else name


def load_spec(file: Path, loading: Loading) -> PromptClassifier:
    """Load the classifier that a file describes.

    Raises:
        MissingWeightsError: weights are not on this machine.
        UsageError: the file is wrong, or ensembles are nested without end.
    """
    spec = read_spec(file)
    canonical, options = loading.canonical, loading.options
    if spec.transformers is not None:
        return TransformersClassifier(spec.name, spec.transformers, canonical=canonical, options=options)
    if spec.guard is not None:
        return GuardClassifier(spec.name, spec.guard, canonical=canonical, options=options)
    if spec.moderation is not None:
        return ModerationEndpoint(spec.name, spec.moderation, canonical=canonical)
    if spec.keywords is not None:
        return KeywordClassifier(spec.name, spec.keywords, canonical=canonical)
    assert spec.ensemble is not None
    if loading.depth >= _DEPTH:
        raise UsageError(f"{file}: ensembles are nested more than {_DEPTH} deep; does one name itself?")
    members = [_member(name, loading) for name in spec.ensemble.members]
    return EnsembleClassifier(members, spec.ensemble.rule, name=spec.name, stack=spec.ensemble.stack)


def load_rule(rule: Literal["any", "mean"], loading: Loading) -> PromptClassifier:
    """Load the classifiers of the package as one."""
    return EnsembleClassifier([_member(name, loading) for name in PACKAGED], rule)


def _member(name: str, loading: Loading) -> PromptClassifier:
    if (file := find_spec(name)) is not None:
        deeper = Loading(loading.canonical, loading.encoder, loading.options, loading.depth + 1)
        return load_spec(file, deeper)
    return load_classifier(
        name, canonical=loading.canonical, encoder=loading.encoder, options=loading.options
    )


def classifier_table() -> Table:
    """List the classifiers by name, with what they are."""
    rows = [("ngram", "n-grams; in the package"), ("minilm", "a head on MiniLM (extra 'encoders')")]
    rows += [(rule, f"{rule} of ngram and minilm") for rule in _RULES]
    rows += [(path.stem, read_spec(path).summary) for path in sorted(_FOLDER.glob("*.yaml"))]
    return Table("prompt classifiers", ("name", "what"), rows)
