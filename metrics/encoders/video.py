"""The ``video`` encoder: one embedding a clip, of what happens in it, by VideoMAE or V-JEPA 2.

A source may end in the frames that are taken: ``facebook/vjepa2-vitl-fpc64-256?frames=16,stride=2``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ...harness.core.config import Config, checked
from ...harness.core.errors import UsageError
from ...harness.core.specs import parse_argument
from .base import Encoder, EncoderOptions, Feature, Stream
from .pretrained import PretrainedEncoder
from .registry import ENCODERS, EncoderEntry
from .weights import load_model, torch_device

if TYPE_CHECKING:
    import torch

    from ...harness.core.keys import Json
    from ...harness.core.media import ClipInfo, Window

__all__ = ["FirstFrames", "VideoEncoder"]

_CLASSIFIER = "VideoMAEForVideoClassification"


class FirstFrames(Config):
    """Which of a clip's first frames a video model reads."""

    frames: int | None = Field(
        default=None, ge=2, description="how many; as many as the model was trained with where not given"
    )
    stride: int = Field(default=1, ge=1, description="every so many frames, at the clip's own rate")


class VideoEncoder(PretrainedEncoder):
    """Embed a clip's first frames with VideoMAE or V-JEPA 2.

    Protocol: the first frames at their native rate, or every ``stride`` of them, preprocessed by the model's
    own settings; the mean over tokens, for VideoMAE through the classifier's ``fc_norm`` where the checkpoint
    has one, as in content-debiased FVD (Ge et al. 2024, section 4). Their number is what the model was
    trained with (16 for VideoMAE, which reads no other; 64 for most V-JEPA 2 models, which read any multiple
    of their tubelets). A clip with fewer frames has no feature: repeating frames would place it among clips
    that stand still.

    Args:
        source: ``reference``, a folder or a hub id of such a model, and perhaps `FirstFrames`.
        options: device and dtype.

    Raises:
        UsageError: another kind of model, or a number of frames that it cannot read.
        MissingWeightsError: the weights are not on this machine and cannot be downloaded.
    """

    name = "video"
    version = 1
    model_types = ("videomae", "vjepa2")

    def __init__(self, source: str, options: EncoderOptions) -> None:
        spec = parse_argument(source, f"the source {source!r} of the encoder 'video'", path=True)
        choice = checked(FirstFrames, dict(spec.options), spec.whose)
        super().__init__(spec.argument, options)
        config = self._weights.config()
        self._fine_tuned = _CLASSIFIER in config.get("architectures", ())
        trained = int(config.get("num_frames", 16) if self._kind == "videomae" else config["frames_per_clip"])
        self.num_frames = choice.frames or trained
        self.stride = choice.stride
        tubelet = int(config.get("tubelet_size", 2))
        if self._kind == "videomae" and self.num_frames != trained:
            raise UsageError(f"{spec.whose}: this model reads {trained} frames and no other number")
        if self.num_frames % tubelet:
            raise UsageError(f"{spec.whose}: this model reads frames in groups of {tubelet}")

    @property
    def fewest_frames(self) -> int:
        """The number of frames that a clip needs to have a feature."""
        return (self.num_frames - 1) * self.stride + 1

    @property
    def frames_read(self) -> int:
        """The number of a clip's first frames that make the feature."""
        return self.fewest_frames

    def protocol(self) -> Mapping[str, Json]:
        """List which frames are taken, and how tokens are pooled."""
        rate = "native rate" if self.stride == 1 else f"a stride of {self.stride}"
        return {"protocol": f"first {self.num_frames} frames at {rate}, mean of tokens"}

    @cached_property
    def _model(self) -> Any:
        from transformers import VideoMAEForVideoClassification, VideoMAEModel, VJEPA2Model

        if self._kind == "vjepa2":
            return load_model(self._weights, VJEPA2Model, self._options, unused=("predictor.",))
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
            x_BTCHW = self._preprocess(frames_THWC, torch_device(self._options))[None].to(self._model.dtype)
            if self._kind == "vjepa2":
                tokens_BLD: torch.Tensor = self._model.encoder(pixel_values_videos=x_BTCHW).last_hidden_state
                return tokens_BLD.float().mean(dim=1).cpu().numpy()
            backbone = self._model.videomae if self._fine_tuned else self._model
            pooled_BD = backbone(x_BTCHW).last_hidden_state.mean(dim=1)
            if self._fine_tuned and self._model.fc_norm is not None:
                pooled_BD = self._model.fc_norm(pooled_BD)
            return pooled_BD.float().cpu().numpy()


class _FirstFrames:
    def __init__(self, encoder: VideoEncoder) -> None:
        self._encoder = encoder
        self._frames: list[NDArray[np.uint8]] = []

    def push(self, window: Window) -> None:
        first = -window.start % self._encoder.stride
        room = self._encoder.num_frames - len(self._frames)
        taken_THWC = window.frames_THWC[first :: self._encoder.stride][:room]
        self._frames.extend(frame_HWC.copy() for frame_HWC in taken_THWC)

    def finish(self) -> Feature:
        if len(self._frames) < self._encoder.num_frames:
            return np.empty((0, self._encoder.width), np.float32)
        return self._encoder.encode(np.stack(self._frames))


def _build(source: str | None, options: EncoderOptions) -> Encoder:
    return VideoEncoder(source or "reference", options)


ENCODERS.add(
    "video", EncoderEntry("VideoMAE or V-JEPA 2: one embedding of a clip's first frames", _build, True)
)
