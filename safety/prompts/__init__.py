"""Prompt classifiers: a common interface, classifiers trained here, and adapters for third-party ones."""

from .classifier import (
    CONFIG,
    PACKAGED,
    TENSORS,
    WEIGHTS,
    WINDOW,
    Backbone,
    Judged,
    Match,
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
    "Match",
    "PromptClassifier",
    "TrainedClassifier",
    "TrainedConfig",
    "load_classifier",
    "windows",
]
