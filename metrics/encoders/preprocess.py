"""Preprocessing: a model's own resize, crop and normalisation, as batched torch.

The settings are read from the model's ``preprocessor_config.json``. A resize takes the width first, then the
height, each rounded to whole 8-bit levels, with the whole numbers that Pillow computes with, or for the
library's video processors, which have no Pillow, those of torch (`resample`). So frames come out as from the
library's processors, on any device and without Pillow in the loop (held to them by tests, to 1e-3 of what a
model takes). Pillow 13 takes the height first for some tall images, which moves single pixels where the
filter overshoots; here the order is fixed, so that a feature does not depend on the installed Pillow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...harness.core.errors import UsageError
from .resample import Arithmetic, resample

if TYPE_CHECKING:
    import torch

    from .weights import WeightsFolder

__all__ = ["PREPROCESSING_VERSION", "Preprocessor"]

PREPROCESSING_VERSION = 2

_CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
_CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)
_HALF = (0.5, 0.5, 0.5)

_CROPPED: dict[str, Any] = {
    "size": {"shortest_edge": 224},
    "do_center_crop": True,
    "crop_size": {"height": 224, "width": 224},
}
# What the library's classes assume where a file leaves a setting out.
_DEFAULTS: dict[str, dict[str, Any]] = {
    "CLIP": {**_CROPPED, "resample": 3, "image_mean": _CLIP_MEAN, "image_std": _CLIP_STD},
    "Bit": {**_CROPPED, "resample": 3, "image_mean": _CLIP_MEAN, "image_std": _CLIP_STD},
    "VideoMAE": {**_CROPPED, "resample": 2, "image_mean": _IMAGENET_MEAN, "image_std": _IMAGENET_STD},
    "ViT": {
        "size": {"height": 224, "width": 224},
        "resample": 2,
        "image_mean": _HALF,
        "image_std": _HALF,
    },
    "Siglip": {
        "size": {"height": 224, "width": 224},
        "resample": 3,
        "image_mean": _HALF,
        "image_std": _HALF,
    },
    "Siglip2": {  # NaFlex: frames are resized to patches (`naflex`), and the size is not read
        "size": {"height": 256, "width": 256},
        "resample": 2,
        "image_mean": _HALF,
        "image_std": _HALF,
    },
}
_FILTERS = {2: "bilinear", 3: "bicubic"}  # Pillow's numbers


@dataclass(frozen=True)
class Preprocessor:
    """From uint8 frames to what a model takes.

    Attributes:
        size: (height, width) to resize to, or one number for the shorter edge, or None for no resize.
        filter: ``bilinear`` or ``bicubic``, antialiased.
        crop: (height, width) of the central crop, or None.
        scale: factor from 8-bit levels to the range that ``mean`` and ``std`` are in.
        mean, std: one number a channel.
        arithmetic: whose rounding a resize has.
    """

    size: tuple[int, int] | int | None
    filter: str
    crop: tuple[int, int] | None
    scale: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    arithmetic: Arithmetic = "pillow"

    @classmethod
    def of(cls, weights: WeightsFolder) -> Preprocessor:
        """Read the settings that lie with a model's weights.

        Raises:
            UsageError: there are none, or one that is not supported: a guess would change the feature.
        """
        settings = weights.read_json("preprocessor_config.json", "video_preprocessor_config.json")
        if settings is None:
            nested = weights.read_json("processor_config.json") or {}
            settings = nested.get("image_processor") or nested.get("video_processor")
        if not isinstance(settings, dict):
            raise UsageError(
                f"the weights {weights.source!r} come without a preprocessor_config.json, so how to resize "
                "and normalise frames is unknown; add the file from the model's page"
            )
        try:
            return cls.from_settings(settings)
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(f"the preprocessor settings of {weights.source!r}: {error}") from None

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Preprocessor:
        """Read the settings as transformers writes them.

        Raises:
            ValueError: a setting is missing or not supported.
        """
        names = ("image_processor_type", "video_processor_type", "feature_extractor_type")
        kind = next((str(settings[name]) for name in names if settings.get(name)), "")
        family = max((f for f in _DEFAULTS if kind.startswith(f)), key=len, default="")
        known = {
            "do_resize": True,
            "do_center_crop": False,
            "do_rescale": True,
            "rescale_factor": 1 / 255,
            "do_normalize": True,
            **_DEFAULTS.get(family, {}),
            **{name: value for name, value in settings.items() if value is not None},
        }
        if known.get("do_pad"):
            raise ValueError("padding ('do_pad') is not supported")
        square = family not in ("CLIP", "Bit", "VideoMAE")
        normalize = bool(known["do_normalize"])
        return cls(
            size=_size(_need(known, "size"), square=square) if known["do_resize"] else None,
            filter=_filter(_need(known, "resample")) if known["do_resize"] else "none",
            crop=_pair(_need(known, "crop_size")) if known["do_center_crop"] else None,
            scale=float(known["rescale_factor"]) if known["do_rescale"] else 1.0,
            mean=_channels(_need(known, "image_mean")) if normalize else (0.0, 0.0, 0.0),
            std=_channels(_need(known, "image_std")) if normalize else (1.0, 1.0, 1.0),
            arithmetic="torch" if kind.endswith("VideoProcessor") else "pillow",
        )

    def __call__(self, frames_THWC: NDArray[np.uint8], device: torch.device) -> torch.Tensor:
        """Preprocess frames, uint8 RGB (T, H, W, 3), to float32 (T, 3, h, w) on ``device``."""
        import torch

        x_TCHW = torch.tensor(frames_THWC, device=device).permute(0, 3, 1, 2)
        if self.size is not None:
            x_TCHW = self._resize(x_TCHW)
        if self.crop is not None:
            x_TCHW = _center_crop(x_TCHW, self.crop)
        return self.normalized(x_TCHW)

    def normalized(self, x_TCHW: torch.Tensor) -> torch.Tensor:
        """Bring levels of 255 to the range of the model, as float32."""
        import torch

        mean = torch.tensor(self.mean, device=x_TCHW.device)[:, None, None]
        std = torch.tensor(self.std, device=x_TCHW.device)[:, None, None]
        return (x_TCHW.float() * self.scale - mean) / std

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """Say the (height, width) to which a frame of this size is resized, before the crop."""
        if self.size is None:
            return height, width
        if isinstance(self.size, tuple):
            return self.size
        long = int(self.size * max(height, width) / min(height, width))
        return (long, self.size) if width <= height else (self.size, long)

    def _resize(self, x_TCHW: torch.Tensor) -> torch.Tensor:
        height, width = x_TCHW.shape[2:]
        return resample(x_TCHW, self.output_size(height, width), self.filter, self.arithmetic)


def _center_crop(x_TCHW: torch.Tensor, crop: tuple[int, int]) -> torch.Tensor:
    """Cut the centre; a frame smaller than the crop is put on black, as the library's processors do."""
    from torch.nn.functional import pad

    for axis, wanted in ((2, crop[0]), (3, crop[1])):
        have = x_TCHW.shape[axis]
        if have < wanted:
            before = -((have - wanted) // 2)  # the odd row of black goes first
            both = (before, wanted - have - before)
            x_TCHW = pad(x_TCHW, (0, 0, *both) if axis == 2 else both)
        else:
            x_TCHW = x_TCHW.narrow(axis, (have - wanted) // 2, wanted)
    return x_TCHW


def _need(settings: Mapping[str, Any], name: str) -> Any:
    if name not in settings:
        raise ValueError(f"{name!r} is not given, and this kind of processor has no known default for it")
    return settings[name]


def _filter(resample: int) -> str:
    if resample not in _FILTERS:
        raise ValueError(f"resample filter {resample} is not supported; known: 2 (bilinear), 3 (bicubic)")
    return _FILTERS[resample]


def _size(size: Any, *, square: bool) -> tuple[int, int] | int:
    if isinstance(size, int):
        return (size, size) if square else size
    if set(size) == {"shortest_edge"}:
        return int(size["shortest_edge"])
    return _pair(size)


def _pair(size: Any) -> tuple[int, int]:
    if isinstance(size, int):
        return size, size
    if not {"height", "width"} <= set(size):
        raise ValueError(f"the size {dict(size)} is not supported; known: height and width, or shortest_edge")
    return int(size["height"]), int(size["width"])


def _channels(values: Any) -> tuple[float, float, float]:
    if isinstance(values, int | float):
        return float(values), float(values), float(values)
    red, green, blue = (float(value) for value in values)
    return red, green, blue
