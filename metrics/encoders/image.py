"""The encoders ``subject`` and ``image``: an embedding of each frame by an image model.

``subject`` is every frame by a backbone such as DINOv2, for measures of consistency. ``image`` is a general
feature of sampled frames, for comparing clips with many others (memorisation, detectors). A source is
``efficientnet-lite0`` (weights in a package, no hub), ``reference``, a folder or a hub id, and may end in a
sampling: ``facebook/dinov2-small?fps=8,frames=16``.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ...harness.core.config import Config, checked
from ...harness.core.errors import UsageError
from ...harness.core.specs import parse_argument
from ..frame_sampling import Sampling
from .base import Encoder, EncoderOptions, Feature, FrameEncoder
from .efficientnet import EFFICIENTNET, PREPROCESSING, SHA256, find_efficientnet, load_efficientnet
from .preprocess import PREPROCESSING_VERSION
from .pretrained import PretrainedEncoder
from .registry import ENCODERS, EncoderEntry
from .weights import WeightsFolder, find_weights, load_model, torch_device

if TYPE_CHECKING:
    import torch

    from ...harness.core.keys import Json

__all__ = ["EfficientNetEncoder", "FrameChoice", "ImageEncoder", "ImageRole", "image_encoder"]

ImageRole = Literal["subject", "image"]
_CLASS_TOKEN = frozenset({"beit", "deit", "dinov2", "dinov2_with_registers", "dinov3_vit", "vit", "vit_msn"})
"""Kinds of model whose token 0 stands for the whole image; of others the mean over places is taken."""
_PROJECTED = frozenset({"clip", "siglip", "siglip2"})
"""Models of images and text: ``image`` takes the embedding that they compare with a text's."""


class FrameChoice(Config):
    """Which frames of a clip are encoded.

    A clip of fewer frames a second than ``fps`` is encoded whole.
    """

    fps: float = Field(ge=0, allow_inf_nan=False, description="frames a second; 0 for every frame")
    frames: int | None = Field(default=None, ge=1, description="frames of a clip at most, the first ones")

    @property
    def sampling(self) -> Sampling | None:
        """Return the sampling; None for every frame."""
        return Sampling(0, self.fps) if self.fps else None

    def identity(self) -> dict[str, Json]:
        """List what changes a feature; empty where every frame is encoded."""
        if self.fps == 0 and self.frames is None:
            return {}
        return {"sampling": {"fps": self.fps, "frames": self.frames}}


_DEFAULT_FPS: dict[ImageRole, float] = {"subject": 0.0, "image": 4.0}
_PACKAGED = "subject"
"""The folder of the packaged weights of both roles."""


class _Frames(FrameEncoder):
    """What the image encoders have in common: the role, the choice of frames, and rows of length 1."""

    def __init__(self, role: ImageRole, choice: FrameChoice) -> None:
        self.name = role
        self.sampling = choice.sampling
        self.most_frames = choice.frames

    @abstractmethod
    def embed(self, frames_THWC: NDArray[np.uint8]) -> torch.Tensor:
        """Embed frames, uint8 RGB (T, H, W, 3): (T, D)."""

    def encode_frames(self, frames_THWC: NDArray[np.uint8]) -> Feature:
        """Embed frames, uint8 RGB (T, H, W, 3): float32 (T, D), each row of length 1."""
        import torch

        with torch.inference_mode():
            f_TD = self.embed(frames_THWC).float()
            return (f_TD / f_TD.norm(dim=-1, keepdim=True).clamp_min(1e-12)).cpu().numpy()


class ImageEncoder(_Frames, PretrainedEncoder):
    """Embed frames with an image model that `AutoModel` loads; rows have length 1.

    The feature is the class token after the last norm (as VBench reads DINO), or the mean over places for a
    backbone without one. The library's own pooling head is not used: many checkpoints come without it. The
    role ``image`` also reads models of images and text such as CLIP, by their embedding of images.

    Args:
        source: ``reference``, a folder or a hub id.
        options: device and dtype.
        role: whose features these are.
        choice: which frames are encoded; None for every frame.

    Raises:
        UsageError: the role ``subject`` with a model of images and text.
        MissingWeightsError: the weights are not on this machine and cannot be downloaded.
    """

    version = 1

    def __init__(
        self,
        source: str,
        options: EncoderOptions,
        role: ImageRole = "subject",
        choice: FrameChoice | None = None,
    ) -> None:
        self._choice = choice or FrameChoice(fps=0)
        _Frames.__init__(self, role, self._choice)
        PretrainedEncoder.__init__(self, source, options)
        both = "text_config" in self._weights.config()
        if both and (role == "subject" or self._kind not in _PROJECTED):
            raise UsageError(
                f"the encoder {role!r} reads image backbones such as DINOv2; {source!r} is a model of "
                f"images and text ({self._kind!r})"
            )
        self._pooling = "projection" if both else "class token" if self._kind in _CLASS_TOKEN else "mean"

    def find(self, source: str) -> WeightsFolder:
        """Find the weights; both roles have the same packaged ones."""
        return find_weights(_PACKAGED if source == "reference" else self.name, source)

    def protocol(self) -> Mapping[str, Json]:
        """List the pooling and the sampling."""
        return {"pooling": self._pooling, **self._choice.identity()}

    @cached_property
    def _model(self) -> Any:
        from transformers import AutoModel

        unused = () if self._pooling == "projection" else ("pooler.",)
        return load_model(self._weights, AutoModel, self._options, unused=unused)

    def embed(self, frames_THWC: NDArray[np.uint8]) -> torch.Tensor:
        """Embed frames, uint8 RGB (T, H, W, 3): (T, D)."""
        given = self._image_inputs(frames_THWC, self._model.dtype)
        if self._pooling == "projection":
            output = self._model.get_image_features(**given)
            return getattr(output, "pooler_output", output)  # an object since transformers 5.0
        hidden: torch.Tensor = self._model(**given).last_hidden_state.float()
        if hidden.ndim == 4:  # a convolutional backbone: (T, D, h, w)
            return hidden.mean(dim=(2, 3))
        return hidden[:, 0] if self._pooling == "class token" else hidden.mean(dim=1)


class EfficientNetEncoder(_Frames):
    """Embed frames with EfficientNet-Lite0: 1,280 features after pooling, rows of length 1.

    Args:
        options: device and dtype.
        role: whose features these are.
        choice: which frames are encoded.

    Raises:
        MissingWeightsError: the package with the weights is not installed.
    """

    version = 1
    trial = "embeds"
    weights_source = EFFICIENTNET

    def __init__(self, options: EncoderOptions, role: ImageRole, choice: FrameChoice) -> None:
        super().__init__(role, choice)
        self._options = options
        self._choice = choice
        self._path = find_efficientnet()

    def identity(self) -> Mapping[str, Json]:
        """List the version, the sha256 of the weights, the dtype and the sampling."""
        return {
            "version": self.version,
            "preprocessing": PREPROCESSING_VERSION,
            "weights": SHA256,
            "dtype": self._options.dtype,
            **self._choice.identity(),
        }

    @cached_property
    def _network(self) -> Any:
        return load_efficientnet(self._path, self._options)

    def embed(self, frames_THWC: NDArray[np.uint8]) -> torch.Tensor:
        """Embed frames, uint8 RGB (T, H, W, 3): (T, 1280)."""
        x_TCHW = PREPROCESSING(frames_THWC, torch_device(self._options))
        return self._network.features(x_TCHW.to(self._network.fc.weight.dtype))


def image_encoder(role: ImageRole, source: str, options: EncoderOptions) -> Encoder:
    """Make the encoder of a role from a source such as ``efficientnet-lite0?fps=8,frames=16``.

    Raises:
        UsageError: an option that is no sampling, or weights of another kind.
        MissingWeightsError: the weights are not on this machine.
    """
    spec = parse_argument(source, f"the source {source!r} of the encoder {role!r}", path=True)
    choice = checked(FrameChoice, {"fps": _DEFAULT_FPS[role], **spec.options}, spec.whose)
    if spec.argument == EFFICIENTNET:
        return EfficientNetEncoder(options, role, choice)
    return ImageEncoder(spec.argument, options, role, choice)


def _entry(role: ImageRole, summary: str) -> None:
    def build(source: str | None, options: EncoderOptions) -> Encoder:
        return image_encoder(role, source or "reference", options)

    ENCODERS.add(
        role,
        EncoderEntry(
            summary, build, True, settings=f"{EFFICIENTNET}, reference, a Hugging Face id, or a folder"
        ),
    )


_entry("subject", "an image backbone (DINOv2, ViT, efficientnet-lite0): an embedding a frame")
_entry("image", "an image model (efficientnet-lite0, DINOv2, CLIP): an embedding of each sampled frame")
