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
    windows,
)
from .loading import load_classifier

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
