"""Prompt classifiers: one interface, those trained here, and adapters of other people's."""

from .classifier import (
    CONFIG,
    PACKAGED,
    TENSORS,
    WEIGHTS,
    WINDOW,
    Backbone,
    Judged,
    PromptClassifier,
    TrainedClassifier,
    TrainedConfig,
    load_classifier,
    windows,
)

__all__ = [
    "CONFIG",
    "PACKAGED",
    "TENSORS",
    "WEIGHTS",
    "WINDOW",
    "Backbone",
    "Judged",
    "PromptClassifier",
    "TrainedClassifier",
    "TrainedConfig",
    "load_classifier",
    "windows",
]
