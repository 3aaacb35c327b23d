"""Prompt classifiers by configuration: one YAML or JSON file a classifier, packaged or your own.

A file has a name and one section that says what kind it is: ``transformers`` (a sequence classifier),
``entities`` (a token classifier), ``guard`` (a generative guard model), ``moderation`` (an endpoint),
``keywords`` (a list of words), ``names`` (a gazetteer) or ``ensemble`` (several as one). Folders and files
that it names are looked for beside it first.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pydantic import Field, model_validator

from ...harness.core.config import Config, load_yaml
from .classifier import PACKAGED
from .ensemble import EnsembleConfig
from .entities import EntitiesConfig
from .guard_model import GuardConfig
from .hf_classifier import TransformersConfig
from .keywords import KeywordsConfig
from .moderation_endpoint import ModerationConfig
from .names import NamesConfig

__all__ = ["ClassifierFile", "find_spec", "names", "read_spec"]


class ClassifierFile(Config):
    """A classifier: its name, what it is for, and one of the seven kinds."""

    name: str = Field(min_length=1)
    version: int = Field(1, ge=1)
    summary: str = ""
    transformers: TransformersConfig | None = None
    entities: EntitiesConfig | None = None
    guard: GuardConfig | None = None
    moderation: ModerationConfig | None = None
    keywords: KeywordsConfig | None = None
    names: NamesConfig | None = None
    ensemble: EnsembleConfig | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> ClassifierFile:
        kinds = (self.transformers, self.entities, self.guard, self.moderation, self.keywords, self.names)
        if sum(part is not None for part in (*kinds, self.ensemble)) != 1:
            raise ValueError(
                "give one of the sections transformers, entities, guard, moderation, keywords, names and "
                "ensemble"
            )
        return self


def read_spec(file: Path) -> ClassifierFile:
    """Read a configuration file, with the paths in it made good.

    Raises:
        UsageError: no such file, or a key or value that is wrong.
    """
    spec = load_yaml(ClassifierFile, file.stem, {file.stem: file}, kind="classifier")
    return spec.model_copy(
        update={
            "transformers": _beside(spec.transformers, lambda part: {"model": _path(file, part.model)}),
            "entities": _beside(spec.entities, lambda part: {"model": _path(file, part.model)}),
            "names": _beside(spec.names, lambda part: {"gazetteer": file.parent / part.gazetteer}),
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


FOLDER = Path(__file__).parent.parent / "data" / "classifiers"


_SUFFIXES = (".yaml", ".yml", ".json")


RULES = ("any", "mean")
NAMES = "names"


def names() -> tuple[str, ...]:
    """Name every classifier that needs no file of the user."""
    return (*PACKAGED, NAMES, *RULES, *(path.stem for path in sorted(FOLDER.glob("*.yaml"))))


def find_spec(name: str) -> Path | None:
    """Find the file that a name means: the packaged one, or the file itself; None for other names."""
    packaged = FOLDER / f"{name}.yaml"
    if "/" not in name and packaged.is_file():
        return packaged
    return Path(name) if name.endswith(_SUFFIXES) else None
