"""The encoder ``surprise``: the distance of a clip from V-JEPA 2's prediction of it.

A window slides over a clip. Of its frames the first few are the context; the model predicts the features of
the others, and the surprise of the window is the mean absolute difference (L1) between the predicted features
and those that the encoder gives with all frames in sight (Garrido et al. 2025, "Intuitive physics
understanding emerges from self-supervised pretraining on natural videos", arXiv:2502.11831). The mean over
windows is for comparing two clips of one scene (`pairwise`), the largest window for judging one alone.

As in the training of the model: the context is encoded by itself, since the encoder looks both ways in time
and would carry the future into it (`VJEPA2Model.forward` takes the context out of the encoding of the whole
clip instead); targets are normalised (layer norm without weights), predictions are not; and the mask token is
the first, the only one that models trained at one clip length have learned (`transformers` takes the second).
The library's checkpoints hold one encoder, which stands for the context and the target encoder alike.

The value depends on the model. A clip in which nothing happens has a low surprise, and so has one that breaks
a law which the model has not learned. Compare it within matched pairs, never across scenes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from ...harness.core.config import Config, checked, load_yaml
from ...harness.core.errors import UsageError
from ..base import NotApplicable, Sample, Scored, measure
from ..encoders.base import Encoder, EncoderOptions, Feature, Stream
from ..encoders.pretrained import PretrainedEncoder
from ..encoders.registry import ENCODERS, EncoderEntry
from ..encoders.weights import load_model, torch_device

if TYPE_CHECKING:
    import torch

    from ...harness.core.keys import Json
    from ...harness.core.media import ClipInfo, Window

__all__ = ["SURPRISE_COLUMNS", "SurpriseEncoder", "SurpriseSettings", "surprise_max", "surprise_mean"]

SURPRISE_COLUMNS = ("start", "surprise")
"""A row per window: the number of its first frame, and the mean absolute difference of features."""


class SurpriseSettings(Config):
    """The model, and the windows of frames that it reads."""

    weights: str = Field(min_length=1, description="hub id or folder of a V-JEPA 2 model")
    frames: int = Field(default=16, ge=2, description="frames of a window")
    context: int = Field(default=8, ge=1, description="how many of them the model sees")
    step: int = Field(default=1, ge=1, description="sampling interval in frames")
    stride: int = Field(default=2, ge=1, description="sampled frames from one window to the next")


class SurpriseEncoder(PretrainedEncoder):
    """Measure the surprise of every window of a clip: float64 (windows, 2), columns `SURPRISE_COLUMNS`.

    A clip with fewer frames than a window takes has no rows.

    Args:
        source: a hub id or a folder of a V-JEPA 2 model, or a YAML file of `SurpriseSettings`.
        options: device and dtype.

    Raises:
        UsageError: another kind of model, or windows that it cannot look at.
        MissingWeightsError: the weights are not on this machine and cannot be downloaded.
    """

    name = "surprise"
    version = 1
    model_types = ("vjepa2",)

    def __init__(self, source: str | SurpriseSettings, options: EncoderOptions) -> None:
        self.settings = source if isinstance(source, SurpriseSettings) else _settings(source)
        super().__init__(self.settings.weights, options)
        config = self._weights.config()
        tubelet, frames, context = (
            int(config.get("tubelet_size", 2)),
            self.settings.frames,
            self.settings.context,
        )
        if frames % tubelet or context % tubelet or context >= frames:
            raise UsageError(
                f"a window of {frames} frames with a context of {context} is not possible: this model reads "
                f"frames in groups of {tubelet}, and the context must leave some to predict"
            )

    @property
    def fewest_frames(self) -> int:
        """The number of frames that a clip needs to have a feature."""
        return self.settings.frames * self.settings.step

    def protocol(self) -> Mapping[str, Json]:
        """List the window."""
        return {"settings": self.settings.model_dump(mode="json", exclude={"weights"})}

    @cached_property
    def _model(self) -> Any:
        from transformers import VJEPA2Model

        model: Any = load_model(self._weights, VJEPA2Model, self._options)
        # The library asks for mask token 1 modulo this number; of one token that is the first.
        model.predictor.embeddings.num_mask_tokens = 1
        return model

    def open(self, info: ClipInfo) -> Stream:
        """Start a clip."""
        del info
        return _Windows(self)

    def preprocess(self, frame_HWC: Any) -> torch.Tensor:
        """Preprocess one frame, uint8 RGB (H, W, 3), to (3, h, w): alone, whatever window it comes in."""
        import torch

        with torch.inference_mode():
            x_CHW = self._preprocess(frame_HWC[None], torch_device(self._options))[0]
            size = int(self._model.config.crop_size)
            if tuple(x_CHW.shape[1:]) != (size, size):
                raise UsageError(
                    f"the weights {self.settings.weights!r} take frames of {size} x {size}, and their "
                    f"preprocessor gives {x_CHW.shape[2]} x {x_CHW.shape[1]}; mend its crop_size"
                )
            return x_CHW.to(self._model.dtype)

    def surprise(self, x_TCHW: torch.Tensor) -> float:
        """Measure one window of preprocessed frames, (T, 3, h, w)."""
        import torch
        from torch.nn.functional import layer_norm

        with torch.inference_mode():
            whole_1ND = self._model.encoder(pixel_values_videos=x_TCHW[None]).last_hidden_state
            seen_1ND = self._model.encoder(
                pixel_values_videos=x_TCHW[None, : self.settings.context]
            ).last_hidden_state
            seen, total, width = seen_1ND.shape[1], whole_1ND.shape[1], whole_1ND.shape[2]
            places_1N = torch.arange(total, device=whole_1ND.device)[None]
            predicted_1ND = self._model.predictor(
                encoder_hidden_states=seen_1ND,
                context_mask=[places_1N[:, :seen]],
                target_mask=[places_1N[:, seen:]],
            ).last_hidden_state
            target_1ND = layer_norm(whole_1ND[:, seen:].float(), (width,))
            return float((predicted_1ND.float() - target_1ND).abs().mean(dtype=torch.float64))


class _Windows:
    def __init__(self, encoder: SurpriseEncoder) -> None:
        self._encoder = encoder
        self._settings = encoder.settings
        self._held: deque[torch.Tensor] = deque(maxlen=self._settings.frames)
        self._seen = 0
        self._taken = 0
        self._rows: list[tuple[float, float]] = []

    def push(self, window: Window) -> None:
        import torch

        for frame_HWC in window.frames_THWC:
            if self._seen % self._settings.step == 0:
                self._held.append(self._encoder.preprocess(frame_HWC))
                self._taken += 1
                first = self._taken - self._settings.frames
                if first >= 0 and first % self._settings.stride == 0:
                    surprise = self._encoder.surprise(torch.stack(list(self._held)))
                    self._rows.append((float(first * self._settings.step), surprise))
            self._seen += 1

    def finish(self) -> Feature:
        return np.array(self._rows, np.float64).reshape(-1, len(SURPRISE_COLUMNS))


@measure("surprise.mean", version=1, needs=("surprise",), better="neither", bounds=(0.0, None))
def surprise_mean(sample: Sample) -> Scored:
    """Mean surprise of a clip's windows: L1 between the features that a video model predicted and found.

    For comparing clips of one scene: Garrido et al. 2025, section 2. The most surprising window is in the
    evidence.

    Raises:
        NotApplicable: the clip has fewer frames than a window takes.
    """
    rows = _rows(sample)
    return Scored(float(rows[:, 1].mean()), _worst(rows))


@measure("surprise.max", version=1, needs=("surprise",), better="neither", bounds=(0.0, None))
def surprise_max(sample: Sample) -> Scored:
    """Surprise of a clip's most surprising window: L1 between predicted and found features of a video model.

    Raises:
        NotApplicable: the clip has fewer frames than a window takes.
    """
    rows = _rows(sample)
    return Scored(float(rows[:, 1].max()), _worst(rows))


def _rows(sample: Sample) -> Feature:
    rows = sample.features["surprise"]
    if not len(rows):
        raise NotApplicable("fewer frames than a window of the video model takes")
    return rows


def _worst(rows: Feature) -> dict[str, Json]:
    worst = int(rows[:, 1].argmax())
    return {"windows": len(rows), "first_frame": int(rows[worst, 0]), "max": float(rows[worst, 1])}


def _settings(source: str) -> SurpriseSettings:
    if source.endswith((".yaml", ".yml")):
        return load_yaml(SurpriseSettings, source, {}, kind="surprise settings")
    return checked(SurpriseSettings, {"weights": source}, "the encoder 'surprise'")


def _build(source: str | None, options: EncoderOptions) -> Encoder:
    return SurpriseEncoder(source or "", options)


ENCODERS.add(
    "surprise",
    EncoderEntry(
        "V-JEPA 2: distance of a clip from the model's prediction",
        _build,
        True,
        shipped=False,
        settings="a V-JEPA 2 model, or a YAML file of settings",
    ),
)
