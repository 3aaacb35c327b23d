"""Any image or video classifier of transformers as a detector: the probability of the label for generated."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ...harness.core.arrays import Floats
from ...harness.core.errors import UsageError, unknown_name
from ...metrics.encoders.base import EncoderOptions
from ...metrics.encoders.preprocess import PREPROCESSING_VERSION, Preprocessor
from ...metrics.encoders.weights import WeightsFolder, find_weights, load_model, torch_device
from .extractor import Extractor
from .preparation import PreparedClip

if TYPE_CHECKING:
    from ...harness.core.keys import Json

__all__ = ["ClassifierExtractor"]

_VERSION: Final = 1
_LEAST: Final = 1e-6


class ClassifierExtractor(Extractor):
    """Read off a classifier the log odds of one label: the mean over frames, or of the whole clip.

    A video classifier gets ``num_frames`` frames, evenly spaced over the prepared clip; it is told from an
    image classifier by the architecture that its configuration names.

    Args:
        source: a folder or hub id, safetensors only.
        label: as ``id2label`` of the configuration has it: the one that means generated.
        options: device and dtype.

    Raises:
        UsageError: it is no such classifier, or has no such label.
        MissingWeightsError: the weights are not on this machine.
    """

    kind = "classifier"
    columns = ("log_odds",)
    falling = False

    def __init__(self, source: str, label: str, options: EncoderOptions) -> None:
        self._options = options
        self._weights: WeightsFolder = find_weights("classifier", source, kind="detector")
        config = self._weights.config()
        architecture = str((config.get("architectures") or [""])[0])
        self._video = architecture.endswith("ForVideoClassification")
        if not self._video and not architecture.endswith("ForImageClassification"):
            raise UsageError(
                f"{source!r} is {architecture or 'a model without a named architecture'}, and a detector "
                "of the kind 'classifier' reads models for image or video classification"
            )
        labels: Mapping[str, Any] = config.get("id2label") or {}
        known = {str(name): int(number) for number, name in labels.items()}
        if label not in known:
            raise unknown_name(f"label of {source}", label, known)
        self._label, self._at = label, known[label]
        self._frames = int(config.get("num_frames", 16))

    def identity(self) -> Mapping[str, Json]:
        """List the versions, the digest of the weights, the label and the dtype."""
        return {
            "version": _VERSION,
            "preprocessing": PREPROCESSING_VERSION,
            "weights": self._weights.digest,
            "label": self._label,
            "dtype": self._options.dtype,
        }

    @cached_property
    def _model(self) -> Any:
        from transformers import AutoModelForImageClassification, AutoModelForVideoClassification

        wanted: Any = AutoModelForVideoClassification if self._video else AutoModelForImageClassification
        return load_model(self._weights, wanted, self._options)

    @cached_property
    def _preprocess(self) -> Preprocessor:
        return Preprocessor.of(self._weights)

    def extract(self, clip: PreparedClip) -> Floats:
        """Compute the log odds of the label, (1,)."""
        import torch

        frames = clip.frames_THWC
        if self._video:
            frames = frames[np.linspace(0, len(frames) - 1, self._frames).round().astype(int)]
        with torch.inference_mode():
            x_TCHW = self._preprocess(frames, torch_device(self._options)).to(self._model.dtype)
            logits = self._model(pixel_values=x_TCHW[None] if self._video else x_TCHW).logits.double()
            if logits.shape[-1] == 1:  # one label alone: its logit is the log odds
                return np.array([float(logits.mean())])
            p = torch.softmax(logits, dim=-1)[:, self._at].clamp(_LEAST, 1 - _LEAST)
            return np.array([float((p / (1 - p)).log().mean())])
