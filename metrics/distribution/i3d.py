"""I3D, the network of the classic Frechet video distance.

Carreira and Zisserman 2017, "Quo vadis, action recognition?": Inception-v1 with its filters inflated over
time. The parameters have the names of the public state dicts (``Conv3d_1a_7x7.conv3d.weight``,
``Mixed_3b.b1a.bn.bias`` ...), which load strictly. Layers are padded as TensorFlow's "SAME" does: to
ceil(size / stride), with the odd row or frame at the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import torch
from torch import nn
from torch.nn import functional

from ...harness.core.errors import UsageError

__all__ = ["I3D"]

Triple: TypeAlias = tuple[int, int, int]
BatchNormEps: TypeAlias = Literal["tf-hub", "port"]

EPS: Mapping[BatchNormEps, float] = {"tf-hub": 1e-3, "port": 1e-5}
"""Epsilon of batch normalisation: of the TensorFlow Hub graph, and of PyTorch ports that left the default."""

FEWEST_FRAMES = 9
"""With fewer, less than two steps in time are left for the average pool."""

SMALLEST_SIDE = 193
"""With fewer pixels a side, less than seven are left for the average pool."""

MIXED: Mapping[str, tuple[int, int, int, int, int, int]] = {
    "Mixed_3b": (64, 96, 128, 16, 32, 32),
    "Mixed_3c": (128, 128, 192, 32, 96, 64),
    "Mixed_4b": (192, 96, 208, 16, 48, 64),
    "Mixed_4c": (160, 112, 224, 24, 64, 64),
    "Mixed_4d": (128, 128, 256, 24, 64, 64),
    "Mixed_4e": (112, 144, 288, 32, 64, 64),
    "Mixed_4f": (256, 160, 320, 32, 128, 128),
    "Mixed_5b": (256, 160, 320, 32, 128, 128),
    "Mixed_5c": (384, 192, 384, 48, 128, 128),
}
"""Channels of each block: 1x1; 1x1 then 3x3; 1x1 then 3x3; pool then 1x1 (table 1 of Szegedy et al. 2015)."""


class I3D(nn.Module):
    """Kinetics logits of a video, averaged over time: the features of the Frechet video distance.

    Args:
        classes: of the last layer; 400 for Kinetics-400.
        eps: of batch normalisation: ``tf-hub`` (1e-3, the original) or ``port`` (1e-5, as in some PyTorch
            ports, for numbers published with them).

    Raises:
        UsageError: ``eps`` is neither.

    Example:
        >>> import torch
        >>> from screentest.metrics import I3D
        >>> network = I3D().eval()
        >>> with torch.no_grad():
        ...     features = network(torch.zeros(1, 3, 9, 224, 224))
        >>> features.shape
        torch.Size([1, 400])
    """

    def __init__(self, classes: int = 400, *, eps: BatchNormEps = "tf-hub") -> None:
        super().__init__()
        if eps not in EPS:
            raise UsageError(f"the epsilon of I3D is one of {', '.join(EPS)}; got {eps!r}")
        value = EPS[eps]
        layers: dict[str, nn.Module] = {
            "Conv3d_1a_7x7": _Unit(3, 64, (7, 7, 7), value, stride=(2, 2, 2)),
            "MaxPool3d_2a_3x3": _Pool((1, 3, 3), (1, 2, 2)),
            "Conv3d_2b_1x1": _Unit(64, 64, (1, 1, 1), value),
            "Conv3d_2c_3x3": _Unit(64, 192, (3, 3, 3), value),
            "MaxPool3d_3a_3x3": _Pool((1, 3, 3), (1, 2, 2)),
        }
        channels = 192
        for name, sizes in MIXED.items():
            if name == "Mixed_4b":
                layers["MaxPool3d_4a_3x3"] = _Pool((3, 3, 3), (2, 2, 2))
            elif name == "Mixed_5b":
                layers["MaxPool3d_5a_2x2"] = _Pool((2, 2, 2), (2, 2, 2))
            layers[name] = _Mixed(channels, sizes, value)
            channels = sizes[0] + sizes[2] + sizes[4] + sizes[5]
        self._trunk = tuple(layers)
        for name, layer in layers.items():
            self.add_module(name, layer)
        self.logits = _Logits(channels, classes)

    def forward(self, video_BCTHW: torch.Tensor) -> torch.Tensor:
        """Return the logits (B, classes), averaged over time.

        Args:
            video_BCTHW: RGB in [-1, 1], (B, 3, T, H, W) with T of 9 or more and H and W of 193 or more; the
                distance of the literature resizes frames to 224 x 224.

        Raises:
            UsageError: another shape, or too few frames or pixels.
        """
        if video_BCTHW.ndim != 5 or video_BCTHW.shape[1] != 3:
            raise UsageError(f"I3D reads videos (B, 3, T, H, W); got shape {tuple(video_BCTHW.shape)}")
        frames, *sides = video_BCTHW.shape[2:]
        if frames < FEWEST_FRAMES:
            raise UsageError(f"I3D needs at least {FEWEST_FRAMES} frames; got {frames}")
        if min(sides) < SMALLEST_SIDE:
            raise UsageError(
                f"I3D needs frames of {SMALLEST_SIDE} x {SMALLEST_SIDE} pixels or more, 224 x 224 by custom; "
                f"got {sides[1]} x {sides[0]}"
            )
        x = video_BCTHW
        for name in self._trunk:
            x = self.get_submodule(name)(x)
        x = functional.avg_pool3d(x, (2, 7, 7), stride=1)
        return self.logits(x).mean(dim=(2, 3, 4))


class _Unit(nn.Module):
    """Convolution, batch normalisation and ReLU."""

    def __init__(
        self, channels: int, out_channels: int, kernel: Triple, eps: float, stride: Triple = (1, 1, 1)
    ) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride
        self.conv3d = nn.Conv3d(channels, out_channels, kernel, stride=stride, bias=False)
        self.bn = nn.BatchNorm3d(out_channels, eps=eps)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.relu(self.bn(self.conv3d(_pad_same(x, self.kernel, self.stride))))


class _Pool(nn.Module):
    """Maximum over a window; zeros as padding are no maximum, since what comes in has passed a ReLU."""

    def __init__(self, kernel: Triple, stride: Triple) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.max_pool3d(_pad_same(x, self.kernel, self.stride), self.kernel, self.stride)


class _Mixed(nn.Module):
    """Four branches side by side, their channels put together."""

    def __init__(self, channels: int, sizes: tuple[int, int, int, int, int, int], eps: float) -> None:
        super().__init__()
        one, three = (1, 1, 1), (3, 3, 3)
        self.b0 = _Unit(channels, sizes[0], one, eps)
        self.b1a = _Unit(channels, sizes[1], one, eps)
        self.b1b = _Unit(sizes[1], sizes[2], three, eps)
        self.b2a = _Unit(channels, sizes[3], one, eps)
        self.b2b = _Unit(sizes[3], sizes[4], three, eps)
        self.b3a = _Pool(three, one)
        self.b3b = _Unit(channels, sizes[5], one, eps)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        branches = (self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(self.b3a(x)))
        return torch.cat(branches, dim=1)


class _Logits(nn.Module):
    """The classifier, a 1x1 convolution with bias."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(channels, classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv3d(x)


def _pad_same(x: torch.Tensor, kernel: Triple, stride: Triple) -> torch.Tensor:
    """Pad time, height and width with zeros so that each comes out at ceil(size / stride)."""
    padding: list[int] = []
    for size, k, s in zip(reversed(x.shape[2:]), reversed(kernel), reversed(stride), strict=True):
        total = max((-(-size // s) - 1) * s + k - size, 0)
        padding += [total // 2, total - total // 2]
    return functional.pad(x, padding)
