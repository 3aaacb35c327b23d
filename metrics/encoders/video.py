"""The ``video`` encoder: one embedding a clip, of what happens in it, by VideoMAE."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .base import Encoder, EncoderOptions, Feature, Stream
from .pretrained import PretrainedEncoder
from .registry import ENCODERS, EncoderEntry
from .weights import load_model, torch_device

if TYPE_CHECKING:
    import torch

    from ...harness.core.keys import Json
    from ...harness.core.media import ClipInfo, Window

__all__ = ["VideoEncoder"]

_CLASSIFIER = "VideoMAEForVideoClassification"


class VideoEncoder(PretrainedEncoder):
    """Embed a clip's first frames with VideoMAE.

    Protocol: the first ``config.num_frames`` frames (16 as a rule) at their native rate, preprocessed by the
    model's own settings; the mean over tokens, through the classifier's ``fc_norm`` where the checkpoint has
    one, as in content-debiased FVD (Ge et al. 2024, section 4). A clip with fewer frames has no feature:
    repeating frames would place it among clips that stand still.

    Args:
        source: ``reference``, a folder or a hub id of a VideoMAE model.
        options: device and dtype.
    """

    name = "video"
    version = 1
    model_types = ("videomae",)

    def __init__(self, source: str, options: EncoderOptions) -> None:
        super().__init__(source, options)
        config = self._weights.config()
        self._fine_tuned = _CLASSIFIER in config.get("architectures", ())
        self.num_frames = int(config.get("num_frames", 16))

    @property
    def fewest_frames(self) -> int:
        """The number of frames that a clip needs to have a feature."""
        return self.num_frames

    @property
    def frames_read(self) -> int:
        """The number of a clip's first frames that make the feature."""
        return self.fewest_frames

    def protocol(self) -> Mapping[str, Json]:
        """List which frames are taken, and how tokens are pooled."""
        return {"protocol": f"first {self.num_frames} frames at native rate, mean of tokens"}

    @cached_property
    def _model(self) -> Any:
        from transformers import VideoMAEForVideoClassification, VideoMAEModel

        if self._fine_tuned:
            return load_model(self._weights, VideoMAEForVideoClassification, self._options)
        return load_model(self._weights, VideoMAEModel, self._options)

    def open(self, info: ClipInfo) -> Stream:
        """Begin a clip: its feature is (1, D), or (0, D) where it has too few frames."""
        del info
        return _FirstFrames(self)

    @property
    def width(self) -> int:
        """Number of columns of the feature."""
        return int(self._weights.config().get("hidden_size", 768))

    def encode(self, frames_THWC: NDArray[np.uint8]) -> Feature:
        """Embed exactly ``num_frames`` frames, uint8 RGB (T, H, W, 3): float32 (1, D)."""
        import torch

        with torch.inference_mode():
            x_TCHW = self._preprocess(frames_THWC, torch_device(self._options))
            backbone = self._model.videomae if self._fine_tuned else self._model
            tokens_BLD: torch.Tensor = backbone(x_TCHW[None].to(self._model.dtype)).last_hidden_state
            pooled_BD = tokens_BLD.mean(dim=1)
            if self._fine_tuned and self._model.fc_norm is not None:
                pooled_BD = self._model.fc_norm(pooled_BD)
            return pooled_BD.float().cpu().numpy()


class _FirstFrames:
    def __init__(self, encoder: VideoEncoder) -> None:
        self._encoder = encoder
        self._frames: list[NDArray[np.uint8]] = []

    def push(self, window: Window) -> None:
        room = self._encoder.num_frames - len(self._frames)
        self._frames.extend(frame_HWC.copy() for frame_HWC in window.frames_THWC[:room])

    def finish(self) -> Feature:
        if len(self._frames) < self._encoder.num_frames:
            return np.empty((0, self._encoder.width), np.float32)
        return self._encoder.encode(np.stack(self._frames))


def _build(source: str | None, options: EncoderOptions) -> Encoder:
    return VideoEncoder(source or "reference", options)


ENCODERS.add("video", EncoderEntry("VideoMAE: one embedding of a clip's first frames", _build, True))
