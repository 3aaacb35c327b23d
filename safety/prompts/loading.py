"""Load prompt classifiers by name: packaged ones, trained folders, files, and ensembles."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from numpy.typing import NDArray
from pydantic import ValidationError

from ...harness.core.config import explain
from ...harness.core.errors import MissingWeightsError, UsageError, unknown_name
from ...harness.core.keys import file_sha256
from ...metrics.encoders.base import EncoderOptions
from .classifier import (
    CONFIG,
    PACKAGED,
    TENSORS,
    WEIGHTS,
    Backbone,
    PromptClassifier,
    TrainedClassifier,
    TrainedConfig,
)
from .ensemble import EnsembleClassifier
from .entities import EntitiesClassifier, EntitiesConfig
from .guard_model import GuardClassifier
from .hf_classifier import TransformersClassifier
from .keywords import KeywordClassifier
from .moderation_endpoint import ModerationEndpoint
from .names import NamesClassifier
from .specs import FOLDER, NAMES, RULES, find_spec, names, read_spec

__all__ = ["Loading", "listed_classifiers", "load_classifier", "load_rule", "load_spec"]

_ENTITIES = "entities:"
_DEPTH = 4
"""Largest depth of nested ensembles; a file that names itself stops here."""


@dataclass(frozen=True)
class Loading:
    """How to load a classifier: see `prompts.load_classifier`; ``depth`` counts nested ensembles."""

    canonical: bool = True
    encoder: str | None = None
    options: EncoderOptions | None = None
    depth: int = 0


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
    if spec.entities is not None:
        return EntitiesClassifier(spec.name, spec.entities, canonical=canonical, options=options)
    if spec.guard is not None:
        return GuardClassifier(spec.name, spec.guard, canonical=canonical, options=options)
    if spec.moderation is not None:
        return ModerationEndpoint(spec.name, spec.moderation, canonical=canonical)
    if spec.keywords is not None:
        return KeywordClassifier(spec.name, spec.keywords, canonical=canonical)
    if spec.names is not None:
        return NamesClassifier(spec.name, spec.names, canonical=canonical)
    assert spec.ensemble is not None
    if loading.depth >= _DEPTH:
        raise UsageError(f"{file}: ensembles are nested more than {_DEPTH} deep; does one name itself?")
    members = [_member(name, loading) for name in spec.ensemble.members]
    return EnsembleClassifier(members, spec.ensemble.rule, name=spec.name, stack=spec.ensemble.stack)


def load_rule(rule: Literal["any", "mean"], loading: Loading) -> PromptClassifier:
    """Load the packaged classifiers as one ensemble."""
    return EnsembleClassifier([_member(name, loading) for name in PACKAGED], rule)


def _member(name: str, loading: Loading) -> PromptClassifier:
    if (file := find_spec(name)) is not None:
        deeper = Loading(loading.canonical, loading.encoder, loading.options, loading.depth + 1)
        return load_spec(file, deeper)
    return load_classifier(
        name, canonical=loading.canonical, encoder=loading.encoder, options=loading.options
    )


def listed_classifiers() -> list[tuple[str, str]]:
    """List the classifiers by name, with what they are."""
    rows = [("ngram", "n-grams; in the package"), ("minilm", "a head on MiniLM (extra 'encoders')")]
    rows += [(rule, f"{rule} of ngram and minilm") for rule in RULES]
    rows += [
        (NAMES, "persons, politics, brands and works by name; in the package"),
        (f"{_ENTITIES}MODEL", "persons and organisations by an entity model of transformers"),
    ]
    return rows + [(path.stem, read_spec(path).summary) for path in sorted(FOLDER.glob("*.yaml"))]


def load_classifier(
    name: str,
    *,
    canonical: bool = True,
    encoder: str | None = None,
    options: EncoderOptions | None = None,
) -> PromptClassifier:
    """Load a classifier by name, from a folder of training, or from a YAML or JSON file.

    Args:
        name: ``ngram``, ``minilm``, ``any`` or ``mean`` of both; ``names``; ``entities:MODEL`` with a hub id
            or a folder; a packaged configuration such as ``llama-guard-3``; the folder of a trained one; or a
            file that `specs` reads.
        canonical: undo disguises (look-alike letters, spacing, encodings) before a prompt is read.
        encoder: folder or hub id of MiniLM; by default the package of the extra ``encoders``, or the hub.
        options: device and dtype of classifiers that are transformers models.

    Raises:
        MissingWeightsError: weights are not on this machine; the sentence says what to do.
        UsageError: an unknown name, or a folder or file that holds something else.
    """
    loading = Loading(canonical=canonical, encoder=encoder, options=options)
    if name in PACKAGED:
        return _load_folder(WEIGHTS / name, canonical, encoder)
    if name == "any" or name == "mean":
        return load_rule(name, loading)
    if name == NAMES:
        return NamesClassifier(NAMES, canonical=canonical)
    if name.startswith(_ENTITIES):
        if not (model := name.removeprefix(_ENTITIES)):
            raise UsageError(f"{name!r} names no model; write {_ENTITIES}MODEL with a hub id or a folder")
        config = EntitiesConfig.model_validate({"model": model})
        return EntitiesClassifier(name, config, canonical=canonical, options=options)
    if (file := find_spec(name)) is not None:
        return load_spec(file, loading)
    if not Path(name).is_dir():
        raise unknown_name("prompt classifier", name, names())
    return _load_folder(Path(name), canonical, encoder)


def _load_folder(folder: Path, canonical: bool, encoder: str | None) -> TrainedClassifier:
    config_file, tensors_file = folder / CONFIG, folder / TENSORS
    if not config_file.is_file() or not tensors_file.is_file():
        raise MissingWeightsError(
            f"no prompt classifier is at {folder} ({CONFIG} and {TENSORS}); "
            "train one with `screentest train prompt-filter --data FOLDER --out FOLDER`"
        )
    try:
        config = TrainedConfig.model_validate_json(config_file.read_text("utf-8"))
    except ValidationError as error:
        raise UsageError(f"{config_file}: {explain(error, TrainedConfig)}") from None
    if file_sha256(tensors_file) != config.tensors_sha256:
        raise UsageError(f"{tensors_file} is not the file that {config_file} was written for")
    return TrainedClassifier(config, _backbone(config, tensors_file, encoder), canonical=canonical)


def _backbone(config: TrainedConfig, file: Path, encoder: str | None) -> Backbone:
    from safetensors.numpy import load_file

    tensors: dict[str, NDArray[Any]] = load_file(file)
    if config.kind == "ngram":
        from . import ngram

        _check_version(file, config.feature_version, ngram.VERSION)
        return ngram.NgramModel.from_tensors(tensors, file)
    from . import minilm

    _check_version(file, config.feature_version, minilm.VERSION)
    return minilm.MiniLMModel.from_tensors(tensors, file, minilm.find_encoder(encoder))


def _check_version(file: Path, found: int, expected: int) -> None:
    if found != expected:
        raise UsageError(
            f"{file} was trained on features of version {found}, not {expected} as here; train it again"
        )
